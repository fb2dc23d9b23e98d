"""What MuseScore 3 drew on an SVG page: classes and places, without meaning."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_BLACK = "#000000"
_SIGNS_IN_PLACE = ("Note", "Rest", "Clef")


@dataclass(frozen=True)
class Shape:
    """Something drawn: its class, where its sign's origin is, the box around it, its colour and line width."""

    name: str
    x: float
    y: float
    left: float
    top: float
    right: float
    bottom: float
    colour: str
    width: float
    points: tuple[float, ...]

    def is_line(self) -> bool:
        return self.width > 0


def shapes_of(svg: str) -> list[Shape]:
    """Everything drawn on an SVG page, in its units; nothing where signs are not drawn by a matrix that scales them."""
    result = []
    for element in ET.fromstring(svg.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1)).iter():
        name = element.get("class")
        if name is None or element.tag not in ("path", "polyline"):
            continue
        line = element.tag == "polyline"
        numbers = np.array(_NUMBER.findall(element.get("points" if line else "d", "")), float)
        if len(numbers) < 2:
            continue
        if name in _SIGNS_IN_PLACE and "transform" not in element.attrib:
            return []  # drawn at the fonts' own size the signs have no origin
        matrix = [float(n) for n in _NUMBER.findall(element.get("transform", "matrix(1,0,0,1,0,0)"))]
        xs = numbers[::2] * matrix[0] + numbers[1::2] * matrix[2] + matrix[4]
        ys = numbers[::2] * matrix[1] + numbers[1::2] * matrix[3] + matrix[5]
        result.append(
            Shape(
                *(name, matrix[4], matrix[5], float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max())),
                element.get("fill", _BLACK),
                float(element.get("stroke-width", "0")) if line else 0.0,
                tuple(np.stack([xs, ys], axis=1).ravel().tolist()),
            )
        )
    return result


def page_width(svg: str) -> float:
    """Of an SVG page, in its units."""
    box = re.search(r'viewBox="0 0 ([\d.]+)', svg)
    return float(box[1]) if box else 0.0


def first_digits(shapes: Iterable[Shape], space: float) -> list[Shape]:
    """Of numbers the digits that no other one stands to the left of."""
    result: list[Shape] = []
    last: list[Shape] = []
    for shape in sorted(shapes, key=lambda s: s.left):
        last = [other for other in last if shape.left - other.right < 0.8 * space]
        if not any(abs(other.bottom - shape.bottom) < 0.5 * space for other in last):
            result.append(shape)
        last.append(shape)
    return result


def stacked(shapes: Iterable[Shape], gap: float) -> list[list[Shape]]:
    """Shapes one below the other."""
    result: list[list[Shape]] = []
    for shape in sorted(shapes, key=lambda s: s.top):
        if result and shape.top - result[-1][-1].bottom < gap:
            result[-1].append(shape)
        else:
            result.append([shape])
    return result


def side_by_side(shapes: Iterable[Shape], gap: float) -> list[list[Shape]]:
    """Shapes side by side."""
    result: list[list[Shape]] = []
    for shape in sorted(shapes, key=lambda s: s.left):
        if result and shape.left - result[-1][-1].right < gap:
            result[-1].append(shape)
        else:
            result.append([shape])
    return result

"""A page of music as pixels → its systems, each with the glyphs that the trunk reads. onnxruntime, no torch.

    reader = ImageReader()
    for system in reader.read_page(page):
        for part in system.parts:
            part.glyphs  # sorted, x in staff spaces from the line's left edge

Staves are found first (`unified.staves`), then a small network reads the band around each (`unified.bands`); what the
bands of one system show is put together in `unified.seen_system`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.modality import GreyPage
from model_runtime.tokens.glyphs import Glyph
from model_runtime.unified.bands import cut_band, line_of
from model_runtime.unified.c_clefs import with_c_clef
from model_runtime.unified.centres import Floats, Ints, Seen, read_centres
from model_runtime.unified.glyph_classes import fingerprint
from model_runtime.unified.page_light import FlatPage, flatten
from model_runtime.unified.seen_system import PartGlyphs, join_system
from model_runtime.unified.staves import System, find_systems

BACKBONE, ATTRIBUTES = "image_reader.onnx", "image_reader_attributes.onnx"
_WIDTH_STEP = 16  # the network's coarsest stride


@dataclass(frozen=True)
class ReadPart:
    """What one instrument plays in a system.

    Attributes:
        glyphs: Sorted by x, then from high to low; staves are counted from 1 at the top of the part.
        staves: How many it has.
    """

    glyphs: tuple[Glyph, ...]
    staves: int


@dataclass(frozen=True)
class ReadSystem:
    """One line of music of a page.

    Attributes:
        parts: From the top. Staves that barlines run through are one part.
        left, top, right, bottom: Of its staves, in pixels of the page.
        width: In staff spaces.
    """

    parts: tuple[ReadPart, ...]
    left: float
    top: float
    right: float
    bottom: float
    width: float


class ImageReader:
    """The reader with its weights loaded; reading is safe from one thread at a time.

    Args:
        folder: Of the two weight files; the package's own by default.
        threads: That onnxruntime may use.

    Raises:
        FileNotFoundError: the weights are not there.
        ValueError: they were trained with other classes.
    """

    def __init__(self, folder: Path | None = None, threads: int = 2) -> None:
        import onnxruntime

        folder = folder or Path(__file__).with_name("weights")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        for name in (BACKBONE, ATTRIBUTES):
            if not (folder / name).is_file():
                raise FileNotFoundError(folder / name)
        self._backbone, self._attributes = (
            onnxruntime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
            for name in (BACKBONE, ATTRIBUTES)
        )
        about = self._backbone.get_modelmeta().custom_metadata_map
        if about.get("classes") != fingerprint():
            raise ValueError(f"the image reader in {folder} was trained to tell other things apart")
        self.about: dict[str, Any] = json.loads(about["about"])

    def read_page(
        self,
        page: GreyPage,
        progress: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[ReadSystem]:
        """Every system of a page in reading order; empty where there is no music or reading was cancelled.

        Args:
            page: uint8, 0 is ink; any size, light and skew.
            progress: Told the share that is done, 0 to 1.
            cancelled: Asked before each system.
        """
        flat = flatten(page)
        if flat is None:
            return []
        systems = find_systems(flat)
        result = []
        for number, system in enumerate(systems):
            if cancelled is not None and cancelled():
                return []
            result.append(self._read_system(flat, system, systems))
            if progress is not None:
                progress((number + 1) / len(systems))
        return result

    def read_band(self, pixels: npt.NDArray[np.uint8]) -> Seen:
        """What is seen in the band of one staff (see `bands.cut_band`)."""
        padded = np.pad(pixels, [(0, 0), (0, -pixels.shape[1] % _WIDTH_STEP)])
        given = padded[None, None].astype(np.float32) / 255.0
        heat, fine, middle = self._backbone.run(None, {"band": given})
        return read_centres(heat[0], fine[0], middle[0], self._read_attributes)

    def _read_attributes(self, features: Floats, group: Ints, stem: Ints) -> tuple[Floats, Floats, Floats]:
        given: dict[str, Any] = {"features": np.ascontiguousarray(features), "group": group, "stem": stem}
        shared, of_stem, within = self._attributes.run(None, given)
        return shared, of_stem, within

    def _read_system(self, flat: FlatPage, system: System, systems: list[System]) -> ReadSystem:
        line = line_of(system.staves)
        bands = [cut_band(flat, staff, line) for staff in system.staves]
        seen = [with_c_clef(self.read_band(band), band) for band in bands]
        others = [staff for other in systems if other is not system for staff in other.staves]
        parts = tuple(_read_part(part) for part in join_system(system, line, seen, others))
        first, last = system.staves[0], system.staves[-1]
        corners_x = np.array([line.left, line.right, line.left, line.right])
        corners_y = np.array(
            [first.top(line.left), first.top(line.right), last.bottom(line.left), last.bottom(line.right)]
        )
        x, y = flat.to_page(corners_x, corners_y.ravel())
        width = (line.right - line.left) / line.space
        return ReadSystem(parts, float(x.min()), float(y.min()), float(x.max()), float(y.max()), width)


def _read_part(part: PartGlyphs) -> ReadPart:
    ordered = sorted(part.glyphs, key=lambda g: (g.x, -g.position))
    return ReadPart(tuple(ordered), part.staves)

"""The last measures of a score: what was just played, for a host that already has the rest."""

from __future__ import annotations

from copy import deepcopy

from lxml import etree

from model_runtime.modality import Notation

_ATTRIBUTES = ("divisions", "key", "time", "staves", "clef", "transpose")  # in the order of the schema


def last_measures(notation: Notation, count: int) -> Notation:
    """The last `count` measures of every part, with the clefs, keys, times and tempo that hold where they begin.

    Ties that came in from before are let go. A score that has no more measures stays as it is.
    """
    if notation.measure_count <= count:
        return notation
    root = deepcopy(notation.root)
    for part in root.findall("part"):
        measures = part.findall("measure")
        left_out, kept = measures[:-count], measures[-count:]
        _open_with(kept[0], left_out)
        _let_go_of_ties(kept)
        for measure in left_out:
            part.remove(measure)
        for number, measure in enumerate(kept, 1):
            measure.set("number", str(number))
            if "implicit" in measure.attrib:
                del measure.attrib["implicit"]
    content = etree.tostring(root.getroottree(), xml_declaration=True, encoding="UTF-8", standalone=False)
    return Notation(content)


def _open_with(measure: etree._Element, before: list[etree._Element]) -> None:
    """Write down at a measure's beginning what held there because of measures before it."""
    standing: dict[tuple[str, str], etree._Element] = {}
    tempo: etree._Element | None = None
    for earlier in before:
        for attributes in earlier.findall("attributes"):
            standing |= {(str(child.tag), child.get("number", "")): child for child in attributes}
        for direction in earlier.findall("direction"):
            if direction.find("sound[@tempo]") is not None:
                tempo = direction
    first = measure.find("attributes")
    if first is None or measure.index(first) != 0:
        first = etree.Element("attributes")
        measure.insert(0, first)
    own = {(str(child.tag), child.get("number", "")): child for child in first}
    merged = standing | own
    for child in list(first):
        first.remove(child)
    for name in _ATTRIBUTES:
        for (tag, _), child in sorted(merged.items(), key=lambda item: item[0]):
            if tag == name:
                first.append(deepcopy(child))
    if tempo is not None and not any(d.find("sound[@tempo]") is not None for d in measure.findall("direction")):
        measure.insert(1, deepcopy(tempo))


def _let_go_of_ties(measures: list[etree._Element]) -> None:
    """Remove the ends of ties that began before the first measure."""
    open_ties: set[str] = set()
    for note in (note for measure in measures for note in measure.findall("note")):
        pitch = note.find("pitch")
        key = "" if pitch is None else etree.tostring(pitch, method="text", encoding="unicode").strip()
        if note.find("tie[@type='stop']") is not None and key not in open_ties:
            _remove(note, "tie", "stop")
            for notations in note.findall("notations"):
                _remove(notations, "tied", "stop")
                if not len(notations):
                    note.remove(notations)
        open_ties.discard(key)
        if note.find("tie[@type='start']") is not None:
            open_ties.add(key)


def _remove(parent: etree._Element, tag: str, kind: str) -> None:
    for child in parent.findall(f"{tag}[@type='{kind}']"):
        parent.remove(child)

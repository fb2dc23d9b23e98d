"""The sounding notes of a part: what a performance of it is made from."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.score import duration_of

_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
GRACE, STACCATO, TENUTO, ACCENT, ARPEGGIO, FERMATA = (1 << i for i in range(6))
_TIE_TOLERANCE = 1e-3


def midi_pitch(note: ET.Element) -> int | None:
    """MIDI note number, None for a rest or percussion."""
    step = note.findtext("pitch/step")
    if step is None:
        return None
    alter = round(float(note.findtext("pitch/alter", "0")))
    return _SEMITONES[step] + alter + 12 * (int(note.findtext("pitch/octave", "4")) + 1)


def placed(part: ET.Element) -> Iterator[tuple[int, float, float, ET.Element, float]]:
    """Each note: its measure, onset and duration in quarter notes, the element, and the measure's start.

    The onset counts from the start of the part.
    """
    start, divisions = 0.0, 1
    for number, measure in enumerate(part):
        at = last = 0.0
        for element in measure:
            if element.tag == "attributes":
                divisions = int(element.findtext("divisions", str(divisions)))
            length = duration_of(element) / divisions
            if element.tag == "backup":
                at -= length
            elif element.tag == "forward":
                at += length
            elif element.tag == "note":
                onset = last if element.find("chord") is not None else at
                yield number, start + onset, length, element, start
                if element.find("chord") is None:
                    last, at = at, at + length
        start += int(measure.get("length", "0")) / divisions


def _flags(note: ET.Element) -> int:
    found = GRACE if note.find("grace") is not None else 0
    marks = (
        ("articulations/staccato", STACCATO),
        ("articulations/tenuto", TENUTO),
        ("articulations/accent", ACCENT),
        ("articulations/strong-accent", ACCENT),
        ("arpeggiate", ARPEGGIO),
        ("fermata", FERMATA),
    )
    for path, flag in marks:
        if note.find(f"notations/{path}") is not None:
            found |= flag
    return found


def score_notes(part: ET.Element) -> dict[str, npt.NDArray[Any]]:
    """The notes that sound, ties joined and unisons of two voices merged.

    Returns:
        note_onset, note_duration: float32 (N,), quarter notes from the start of the part; a grace note's duration is 0.
        note_pitch, note_staff, note_flags: int16 (N,).
        element_note: int32, for every written note or rest the sounding note it belongs to, -1 for a rest.
        element_offsets: int64 (M + 1,), where each measure's elements start.
        measure_start: float32 (M + 1,), in quarter notes.
    """
    rows: list[list[float]] = []
    element_note: list[int] = []
    offsets = [0]
    sounding: dict[int, int] = {}
    for measure, onset, length, note, _ in placed(part):
        while len(offsets) <= measure:
            offsets.append(len(element_note))
        pitch = midi_pitch(note)
        if pitch is None:
            element_note.append(-1)
            continue
        previous = sounding.get(pitch)
        flags = _flags(note)
        if previous is not None and not flags & GRACE and not int(rows[previous][4]) & GRACE:
            row = rows[previous]
            tied = any(t.get("type") == "stop" for t in note.findall("notations/tied"))
            continues = tied and abs(row[0] + row[1] - onset) < _TIE_TOLERANCE
            if continues or abs(row[0] - onset) < _TIE_TOLERANCE:
                row[1] = max(row[1], onset + length - row[0])
                element_note.append(previous)
                continue
        sounding[pitch] = len(rows)
        element_note.append(len(rows))
        rows.append([onset, length, pitch, int(note.findtext("staff", "1")), flags])
    measures = len(part)
    offsets += [len(element_note)] * (measures + 1 - len(offsets))
    table = np.array(rows, np.float64).reshape(-1, 5)
    return {
        "note_onset": table[:, 0].astype(np.float32),
        "note_duration": table[:, 1].astype(np.float32),
        "note_pitch": table[:, 2].astype(np.int16),
        "note_staff": table[:, 3].astype(np.int16),
        "note_flags": table[:, 4].astype(np.int16),
        "element_note": np.array(element_note, np.int32),
        "element_offsets": np.array(offsets, np.int64),
        "measure_start": measure_starts(part),
    }


def measure_starts(part: ET.Element) -> npt.NDArray[np.float32]:
    """Where each measure starts and the last one ends, in quarter notes, shape (M + 1,)."""
    starts, divisions = [0.0], 1
    for measure in part:
        for attributes in measure.findall("attributes"):
            divisions = int(attributes.findtext("divisions", str(divisions)))
        starts.append(starts[-1] + int(measure.get("length", "0")) / divisions)
    return np.array(starts, np.float32)

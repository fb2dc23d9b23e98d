"""Which notes sound: accidentals, key and ties turn written letters into pitches."""

from __future__ import annotations

from fractions import Fraction

from model_runtime.tokens.written import WrittenMeasure

_SHARPS = "FCGDAEB"
_ALTERS = {"sharp": 1, "flat": -1, "natural": 0, "double-sharp": 2, "flat-flat": -2, "natural-sharp": 1}
_ALTERS["natural-flat"] = -1


def alterations(measures: list[WrittenMeasure], fifths: int) -> None:
    """Set `alter` of every note: an accidental holds for its letter, octave and staff to the end of the measure, and
    over a tie into the next one."""
    carried: dict[str, int] = {}
    for measure in measures:
        fifths = measure.fifths if measure.fifths is not None else fifths
        shown: dict[tuple[str, int], list[tuple[Fraction, int]]] = {}
        for note in measure.notes:
            if note.accidental:
                shown.setdefault((note.pitch, note.staff), []).append((note.onset, _ALTERS[note.accidental]))
        leaving: dict[str, int] = {}
        for note in sorted((n for n in measure.notes if n.pitch), key=lambda n: n.onset):
            before = [s for s in shown.get((note.pitch, note.staff), []) if s[0] <= note.onset]
            tied = leaving.get(note.pitch, carried.get(note.pitch)) if note.tie_stop else None
            if tied is not None:
                note.alter = tied
            elif before:
                note.alter = max(before, key=lambda s: s[0])[1]
            else:
                note.alter = key_alteration(note.pitch[0], fifths)
            if note.tie_start:
                leaving[note.pitch] = note.alter
        carried = leaving


def key_alteration(letter: str, fifths: int) -> int:
    """Semitones by which a key signature changes a letter."""
    if fifths > 0 and letter in _SHARPS[:fifths]:
        return 1
    if fifths < 0 and letter in _SHARPS[fifths:]:
        return -1
    return 0

"""Accidentals: which notes need a sign, by the key and by what stood before them in the measure."""

from __future__ import annotations

from collections.abc import Sequence

from model_runtime.notation.measures import REST, anchor_of
from model_runtime.notation.musicxml import WrittenMeasure, WrittenPart
from model_runtime.notation.spelling import key_alteration
from model_runtime.notation.stems import PlacedNote


def needed_accidentals(part: WrittenPart, fifths: Sequence[int]) -> dict[tuple[int, int], int]:
    """Signs of a part as {(id of note, start of its piece): alteration}.

    Args:
        fifths: The key of each measure.
    """
    signs: dict[tuple[int, int], int] = {}
    for staff in range(1, part.staves + 1):
        before: dict[tuple[str, int], int] = {}
        for written, key in zip(part.measures, fifths, strict=True):
            before = _sign_measure(signs, written, staff, key, before)
    return signs


def _sign_measure(
    signs: dict[tuple[int, int], int], written: WrittenMeasure, staff: int, key: int, before: dict[tuple[str, int], int]
) -> dict[tuple[str, int], int]:
    """Set the signs of one staff's measure; returns what was altered in it, which the next measure takes back."""
    current: dict[tuple[str, int], int] = {}
    courtesies = dict(before)
    for start, note in _in_order(written, staff):
        place = (note.step, note.octave)
        valid = current.get(place, key_alteration(note.step, key))
        if start > note.onset:  # tied over: the sign stands at the tie's beginning
            courtesies.pop(place, None)
            continue
        takes_back = courtesies.pop(place, note.alter) != note.alter
        if note.alter != valid or (takes_back and place not in current):
            signs[id(note), start] = note.alter
        current[place] = note.alter
    return {place: alter for place, alter in current.items() if alter != key_alteration(place[0], key)}


def _in_order(written: WrittenMeasure, staff: int) -> list[tuple[int, PlacedNote]]:
    """(start of its piece, note) of one staff as a reader meets them; grace notes before the chord."""
    met: list[tuple[int, int, int, int, PlacedNote]] = []
    for voice in written.voices:
        if voice.staff != staff:
            continue
        for piece in voice.pieces:
            bearer = anchor_of(piece.index) if piece.index < REST else piece.index
            if bearer < 0:
                continue
            chord = voice.chords[bearer]
            if piece.start == chord.onset:
                met += [(piece.start, 0, note.order, note.pitch, note) for note in chord.graces]
            met += [(piece.start, 1, voice.number, note.pitch, note) for note in chord.notes if piece.index >= 0]
    return [(start, note) for start, *_, note in sorted(met, key=lambda entry: entry[:4])]

"""Note names for MIDI pitches in a key, and which accidentals are printed."""

from __future__ import annotations

STEPS_BY_FIFTHS = "FCGDAEB"
STEP_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_LOWEST_FROM_KEY = -4  # in C major: from A flat to C sharp on the line of fifths, as accidentals mostly are


def spelled(pitch: int, fifths: int) -> tuple[str, int, int]:
    """Step, alteration and octave of a pitch in a key of `fifths`: the name that lies nearest to the key."""
    lowest = fifths + _LOWEST_FROM_KEY
    position = lowest + (7 * pitch - lowest) % 12  # on the line of fifths, C is 0
    step = STEPS_BY_FIFTHS[(position + 1) % 7]
    alter = (position + 1) // 7
    return step, alter, (pitch - alter - STEP_SEMITONES[step]) // 12 - 1


def sounding(step: str, alter: int, octave: int) -> int:
    """The MIDI pitch of a note name."""
    return 12 * (octave + 1) + STEP_SEMITONES[step] + alter


def key_alter(step: str, fifths: int) -> int:
    """What the key signature does to a step: -1, 0 or 1."""
    place = STEPS_BY_FIFTHS.index(step)
    if fifths > 0:
        return 1 if place < fifths else 0
    return -1 if 6 - place < -fifths else 0

"""The range in which an instrument sounds, for engines that must not find notes outside it.

Concert pitch, from Adler, "The Study of Orchestration" (appendix on ranges), the players' extremes included.
"""

from __future__ import annotations

from model_runtime.instruments import find_program

_PIANO = (21, 108)

_RANGE_OF_PROGRAMS: tuple[tuple[range, tuple[int, int]], ...] = (
    (range(6, 7), (29, 89)),  # harpsichord
    (range(8, 9), (60, 108)),  # celesta
    (range(9, 10), (77, 108)),  # glockenspiel
    (range(11, 12), (53, 89)),  # vibraphone
    (range(12, 13), (36, 96)),  # marimba
    (range(13, 14), (65, 108)),  # xylophone
    (range(14, 15), (60, 79)),  # tubular bells
    (range(21, 22), (41, 105)),  # accordion
    (range(22, 23), (48, 96)),  # harmonica
    (range(24, 32), (38, 88)),  # guitars, low D included
    (range(32, 40), (23, 67)),  # basses with a low B
    (range(40, 41), (55, 105)),  # violin
    (range(41, 42), (48, 93)),  # viola
    (range(42, 43), (36, 84)),  # cello
    (range(43, 44), (24, 67)),  # double bass with extension
    (range(46, 47), (23, 104)),  # harp
    (range(47, 48), (36, 60)),  # timpani
    (range(52, 55), (36, 88)),  # voices
    (range(56, 57), (52, 87)),  # trumpet
    (range(57, 58), (33, 77)),  # trombone with pedal tones
    (range(58, 59), (26, 65)),  # tuba
    (range(59, 60), (52, 87)),  # muted trumpet
    (range(60, 61), (35, 77)),  # horn
    (range(64, 65), (56, 91)),  # soprano saxophone
    (range(65, 66), (49, 86)),  # alto saxophone
    (range(66, 67), (44, 80)),  # tenor saxophone
    (range(67, 68), (36, 74)),  # baritone saxophone
    (range(68, 69), (58, 93)),  # oboe
    (range(69, 70), (52, 82)),  # English horn
    (range(70, 71), (34, 77)),  # bassoon
    (range(71, 72), (37, 96)),  # clarinets, bass clarinet included
    (range(72, 73), (74, 108)),  # piccolo
    (range(73, 74), (55, 98)),  # flutes, alto flute included
    (range(74, 75), (53, 98)),  # recorders, tenor to sopranino
    (range(105, 106), (48, 88)),  # banjo
    (range(110, 111), (55, 105)),  # fiddle
)


def pitch_range(instrument: str | None) -> tuple[int, int]:
    """Lowest and highest MIDI number of an instrument by name or program; the piano's where it is not known."""
    program = find_program(instrument) if instrument else None
    for programs, limits in _RANGE_OF_PROGRAMS:
        if program is not None and program in programs:
            return limits
    return _PIANO

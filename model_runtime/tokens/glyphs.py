"""Glyphs of a score image ⇄ tokens.

A glyph stands where the eye finds it: at `x` staff spaces from the left, on a staff, at a position counted in half
staff spaces upwards from that staff's lowest line. Its other fields are what is seen right there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from model_runtime.tokens.vocabulary import BLOCKS, COARSE_X_SPACES, FINE_X_STEPS, GLYPH_KINDS, LOWEST_POSITION, PAD_ID

_X_STEP = COARSE_X_SPACES / FINE_X_STEPS


@dataclass(frozen=True, slots=True)
class Glyph:
    """One thing seen in a score image.

    Attributes:
        kind: One of `vocabulary.GLYPH_KINDS`.
        x: In staff spaces from the left edge of the window.
        staff: 1 is the upper staff; 0 belongs to all of them.
        position: Half staff spaces above the staff's lowest line.
        dots: Augmentation dots.
        accidental: Index into the block `accidental`, 0 is none.
        stem: 0 none, 1 up, 2 down.
        tip: Where the stem ends, counted as `position`; heads of a chord share it.
        flags: On the stem.
        beams_left: Beams that leave the stem to the left.
        beams_right: To the right.
        ties: 0 none, 1 from the left, 2 to the right, 3 both.
        size: 0 full, 1 small, 2 small and slashed.
        strokes: Tremolo strokes on the stem.
        number: Numerator of a metre, number of a tuplet.
        denominator: Of a metre.
        probability: 0 to 7, how sure the reader is; 7 is certain.
    """

    kind: str
    x: float
    staff: int = 0
    position: int = 0
    dots: int = 0
    accidental: int = 0
    stem: int = 0
    tip: int = 0
    flags: int = 0
    beams_left: int = 0
    beams_right: int = 0
    ties: int = 0
    size: int = 0
    strokes: int = 0
    number: int = 0
    denominator: int = 0
    probability: int = 7


_VALUES = tuple(field.name for field in fields(Glyph) if field.name not in ("kind", "x"))
_BLOCK_OF = {"staff": "glyph_staff"}
_OFFSETS = {"position": -LOWEST_POSITION, "tip": -LOWEST_POSITION}
_KIND_VALUES = {kind: value for value, kind in enumerate(GLYPH_KINDS)}
COMPOUND_FIELDS = ("kind", *_VALUES)  # columns of a compound token


def compound(glyph: Glyph) -> list[int]:
    """The ids of a compound token, one for each of `COMPOUND_FIELDS`, `PAD_ID` where a field does not apply."""
    ids = [BLOCKS["glyph"].id_of(_KIND_VALUES[glyph.kind])]
    for name in _VALUES:
        value = getattr(glyph, name)
        if value or _always(name) or (name == "tip" and glyph.stem):
            ids.append(BLOCKS[_BLOCK_OF.get(name, name)].id_of(value + _OFFSETS.get(name, 0)))
        else:
            ids.append(PAD_ID)
    return ids


def _always(name: str) -> bool:
    return name in ("staff", "position")


def from_compound(ids: Sequence[int], x: float) -> Glyph:
    """The glyph of a compound token at `x` staff spaces; fields that do not apply take their default."""
    values: dict[str, int] = {"probability": 0}
    for name, token in zip(_VALUES, ids[1:], strict=True):
        value = BLOCKS[_BLOCK_OF.get(name, name)].value_of(token)
        if value is not None:
            values[name] = value - _OFFSETS.get(name, 0)
    return Glyph(GLYPH_KINDS[BLOCKS["glyph"].value_of(ids[0]) or 0], x, **values)


def flat(glyphs: Iterable[Glyph]) -> list[int]:
    """Glyphs as one sequence: kind, x, then every field that differs from its default. x is rounded to 1/8."""
    tokens: list[int] = []
    for glyph in glyphs:
        steps = max(round(glyph.x / _X_STEP), 0)
        columns = compound(glyph)
        tokens += [columns[0], BLOCKS["x_coarse"].id_of(steps // FINE_X_STEPS)]
        tokens.append(BLOCKS["x_fine"].id_of(steps % FINE_X_STEPS))
        tokens += [token for token in columns[1:-1] if token != PAD_ID]
    return tokens


def from_flat(tokens: Iterable[int]) -> list[Glyph]:
    """The glyphs of any sequence of ids whatever: a kind opens a glyph, what does not belong to one is passed over."""
    glyphs: list[Glyph] = []
    kind: str | None = None
    values: dict[str, int] = {}
    steps = [0, 0]

    def close() -> None:
        if kind is not None:
            glyphs.append(Glyph(kind, (steps[0] * FINE_X_STEPS + steps[1]) * _X_STEP, **values))

    for token in tokens:
        opened = BLOCKS["glyph"].value_of(token)
        if opened is not None:
            close()
            kind, values, steps = GLYPH_KINDS[opened], {}, [0, 0]
            continue
        for i, name in enumerate(("x_coarse", "x_fine")):
            part = BLOCKS[name].value_of(token)
            if part is not None:
                steps[i] = part
        for name in _VALUES:
            value = BLOCKS[_BLOCK_OF.get(name, name)].value_of(token)
            if value is not None:
                values[name] = value - _OFFSETS.get(name, 0)
    close()
    return glyphs


def carried_glyphs(clefs: dict[int, str], fifths: int, ottavas: Iterable[tuple[int, int]] = ()) -> list[Glyph]:
    """Clefs and key as they stand at the head of a line, for a window that starts within one: 1 to 6 spaces wide."""
    result = []
    for staff, clef in sorted(clefs.items()):
        result.append(Glyph(f"clef:{clef[0]}", 0.7, staff, 2 * (int(clef[1]) - 1)))
        if fifths:
            result.append(Glyph(f"glyph-key:{fifths}", 4.4, staff))
    for staff, octaves in ottavas:
        sign = ("8v" if abs(octaves) == 1 else "15m") + ("a" if octaves > 0 else "b")
        result.append(Glyph(f"ottava:{sign}", 4.0, staff, 14 if octaves > 0 else -6))
    return result


def carried_meter(numerator: int, denominator: int) -> Glyph:
    """The metre that holds where a window starts, printed long before. It stands on no staff, so that it is told from
    one that the window prints itself."""
    return Glyph("meter:digits", 0.0, 0, number=numerator, denominator=denominator)

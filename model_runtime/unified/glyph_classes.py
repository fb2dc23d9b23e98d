"""What the image reader tells apart: one heat map a group, and the classes of each attribute at a centre.

A group's members never share a place, so one map holds their centres; kinds are told apart there.
"""

from __future__ import annotations

import hashlib
import json

from model_runtime.tokens.vocabulary import GLYPH_KINDS, NOTEHEADS, REST_SHAPES

KEY_SIGNS = ("key-sign:flat", "key-sign:natural", "key-sign:sharp")  # joined to `glyph-key:…` after reading
GROUPS: dict[str, tuple[str, ...]] = {
    "head": NOTEHEADS,
    "rest": REST_SHAPES,
    "clef": ("clef:G", "clef:C", "clef:F"),
    "key-sign": KEY_SIGNS,
    "meter": ("meter:digits", "meter:common", "meter:cut"),
    "barline": tuple(kind for kind in GLYPH_KINDS if kind.startswith("barline:")),
    "slur-left": ("slur-end:left",),
    "slur-right": ("slur-end:right",),
    "staccato": ("mark:staccato",),
    "tenuto": ("mark:tenuto",),
    "mark": ("mark:accent", "mark:strong-accent", "mark:fermata", "mark:trill"),
    "arpeggio": ("mark:arpeggio",),
    "tuplet-number": ("tuplet-number",),
    "bracket-left": ("tuplet-bracket:left",),
    "bracket-right": ("tuplet-bracket:right",),
    "ottava": tuple(kind for kind in GLYPH_KINDS if kind.startswith("ottava:")),
}
GROUP_NAMES = tuple(GROUPS)
KINDS = tuple(kind for members in GROUPS.values() for kind in members)
GROUP_OF = {kind: GROUP_NAMES.index(group) for group, members in GROUPS.items() for kind in members}
KIND_INDEX = {kind: index for index, kind in enumerate(KINDS)}
OWN_STAFF = ("head", "rest", "clef", "key-sign", "meter", "barline")  # seen only in the band of the staff they are on

# Attributes of a head that hold whatever its stems; then those of one stem; then of rests, metres and numbers.
STEMS = ("none", "up", "down", "both")  # "both": two heads in one place
LONGEST_STEM = 31  # staff positions from head to tip
DENOMINATORS = (1, 2, 4, 8, 16, 32)
ATTRIBUTES: dict[str, int] = {
    "kind": len(KINDS),
    "stems": len(STEMS),
    "dots": 4,
    "accidental": 8,
    "ties": 4,
    "size": 3,
    "number": 33,
    "denominator": len(DENOMINATORS),
}
STEM_ATTRIBUTES: dict[str, int] = {
    "length": LONGEST_STEM + 1,
    "flags": 5,
    "beams_left": 5,
    "beams_right": 5,
    "strokes": 5,
}


def fingerprint() -> str:
    """16 hexadecimal digits that change when any class moves: weights are trained for one order of them."""
    classes = json.dumps([GROUPS, ATTRIBUTES, STEM_ATTRIBUTES, STEMS, DENOMINATORS])
    return hashlib.sha256(classes.encode()).hexdigest()[:16]

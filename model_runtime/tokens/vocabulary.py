"""Every symbol that the unified model reads or writes, and its id.

Symbols lie in blocks. A *compound* token (a glyph or a note on the encoder's side) holds one id of each block that
applies to it and its embedding is their sum; a *flat* sequence (the decoder's side) holds one id at a time.
Ids are part of every checkpoint: new symbols go to the end of the reserved rows, never in between. `fingerprint()`
tells whether data and weights were made with the same vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model_runtime.tokens.merges import MERGES

PAD = "<pad>"
END = "<end>"  # the sequence is whole
MORE = "<more>"  # what remains of the source is an incomplete measure, to be read again in the next window
UNKNOWN = "<unknown>"
TARGETS = ("<to:image>", "<to:notation>", "<to:performance>", "<to:audio>")
SOURCES = ("<from:image>", "<from:notation>", "<from:performance>", "<from:audio>")

# LMX (Mayer et al., "Practical End-to-End Optical Music Recognition for Pianoform Music", ICDAR 2024).
KEYS = tuple(f"key:fifths:{fifths}" for fifths in range(-7, 8))
BEATS = tuple(f"beats:{n}" for n in range(1, 17))
BEAT_TYPES = tuple(f"beat-type:{n}" for n in (2, 4, 8, 16))
CLEFS = tuple(f"clef:{sign}{line}" for sign in "GCF" for line in range(1, 6))
NOTE_TYPES = (
    *("1024th", "512th", "256th", "128th", "64th", "32nd", "16th", "eighth", "quarter"),
    *("half", "whole", "breve", "long", "maxima"),
)
REST_MEASURE = "rest:measure"
PITCHES = tuple(f"{step}{octave}" for octave in range(10) for step in "CDEFGAB")
VOICES = tuple(f"voice:{n}" for n in range(1, 13))
TIME_MODIFICATIONS = (
    *("3in2", "6in4", "2in1", "2in3", "5in4", "7in8", "7in6", "9in8", "4in3", "7in4", "4in6", "13in8", "22in16"),
    *("10in4", "12in8", "9in4", "10in8", "18in4", "16in8", "15in8", "5in3", "11in8", "11in12", "5in2", "8in2", "4in2"),
    *("7in1", "35in16", "9in2"),
)
ACCIDENTALS = ("sharp", "flat", "natural", "double-sharp", "flat-flat", "natural-sharp", "natural-flat")
STEMS = ("stem:up", "stem:down", "stem:none")
STAVES = ("staff:1", "staff:2", "staff:3")
BEAMS = ("beam:begin", "beam:end", "beam:forward-hook", "beam:backward-hook")
TIES = ("tied:start", "tied:stop")
TUPLETS = ("tuplet:start", "tuplet:stop")
SLURS = ("slur:start", "slur:stop")
ARTICULATIONS = ("staccato", "accent", "strong-accent", "tenuto")
TREMOLO_TYPES = ("tremolo:single", "tremolo:start", "tremolo:stop", "tremolo:unmeasured")
TREMOLO_MARKS = tuple(f"tremolo:{n}" for n in range(1, 5))
LMX = (
    *("measure", *KEYS, "time", *BEATS, *BEAT_TYPES, *CLEFS),
    *("print-object:no", "grace", "grace:slash", "chord", *PITCHES, "rest", "forward", "backup", *VOICES),
    *(*NOTE_TYPES, REST_MEASURE),
    *(*TIME_MODIFICATIONS, "dot", *ACCIDENTALS, *STEMS, *STAVES, *BEAMS, *TIES, *TUPLETS, *SLURS),
    *("fermata", "arpeggiate", *ARTICULATIONS, "trill-mark", *TREMOLO_TYPES, *TREMOLO_MARKS),
)

# Glyphs. The kind says what it is; the fields after it say where it is and what is seen at that place.
NOTEHEADS = ("head:black", "head:half", "head:whole", "head:breve")
REST_SHAPES = (
    *("rest:breve", "rest:whole", "rest:half", "rest:quarter", "rest:eighth", "rest:16th", "rest:32nd", "rest:64th"),
    "rest:128th",
)
GLYPH_KINDS = (
    *NOTEHEADS,
    *REST_SHAPES,
    *("clef:G", "clef:C", "clef:F"),
    *tuple(f"glyph-key:{fifths}" for fifths in range(-7, 8)),
    *("meter:digits", "meter:common", "meter:cut"),
    *("barline:single", "barline:double", "barline:final", "barline:dashed"),
    *("barline:repeat-start", "barline:repeat-end", "barline:repeat-both"),
    *("slur-end:left", "slur-end:right"),
    *("mark:staccato", "mark:accent", "mark:strong-accent", "mark:tenuto", "mark:fermata", "mark:trill"),
    *("mark:arpeggio", "tuplet-number", "tuplet-bracket:left", "tuplet-bracket:right"),
    *("ottava:8va", "ottava:8vb", "ottava:15ma", "ottava:15mb", "ottava:end"),
)
LOWEST_POSITION, HIGHEST_POSITION = -40, 48  # in half staff spaces above the staff's lowest line
MAX_NUMBER = 32
PROBABILITY_BINS = 8
COARSE_X_SPACES, FINE_X_STEPS = 4, 32  # x in staff spaces: coarse steps of 4, each in 32 of 1/8

# Notes: 10 ms, 32 velocities.
NOTE_KINDS = ("note", "note:held", "pedal:down", "pedal:up")
TICK_S = 0.01
FINE_TICKS = 64
COARSE_STEPS = 64  # 64 · 0.64 s = 40.96 s, longer than any window
VELOCITIES = 32

CODEBOOKS, CODES = 4, 1024


@dataclass(frozen=True)
class Block:
    """Consecutive ids of one sort: value `i` of the block has id `start + i`."""

    name: str
    start: int
    symbols: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.symbols)

    def id_of(self, value: int) -> int:
        """Id of the block's value number `value`, the nearest one where it lies outside."""
        return self.start + min(max(value, 0), len(self.symbols) - 1)

    def value_of(self, token: int) -> int | None:
        """The value that an id stands for, or None where it belongs to another block."""
        value = token - self.start
        return value if 0 <= value < len(self.symbols) else None


def _numbers(name: str, numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"{name}:{number}" for number in numbers)


_POSITIONS = range(LOWEST_POSITION, HIGHEST_POSITION + 1)
_BLOCKS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("special", (PAD, END, MORE, UNKNOWN, *TARGETS, *SOURCES)),
    ("lmx", LMX),
    ("glyph", GLYPH_KINDS),
    ("x_coarse", _numbers("x-coarse", range(64))),
    ("x_fine", _numbers("x-fine", range(FINE_X_STEPS))),
    ("glyph_staff", _numbers("on-staff", range(4))),
    ("position", _numbers("position", _POSITIONS)),
    ("dots", _numbers("dots", range(4))),
    ("accidental", ("shown:none", *(f"shown:{name}" for name in ACCIDENTALS))),
    ("stem", ("stalk:none", "stalk:up", "stalk:down")),
    ("tip", _numbers("tip", _POSITIONS)),
    ("flags", _numbers("flags", range(7))),
    ("beams_left", _numbers("beams-left", range(7))),
    ("beams_right", _numbers("beams-right", range(7))),
    ("ties", ("ties:none", "ties:left", "ties:right", "ties:both")),
    ("size", ("size:full", "size:small", "size:small-slashed")),
    ("strokes", _numbers("strokes", range(6))),
    ("number", _numbers("number", range(MAX_NUMBER + 1))),
    ("denominator", _numbers("denominator", range(MAX_NUMBER + 1))),
    ("probability", _numbers("probability", range(PROBABILITY_BINS))),
    ("note", NOTE_KINDS),
    ("onset_coarse", _numbers("onset-coarse", range(COARSE_STEPS))),
    ("onset_fine", _numbers("onset-fine", range(FINE_TICKS))),
    ("pitch", _numbers("pitch", range(128))),
    ("duration_coarse", _numbers("duration-coarse", range(COARSE_STEPS))),
    ("duration_fine", _numbers("duration-fine", range(FINE_TICKS))),
    ("velocity", _numbers("velocity", range(VELOCITIES))),
    ("shorthand", tuple(dict.fromkeys(f"{left}+{right}" for left, right in MERGES))),
    ("reserved", _numbers("reserved", range(64))),
)
# Codes of the image's and the sound's codec lie behind everything else: a model without them ends before them.
_CODE_BLOCKS: Sequence[tuple[str, tuple[str, ...]]] = tuple(
    (f"{kind}_code_{book}", _numbers(f"{kind}-code-{book}", range(CODES)))
    for kind in ("image", "audio")
    for book in range(CODEBOOKS)
)


def _laid_out() -> dict[str, Block]:
    blocks: dict[str, Block] = {}
    start = 0
    for name, symbols in (*_BLOCKS, *_CODE_BLOCKS):
        blocks[name] = Block(name, start, symbols)
        start += len(symbols)
    return blocks


BLOCKS = _laid_out()
SYMBOLS: tuple[str, ...] = tuple(symbol for block in BLOCKS.values() for symbol in block.symbols)
IDS: dict[str, int] = {symbol: index for index, symbol in enumerate(SYMBOLS)}
SYMBOLIC_SIZE = BLOCKS["image_code_0"].start  # ids without the codecs' codes
NOTATION_IDS: tuple[int, ...] = tuple(  # all that a decoder of notation writes
    id_
    for name in ("special", "lmx", "shorthand")
    for id_ in range(BLOCKS[name].start, BLOCKS[name].start + len(BLOCKS[name]))
)
PAD_ID, END_ID, MORE_ID, UNKNOWN_ID = (IDS[symbol] for symbol in (PAD, END, MORE, UNKNOWN))

if len(IDS) != len(SYMBOLS):
    raise AssertionError("a symbol stands in the vocabulary twice")


def ids_of(symbols: Iterable[str]) -> list[int]:
    """Ids of symbols, `UNKNOWN_ID` for one that does not exist."""
    return [IDS.get(symbol, UNKNOWN_ID) for symbol in symbols]


def symbols_of(ids: Iterable[int]) -> list[str]:
    """Symbols of ids, `<unknown>` for one out of range."""
    return [SYMBOLS[i] if 0 <= i < len(SYMBOLS) else UNKNOWN for i in ids]


def fingerprint() -> str:
    """16 hexadecimal digits that change when any symbol of the symbolic part moves."""
    return hashlib.sha256("\n".join(SYMBOLS[:SYMBOLIC_SIZE]).encode()).hexdigest()[:16]

"""Lines of music, as glyphs, cut at their barlines into windows for the trunk, and what it wrote joined to one score.

Every window of a page can be decoded at the same time: how many measures it holds, which clefs and key hold at its
start and how long its measures are can all be read off the glyphs before anything is decoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from model_runtime.tokens.glyphs import Glyph, carried_glyphs, carried_meter, compound
from model_runtime.tokens.lmx import split_head
from model_runtime.tokens.lmx_reader import read_lmx, voice_ends
from model_runtime.tokens.shorthand import expand
from model_runtime.tokens.vocabulary import PITCHES
from model_runtime.tokens.written import WrittenMeasure
from model_runtime.unified.inference import Window, Written

MOST_MEASURES = 1  # in a window: with two, errors grow and it takes twice as long
MOST_GLYPHS = 160
_CARRIED_SPACES = 6.0
_LINE_START_SPACES = 1.5  # a barline nearer than this to the left edge begins the line
_LEAST_BARLINE = 2  # bin of probability, of 7: a measure too many costs more than one too long
_STEPS, _PITCHES = "CDEFGAB", frozenset(PITCHES)
_C_CLEF_STEPS = {"C1": -2, "C2": -4, "C3": -6, "C4": -8}  # from a G clef on the second line
USUAL_CLEFS = {1: {1: "G2"}, 2: {1: "G2", 2: "F4"}}
_REPAIRED = 0.5  # how sure a measure is at most that had to be repaired
_SURE = 0.6  # mean probability of a measure's symbols, below which a musician is told to look


@dataclass(frozen=True)
class Line:
    """One line of music of one instrument.

    Attributes:
        glyphs: What was seen, in any order; x in staff spaces from the line's left edge.
        staves: 1, or 2 for a grand staff.
    """

    glyphs: tuple[Glyph, ...]
    staves: int


@dataclass
class Head:
    """What holds at a place: a metre of (0, 0) has not been seen yet."""

    fifths: int = 0
    meter: tuple[int, int] = (0, 0)
    clefs: dict[int, str] = field(default_factory=dict)
    ottavas: dict[int, int] = field(default_factory=dict)

    def copy(self) -> Head:
        return Head(self.fifths, self.meter, dict(self.clefs), dict(self.ottavas))

    def pass_over(self, glyphs: Iterable[Glyph]) -> None:
        """Follow the clefs, keys, metres and octave signs of some glyphs from left to right."""
        keys: Counter[int] = Counter()
        for glyph in sorted(glyphs, key=lambda g: g.x):
            if glyph.kind.startswith("clef:"):
                self.clefs[glyph.staff] = f"{glyph.kind[5:]}{min(max(glyph.position // 2 + 1, 1), 5)}"
            elif glyph.kind.startswith("glyph-key:"):
                keys[int(glyph.kind.rpartition(":")[2])] += glyph.probability + 1
            elif glyph.kind.startswith("meter:"):
                self.meter = _meter(glyph) or self.meter
            elif glyph.kind == "ottava:end":
                self.ottavas.pop(glyph.staff, None)
            elif glyph.kind.startswith("ottava:"):
                octaves = 2 if "15" in glyph.kind else 1
                self.ottavas[glyph.staff] = octaves if glyph.kind.endswith("a") else -octaves
        if keys:
            self.fifths = keys.most_common(1)[0][0]

    @property
    def measure_quarters(self) -> float | None:
        """Length of a measure, where the metre is known."""
        return 4.0 * self.meter[0] / self.meter[1] if self.meter[0] else None


def _meter(glyph: Glyph) -> tuple[int, int] | None:
    if glyph.kind == "meter:common":
        return 4, 4
    if glyph.kind == "meter:cut":
        return 2, 2
    return (glyph.number, glyph.denominator) if glyph.number and glyph.denominator in (1, 2, 4, 8, 16, 32) else None


@dataclass(frozen=True)
class PlacedWindow:
    """A window and what must be known to join it.

    Attributes:
        window: For the trunk.
        line: Number of its line.
        head: What holds at its start, with what it prints there itself.
        printed: The metre that it prints at its start, if it does.
        staves: Of its line.
        steps: By which what the trunk writes must be moved, in steps of the scale: see `_under_treble`.
    """

    window: Window
    line: int
    head: Head
    printed: tuple[int, int] | None
    staves: int
    steps: int = 0


def windows_of(
    lines: Sequence[Line], most_measures: int = MOST_MEASURES, meter: tuple[int, int] = (0, 0)
) -> list[PlacedWindow]:
    """Every line cut at its barlines, in reading order.

    Args:
        lines: Of one instrument.
        most_measures: In a window.
        meter: That holds before the first one that is printed, if it is known.
    """
    result: list[PlacedWindow] = []
    head = Head(meter=meter)
    for number, line in enumerate(_with_ended_ottavas(lines)):
        usual = USUAL_CLEFS.get(line.staves, {})
        head.clefs = {staff: head.clefs.get(staff, clef) for staff, clef in usual.items()}
        for left, measures in _grouped(measures_of(line), most_measures):
            glyphs = [glyph for measure in measures for glyph in measure]
            before = head.copy()
            opening = _opening(glyphs)
            at_start = head.copy()
            at_start.pass_over(opening)
            head.pass_over(glyphs)
            result.append(_placed(glyphs, left, len(measures), before, at_start, opening, number, line.staves))
    return result


def _with_ended_ottavas(lines: Sequence[Line]) -> list[Line]:
    """Lines without octave signs whose end is not seen, there or on the next line, and without ends of nothing.

    A sign that is believed moves every note until its end: one read into a word, or whose end is missed, would spoil
    the rest of the piece. To miss one spoils what stands under it.
    """
    believed: set[int] = set()
    for staff in {glyph.staff for line in lines for glyph in line.glyphs}:
        marks = [
            (number, glyph)
            for number, line in enumerate(lines)
            for glyph in sorted(line.glyphs, key=lambda g: g.x)
            if glyph.staff == staff and glyph.kind.startswith("ottava:")
        ]
        for (begun, sign), (ended, end) in pairwise(marks):
            if sign.kind != "ottava:end" and end.kind == "ottava:end" and ended <= begun + 1:
                believed |= {id(sign), id(end)}
    return [
        replace(line, glyphs=tuple(g for g in line.glyphs if not g.kind.startswith("ottava:") or id(g) in believed))
        for line in lines
    ]


def measures_of(line: Line) -> list[tuple[float, list[Glyph]]]:
    """Left edge and glyphs of each measure; what stands before the first barline with music is one with it."""
    ordered = sorted(line.glyphs, key=lambda g: (g.x, -g.position))
    ordered = [g for g in ordered if not g.kind.startswith("barline:") or g.probability >= _LEAST_BARLINE]
    result: list[tuple[float, list[Glyph]]] = []
    left, glyphs = 0.0, list[Glyph]()
    for glyph in ordered:
        is_bar = glyph.kind.startswith("barline:") and glyph.x > _LINE_START_SPACES
        if not is_bar:
            glyphs.append(glyph)
            continue
        music = any(g.kind.startswith(("head:", "rest:")) for g in glyphs)
        opens = glyph.kind == "barline:repeat-start"
        if not opens:
            glyphs.append(glyph)
        if music:
            result.append((left, glyphs))
            left, glyphs = glyph.x, []
        if opens:
            glyphs.append(glyph)
    if any(g.kind.startswith(("head:", "rest:")) for g in glyphs):
        result.append((left, glyphs))
    elif glyphs and result:
        result[-1][1].extend(glyphs)  # a clef or key at the end of the line, for the next one
    return result


def _grouped(
    measures: Sequence[tuple[float, list[Glyph]]], most_measures: int
) -> list[tuple[float, list[list[Glyph]]]]:
    groups: list[tuple[float, list[list[Glyph]]]] = []
    for left, glyphs in measures:
        if groups and len(groups[-1][1]) < most_measures:
            held = sum(len(g) for g in groups[-1][1])
            if held + len(glyphs) <= MOST_GLYPHS:
                groups[-1][1].append(glyphs)
                continue
        groups.append((left, [glyphs]))
    return groups


def _opening(glyphs: Sequence[Glyph]) -> list[Glyph]:
    """What stands before the first note or rest: clefs, key and metre."""
    first = min((g.x for g in glyphs if g.kind.startswith(("head:", "rest:"))), default=float("inf"))
    return [g for g in glyphs if g.x < first]


def _placed(
    glyphs: list[Glyph],
    left: float,
    measures: int,
    before: Head,
    start: Head,
    opening: list[Glyph],
    line: int,
    staves: int,
) -> PlacedWindow:
    shift = 0.0
    printed = next((_meter(g) for g in opening if g.kind.startswith("meter:")), None)
    glyphs, clefs, steps = (
        _under_treble(glyphs, before.clefs, start.clefs) if staves == 1 else (glyphs, before.clefs, 0)
    )
    if left > 0:
        carried = carried_glyphs(clefs, before.fifths, before.ottavas.items())
        shift = _CARRIED_SPACES + abs(before.fifths) - left
        ids = [compound(g) for g in carried]
        x = [g.x for g in carried]
    else:
        ids, x = [], []
    if before.meter[0]:
        ids.insert(0, compound(carried_meter(*before.meter)))
        x.insert(0, 0.0)
    ids += [compound(g) for g in glyphs]
    x += [g.x + shift for g in glyphs]
    window = Window(
        "image", np.array(ids, np.int64), np.array(x, np.float32), start.measure_quarters, measures, whole=True
    )
    return PlacedWindow(window, line, start, printed, staves, steps)


def _under_treble(
    glyphs: list[Glyph], before: dict[int, str], start: dict[int, str]
) -> tuple[list[Glyph], dict[int, str], int]:
    """A measure under a C clef as if it stood under a treble clef, and by how much its notes are then too high.

    Hardly anything that the trunk learned from stands under a C clef. LMX names the place of a note and the sign
    that is printed before it, so nothing but the place changes with the clef.
    """
    here = {f"{g.kind[5:]}{g.position // 2 + 1}" for g in glyphs if g.kind.startswith("clef:")} | {start[1]}
    if len(here) > 1 or start[1] not in _C_CLEF_STEPS:
        return glyphs, before, 0
    plain = [replace(g, kind="clef:G", position=2) if g.kind.startswith("clef:") else g for g in glyphs]
    return plain, {1: "G2"}, _C_CLEF_STEPS[start[1]]


def _moved(token: str, steps: int) -> str:
    """A pitch that many steps of the scale higher; any other token as it is."""
    if not steps or token not in _PITCHES:
        return token
    place = _STEPS.index(token[0]) + 7 * int(token[1:]) + steps
    return f"{_STEPS[place % 7]}{max(place // 7, 0)}"


def likely_meter(written: Sequence[Written]) -> tuple[int, int] | None:
    """The metre that most voices fill, where none is printed; None where they do not agree."""
    lengths = Counter(end for result in written for ends in voice_ends(expand(result.symbols)) for end in ends)
    if not lengths:
        return None
    quarters, count = max(lengths.items(), key=lambda item: (item[1], item[0]))
    if 3 * count < lengths.total() or quarters.denominator > 4 or not 1 <= quarters <= 8:
        return None
    beat_type = 4 if quarters.denominator == 1 else 4 * quarters.denominator
    return int(quarters * beat_type / 4), beat_type


@dataclass(frozen=True)
class JoinedMeasure:
    """A written measure, how sure the model is of it (0 to 1), and the line that it stands on."""

    measure: WrittenMeasure
    confidence: float
    line: int


def join(windows: Sequence[PlacedWindow], written: Sequence[Written]) -> tuple[list[JoinedMeasure], list[str]]:
    """One score of all windows, and warnings with the numbers of measures.

    Heads are written from the glyphs: key, clefs and metre appear where they change.
    """
    tokens: list[str] = []
    confidences: list[tuple[float, int]] = []
    head: Head | None = None
    for placed, result in zip(windows, written, strict=True):
        measures = _measure_tokens(result, placed.window.measures or 1)
        for i, (own, confidence) in enumerate(measures):
            own = [_moved(token, placed.steps) for token in own]
            cut = split_head(own)
            opening: list[str] = list(own[1:cut]) if i else []
            if i == 0:
                opening = _changed(head, placed)
                head = placed.head.copy()
            tokens += ["measure", *opening, *own[cut:]]
            _follow(head, [*opening, *own[cut:]])
            confidences.append((confidence, placed.line))
    read = read_lmx(tokens)
    if all(placed.staves == 1 for placed in windows):
        for measure in read:
            _drop_invented_staff(measure)
    joined = [
        JoinedMeasure(m, min(c, _REPAIRED) if m.repairs else c, line)
        for m, (c, line) in zip(read, confidences, strict=True)
    ]
    warnings = [f"Measure {i}: {text}" for i, m in enumerate(read, 1) for text in m.repairs]
    unsure = [i for i, m in enumerate(joined, 1) if m.confidence < _SURE]
    if unsure:
        warnings.append(f"Look at {'measure' if len(unsure) == 1 else 'measures'} {_ranges(unsure)}: hard to read.")
    return joined, warnings


def _drop_invented_staff(measure: WrittenMeasure) -> None:
    """A line with one staff shows nothing of a second one, whatever was written of it."""
    measure.notes = [note for note in measure.notes if note.staff == 1] or measure.notes
    measure.clefs = [clef for clef in measure.clefs if clef[1] == 1]
    for note in measure.notes:
        note.staff = 1


def _measure_tokens(written: Written, wanted: int) -> list[tuple[list[str], float]]:
    """LMX and mean probability of each measure: as many as there are barlines, empty ones where the trunk stopped."""
    cuts: list[list[int]] = []
    for i, symbol in enumerate(written.symbols):
        if symbol == "measure":
            cuts.append([])
        if cuts:
            cuts[-1].append(i)
    result = [
        (expand(written.symbols[i] for i in cut), float(np.mean(written.probabilities[cut]))) for cut in cuts[:wanted]
    ]
    return result + [(["measure"], 0.0)] * (wanted - len(result))


def _changed(head: Head | None, placed: PlacedWindow) -> list[str]:
    """The head's tokens that say something new; all of them at the start of the score."""
    now = placed.head
    result = []
    if head is None or now.fifths != head.fifths:
        result.append(f"key:fifths:{now.fifths}")
    if now.meter[0] and (head is None or now.meter != head.meter):
        result += ["time", f"beats:{min(now.meter[0], 16)}", f"beat-type:{now.meter[1]}"]
    for staff in range(1, placed.staves + 1):
        clef = now.clefs.get(staff)
        if clef and (head is None or head.clefs.get(staff) != clef):
            result += [f"clef:{clef}", f"staff:{staff}"]
    return result


def _follow(head: Head | None, tokens: Sequence[str]) -> None:
    """Clefs that a window printed further on hold for what comes."""
    if head is None:
        return
    for token, following in pairwise([*tokens, ""]):
        if token.startswith("clef:"):
            staff = int(following[6:]) if following.startswith("staff:") else 1
            head.clefs[staff] = token[5:]
        elif token.startswith("key:"):
            head.fifths = int(token.rpartition(":")[2])


def _ranges(numbers: Sequence[int]) -> str:
    """1, 3–5."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in spans)

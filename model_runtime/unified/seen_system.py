"""What the bands of one system show → the glyphs of its parts.

A band shows more than its own staff: marks and slurs belong to the staff that is nearest, barlines to all staves,
heads seen twice to the band that is surer. Signs of a key signature are counted, stems of a chord agree on their tip.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from model_runtime.tokens.glyphs import Glyph
from model_runtime.tokens.vocabulary import HIGHEST_POSITION, LOWEST_POSITION, PROBABILITY_BINS
from model_runtime.unified.bands import Line, on_page
from model_runtime.unified.centres import Seen
from model_runtime.unified.glyph_classes import DENOMINATORS, GROUP_NAMES, KINDS, OWN_STAFF, STEM_ATTRIBUTES
from model_runtime.unified.key_signatures import LINE_START_SPACES, Sign, key_signatures, likely_clefs, likely_keys
from model_runtime.unified.staves import Staff, System

_SAME_SPACES = 0.7
_CLEF_WIDTH_SPACES = 2.2
_LEAST_MUSIC = 0.6  # probability of a note or rest before which no key stands
_METER_SPACES, _LEAST_METER = 1.2, 0.42
_BARLINE_SPACES, _LEAST_BARLINE = 0.9, 0.44
_CHORD_SPACES = 1.6
_LEFT_OUT = ("bracket-left", "bracket-right")  # the trunk's corpus draws none, so it would not know them
BRACKETS = ("tuplet-bracket:left", "tuplet-bracket:right")  # the same as glyphs
# The trunk is given repeats as final barlines: as such it learned them, for the corpus it was trained on was engraved
# when their dots were not found in the drawing. `training/engrave.py` finds them now; `training/corpus.py` gives them
# as they are given here.
REPEATS = ("barline:repeat-start", "barline:repeat-end", "barline:repeat-both")
_CERTAIN = (0.45, 0.5, 0.55, 0.6, 0.66, 0.72, 0.8)  # probability from which a bin begins; the first begins at 0


@dataclass
class PartGlyphs:
    """Glyphs of one part, staves counted from 1."""

    staves: int
    glyphs: list[Glyph] = field(default_factory=list)


@dataclass
class _Mark:
    """Something seen: its glyph as if on the band's staff, and where it is on the flattened page."""

    glyph: Glyph
    group: str
    staff: int  # in the system, from 0
    x_px: float
    y_px: float
    probability: float


def join_system(system: System, line: Line, seen: list[Seen], others: list[Staff]) -> list[PartGlyphs]:
    """Glyphs of each part of a system.

    Args:
        seen: Of each staff's band.
        others: Staves of the page's other systems: what is nearer to one of them is left out.
    """
    marks = [mark for number, own in enumerate(seen) for mark in _marks(system.staves[number], line, own, number)]
    marks = _placed(_seen_once(marks, line.space), system, line, others)
    marks = [m for m in marks if m.group != "meter"] + _meters([m for m in marks if m.group == "meter"], len(seen))
    parts = []
    for group in system.groups:
        part = PartGlyphs(len(group))
        own = [m for m in marks if m.staff in group]
        for mark in own:
            mark.glyph = replace(mark.glyph, staff=mark.staff - group[0] + 1)
        own = _with_heads_of_lines(own)
        part.glyphs += [m.glyph for m in own if m.group not in ("barline", "key-sign")]
        barlines = _barlines([m for m in own if m.group == "barline"], len(group))
        part.glyphs += barlines
        part.glyphs += _keys(own, [g.x for g in barlines], len(group))
        part.glyphs = _with_common_tips(part.glyphs)
        parts.append(part)
    return parts


def probability_bin(probability: float) -> int:
    """0 to 7."""
    return min(int(np.searchsorted(_CERTAIN, probability, side="right")), PROBABILITY_BINS - 1)


def _marks(staff: Staff, line: Line, seen: Seen, number: int) -> list[_Mark]:
    x_px, y_px = on_page(staff, line, seen.x, seen.position)
    result = []
    for i in range(len(seen)):
        group = GROUP_NAMES[int(seen.group[i])]
        if group in _LEFT_OUT:
            continue
        sure = float(seen.probability[i])
        for glyph in _glyphs(seen, i, group):
            own = replace(glyph, probability=probability_bin(sure))
            result.append(_Mark(own, group, number, float(x_px[i]), float(y_px[i]), sure))
    return result


def _glyphs(seen: Seen, i: int, group: str) -> list[Glyph]:
    """The glyph at one centre; two where one head has two stems."""
    kind, x, position = KINDS[int(seen.values["kind"][i])], float(seen.x[i]), int(seen.position[i])
    if group == "head":
        return _heads(seen, i, kind, x, position)
    if group == "rest":
        return [Glyph(kind, x, position=position, dots=int(seen.values["dots"][i]))]
    if group == "meter":
        if kind != "meter:digits":
            return [Glyph(kind, x)]
        below = DENOMINATORS[int(seen.values["denominator"][i])]
        return [Glyph(kind, x, number=int(seen.values["number"][i]), denominator=below)]
    if group == "tuplet-number":
        return [Glyph(kind, x, position=position, number=int(seen.values["number"][i]))]
    return [Glyph(kind, x, position=0 if group == "barline" else position)]


def _heads(seen: Seen, i: int, kind: str, x: float, position: int) -> list[Glyph]:
    dots, accidental, ties, size = (int(seen.values[name][i]) for name in ("dots", "accidental", "ties", "size"))
    head = Glyph(kind, x, position=position, dots=dots, accidental=accidental, ties=ties, size=size)
    stems = int(seen.values["stems"][i])
    result = []
    for stem in () if stems == 0 else (1, 2) if stems == 3 else (stems,):
        length, flags, left, right, strokes = (int(seen.of_stem[name][stem - 1, i]) for name in STEM_ATTRIBUTES)
        tip = min(max(position + (length if stem == 1 else -length), LOWEST_POSITION), HIGHEST_POSITION)
        result.append(
            replace(head, stem=stem, tip=tip, flags=flags, beams_left=left, beams_right=right, strokes=strokes)
        )
    return result or [head]


def _seen_once(marks: list[_Mark], space: float) -> list[_Mark]:
    """Without what two bands saw in one place: the surer one stays."""
    kept: list[_Mark] = []
    for mark in sorted(marks, key=lambda m: -m.probability):
        reach = _SAME_SPACES * space
        own = mark.group in OWN_STAFF
        again = mark.group != "barline" and any(
            other.group == mark.group
            and other.staff != mark.staff
            and abs(other.x_px - mark.x_px) < reach
            and abs(other.y_px - mark.y_px) < (reach if own else 1.5 * reach)
            for other in kept
        )
        if not again:
            kept.append(mark)
    return kept


def _placed(marks: list[_Mark], system: System, line: Line, others: list[Staff]) -> list[_Mark]:
    """Marks on the staff that is nearest, without those nearest to another system's."""
    result = []
    for mark in marks:
        if mark.group not in OWN_STAFF:
            middles = [float(s.top(mark.x_px) + s.bottom(mark.x_px)) / 2 for s in system.staves]
            distances = [abs(mark.y_px - middle) for middle in middles]
            nearest = int(np.argmin(distances))
            foreign = [
                abs(mark.y_px - float(s.top(mark.x_px) + s.bottom(mark.x_px)) / 2)
                for s in others
                if s.left <= mark.x_px <= s.right
            ]
            if foreign and min(foreign) < distances[nearest]:
                continue
            staff = system.staves[nearest]
            top, bottom = float(staff.top(mark.x_px)), float(staff.bottom(mark.x_px))
            position = round((bottom - mark.y_px) / (bottom - top) * 8)
            position = min(max(position, LOWEST_POSITION), HIGHEST_POSITION)
            mark = _Mark(
                replace(mark.glyph, position=position), mark.group, nearest, mark.x_px, mark.y_px, mark.probability
            )
        result.append(mark)
    return result


def _barlines(marks: list[_Mark], staves: int) -> list[Glyph]:
    """One glyph for what the staves of a part show in one place, where they are sure enough together."""
    result = []
    for cluster in _clusters(marks, _BARLINE_SPACES):
        seen_on = {m.staff for m in cluster}
        sure = sum(max(m.probability for m in cluster if m.staff == staff) for staff in seen_on) / staves
        if sure < _LEAST_BARLINE:
            continue
        votes: Counter[str] = Counter()
        for mark in cluster:
            votes[mark.glyph.kind] += mark.probability  # type: ignore[assignment]
        kind = max(votes, key=lambda k: votes[k])
        x = float(np.mean([m.glyph.x for m in cluster if m.glyph.kind == kind]))
        kind = "barline:final" if kind in REPEATS else kind
        result.append(Glyph(kind, x, probability=probability_bin(sure)))
    return result


def _clusters(marks: list[_Mark], gap: float) -> list[list[_Mark]]:
    clusters: list[list[_Mark]] = []
    for mark in sorted(marks, key=lambda m: m.glyph.x):
        if clusters and mark.glyph.x - clusters[-1][-1].glyph.x < gap:
            clusters[-1].append(mark)
        else:
            clusters.append([mark])
    return clusters


def _meters(marks: list[_Mark], staves: int) -> list[_Mark]:
    """Metres that are sure enough in one staff or in several together: each staff of a system prints the same."""
    result = []
    for cluster in _clusters(marks, _METER_SPACES):
        best: dict[int, _Mark] = {}
        for mark in sorted(cluster, key=lambda m: m.probability):
            best[mark.staff] = mark
        missed = float(np.prod([1 - m.probability for m in best.values()]))
        if 1 - missed < _LEAST_METER:
            continue
        votes: Counter[tuple[str, int, int]] = Counter()
        for mark in best.values():
            says = (mark.glyph.kind, mark.glyph.number, mark.glyph.denominator)
            votes[says] += round(1000 * mark.probability)
        kind, number, denominator = votes.most_common(1)[0][0]
        some = next(iter(best.values()))
        for staff in range(staves):
            seen = best.get(staff, some)
            glyph = replace(seen.glyph, kind=kind, number=number, denominator=denominator)
            glyph = replace(glyph, probability=probability_bin(1 - missed))
            result.append(_Mark(glyph, "meter", staff, seen.x_px, seen.y_px, 1 - missed))
    return result


def _signs(marks: list[_Mark], group: str) -> list[Sign]:
    own = [m for m in marks if m.group == group]
    return [Sign(m.glyph.kind, m.glyph.staff, m.glyph.x, m.glyph.position, m.probability) for m in own]


def _with_heads_of_lines(marks: list[_Mark]) -> list[_Mark]:
    """The marks with the clefs that are likely, and without notes and rests that a clef was taken for."""
    clefs = likely_clefs(_signs(marks, "clef"))
    result = []
    for mark in marks:
        if mark.group == "clef":
            clef = next((c for c in clefs if (c.staff, c.x) == (mark.glyph.staff, mark.glyph.x)), None)
            if clef is None:
                continue
            mark.glyph = replace(mark.glyph, position=clef.position)
        elif mark.group in ("head", "rest") and any(
            c.staff == mark.glyph.staff and c.x < LINE_START_SPACES and mark.glyph.x < c.x + _CLEF_WIDTH_SPACES
            for c in clefs
        ):
            continue
        result.append(mark)
    return result


def _keys(marks: list[_Mark], barlines: list[float], staves: int) -> list[Glyph]:
    music = [m.glyph.x for m in marks if m.group in ("head", "rest") and m.probability > _LEAST_MUSIC]
    keys = key_signatures(_signs(marks, "key-sign"), likely_clefs(_signs(marks, "clef")))
    keys = likely_keys(keys, staves, music, barlines)
    return [
        Glyph(f"glyph-key:{key.fifths}", key.x, key.staff, probability=probability_bin(key.probability)) for key in keys
    ]


def _with_common_tips(glyphs: list[Glyph]) -> list[Glyph]:
    """Heads side by side on one stem: their tip is the middle one of what was read at each."""
    heads = [g for g in glyphs if g.kind.startswith("head:") and g.stem]
    rest = [g for g in glyphs if not (g.kind.startswith("head:") and g.stem)]
    result = []
    for head in heads:
        chord = [
            h.tip
            for h in heads
            if h.staff == head.staff
            and h.stem == head.stem
            and h.size == head.size
            and abs(h.x - head.x) < _CHORD_SPACES
            and abs(h.tip - head.tip) <= 2
        ]
        result.append(replace(head, tip=int(np.median(chord))))
    return rest + result

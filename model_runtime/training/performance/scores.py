"""A score as arrays: the notes that sound, the measures, the tempo marks. Everything that training needs of it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lxml import etree

from model_runtime.notation.durations import TICKS_PER_QUARTER

Ints = npt.NDArray[np.int32]
ONSET, DURATION, PITCH, STAFF, PART, FLAGS = range(6)
START, LENGTH, NUMERATOR, DENOMINATOR, LEAD = range(5)
GRACE, STACCATO, TENUTO, ACCENT, ARPEGGIO, FERMATA, TRILL, MORDENT, TREMOLO = (1 << i for i in range(9))
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_MARKS = {
    "staccato": STACCATO,
    "staccatissimo": STACCATO,
    "tenuto": TENUTO,
    "accent": ACCENT,
    "strong-accent": ACCENT,
    "arpeggiate": ARPEGGIO,
    "fermata": FERMATA,
    "trill-mark": TRILL,
    "mordent": MORDENT,
    "inverted-mordent": MORDENT,
    "turn": MORDENT,
    "tremolo": TREMOLO,
}


@dataclass(frozen=True)
class Score:
    """One work. Times are in `TICKS_PER_QUARTER`.

    Attributes:
        notes: Ties joined, sorted by onset and pitch; columns onset, duration (0: grace note), pitch, staff (1 and 2 of
            a keyboard, 0 of others), part, flags; shape (n, 6).
        measures: Columns start, length, numerator, denominator, and how far into its metre it starts; shape (m, 5).
        tempos: Columns tick and hundredths of a quarter note a minute; shape (k, 2).
    """

    notes: Ints
    measures: Ints
    tempos: Ints


@dataclass
class ScoreBuilder:
    """Collects a score note by note.

    Attributes:
        written: [onset, duration, pitch, staff, part, flags, starts a tie, ends a tie] of each note.
        measures: [start, length, numerator, denominator].
        tempos: [tick, hundredths].
    """

    written: list[list[int]] = field(default_factory=list)
    measures: list[list[int]] = field(default_factory=list)
    tempos: list[list[int]] = field(default_factory=list)

    def score(self) -> Score:
        """What was collected, ties joined, unisons of one staff merged."""
        joined: list[list[int]] = []
        open_ties: dict[tuple[int, int, int], list[int]] = {}
        struck: dict[tuple[int, int, int, int], list[int]] = {}
        for row in sorted(self.written):
            onset, duration, pitch, staff, part, flags, starts, ends = row
            grace = bool(flags & GRACE)
            before = open_ties.pop((part, pitch, onset), None) if ends and not grace else None
            twin = None if grace else struck.get((onset, part, staff, pitch))
            if before is not None:
                before[DURATION] += duration
                kept = before
            elif twin is not None:
                twin[DURATION] = max(twin[DURATION], duration)
                kept = twin
            else:
                kept = [onset, 0 if grace else duration, pitch, staff, part, flags]
                joined.append(kept)
                struck[onset, part, staff, pitch] = kept
            if starts and not grace:
                open_ties[part, pitch, onset + duration] = kept
        joined.sort(key=lambda r: (r[ONSET], not r[FLAGS] & GRACE, r[PITCH]))
        return Score(
            np.array(joined, np.int32).reshape(-1, 6),
            _with_leads(np.array(self.measures, np.int32).reshape(-1, 4)),
            np.array(sorted(self.tempos), np.int32).reshape(-1, 2),
        )


def _with_leads(measures: Ints) -> Ints:
    """Adds how far into its metre each measure starts: a pickup late, the second half of a divided measure too."""
    leads = np.zeros(len(measures), np.int32)
    for index, (_, length, numerator, denominator) in enumerate(measures.tolist()):
        nominal = 4 * TICKS_PER_QUARTER * numerator // denominator
        if length >= nominal:
            continue
        if index == 0:
            leads[index] = nominal - length
        elif leads[index - 1] + measures[index - 1, LENGTH] + length == nominal:
            leads[index] = leads[index - 1] + measures[index - 1, LENGTH]
    return np.concatenate([measures, leads[:, None]], axis=1)


def read_archive(path: Path) -> Score:
    """The score in an `.mxl` archive."""
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith((".xml", ".musicxml")) and not n.startswith("META-INF")]
        return score_of(etree.fromstring(archive.read(names[0])))


def score_of(root: etree._Element) -> Score:
    """A `score-partwise` document, repeats as written once."""
    builder = ScoreBuilder()
    for number, part in enumerate(root.findall("part")):
        _PartWalk(builder, number, two_staves=_staves(part) == 2).walk(part)
    return builder.score()


def _staves(part: etree._Element) -> int:
    return max((int(e.text or 1) for e in part.iterfind("measure/attributes/staves")), default=1)


class _PartWalk:
    """Walks one part. The first part's measures are the score's; others only fill them."""

    def __init__(self, builder: ScoreBuilder, part: int, *, two_staves: bool) -> None:
        self.builder, self.part, self.two_staves = builder, part, two_staves
        self.divisions, self.transpose = 1, 0
        self.beats = (4, 4)

    def walk(self, part: etree._Element) -> None:
        start = 0
        for index, measure in enumerate(part.findall("measure")):
            if self.part and index < len(self.builder.measures):
                start = self.builder.measures[index][START]
            self._measure(measure, start, index)
            start += self.builder.measures[index][LENGTH]

    def _measure(self, measure: etree._Element, start: int, index: int) -> None:
        at = last = reached = 0
        for child in measure:
            tag = child.tag
            if tag == "attributes":
                self._attributes(child)
            elif tag == "backup":
                at -= self._ticks(child)
            elif tag == "forward":
                at += self._ticks(child)
            elif tag in ("direction", "sound"):
                for sound in [child] if tag == "sound" else child.findall("sound"):
                    if sound.get("tempo"):
                        self.builder.tempos.append([start + at, round(100 * float(sound.get("tempo") or 0))])
            elif tag == "note":
                length = 0 if child.find("grace") is not None else self._ticks(child)
                if child.find("chord") is None:
                    last = at
                    at += length
                self._note(child, start + last, length)
            reached = max(reached, at)
        if index == len(self.builder.measures):
            nominal = 4 * TICKS_PER_QUARTER * self.beats[0] // self.beats[1]
            self.builder.measures.append([start, min(reached, nominal) or nominal, *self.beats])

    def _ticks(self, element: etree._Element) -> int:
        return round(float(element.findtext("duration") or 0) * TICKS_PER_QUARTER / self.divisions)

    def _attributes(self, element: etree._Element) -> None:
        self.divisions = int(element.findtext("divisions") or self.divisions)
        time = element.find("time")
        if time is not None and time.find("beats") is not None:
            numerator = sum(int(n) for n in (time.findtext("beats") or "4").split("+"))
            self.beats = (numerator, int(time.findtext("beat-type") or 4))
        transpose = element.find("transpose")
        if transpose is not None:
            octaves = int(transpose.findtext("octave-change") or 0)
            self.transpose = int(transpose.findtext("chromatic") or 0) + 12 * octaves

    def _note(self, note: etree._Element, onset: int, length: int) -> None:
        pitch = note.find("pitch")
        if pitch is None or note.find("cue") is not None or note.get("print-object") == "no":
            return
        grace = note.find("grace") is not None
        if not grace and not length:
            return
        number = _SEMITONES[pitch.findtext("step") or "C"] + round(float(pitch.findtext("alter") or 0))
        number += 12 * (int(pitch.findtext("octave") or 4) + 1) + self.transpose
        flags = GRACE if grace else 0
        for notations in note.findall("notations"):
            for element in notations.iter():
                flags |= _MARKS.get(str(element.tag), 0)
        ties = {tie.get("type") for tie in note.findall("tie")}
        staff = int(note.findtext("staff") or 1) if self.two_staves else 0
        row = [onset, length, number, staff, self.part, flags, int("start" in ties), int("stop" in ties)]
        self.builder.written.append(row)


def stored(scores: Iterator[tuple[str, Score]]) -> dict[str, npt.NDArray[Any]]:
    """Many scores as few arrays."""
    names, tables = [], []
    for name, score in scores:
        names.append(name)
        tables.append(score)
    arrays: dict[str, npt.NDArray[Any]] = {"names": np.array(names)}
    for kind in ("notes", "measures", "tempos"):
        rows = [getattr(score, kind) for score in tables]
        arrays[kind] = np.concatenate(rows) if rows else np.zeros((0, 1), np.int32)
        arrays[f"{kind}_offsets"] = np.cumsum([0, *(len(r) for r in rows)])
    return arrays


def loaded(path: Path) -> list[tuple[str, Score]]:
    """What `stored` made, written as `.npz`."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    scores = []
    for index, name in enumerate(arrays["names"].tolist()):
        tables = []
        for kind in ("notes", "measures", "tempos"):
            start, end = arrays[f"{kind}_offsets"][index : index + 2]
            tables.append(arrays[kind][start:end])
        scores.append((name, Score(*tables)))
    return scores

"""Our deadpan performance beside MuseScore's own playback of the same scores.

The scores are 24 of the Lieder's `dev` split: of its scores in order of their numbers every fourth. MuseScore 3 plays
them into MIDI files, whose ticks are quarter notes; our onsets are laid on quarters by the performance's own tempo map.
A note is the same where pitch and onset agree. "Plain" scores have lost their grace notes, which the two place apart
(MuseScore on the beat, we before it), and their ornaments and arpeggios, which deadpan playing leaves out.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from benchmarks import report
from model_runtime import files
from model_runtime.engines.base import Context
from model_runtime.engines.performer import Performer
from model_runtime.modality import Notation, Performance
from model_runtime.options import Options

SCORES = 24
EVERY = 4
TOLERANCE_QUARTERS = 0.03
_PATIENCE_S = 600

Onset = tuple[float, int]  # quarter notes from the beginning, pitch


@dataclass(frozen=True)
class Agreement:
    """Notes that two performances share, and how many each has."""

    matched: int
    ours: int
    theirs: int

    @property
    def f1(self) -> float:
        """2 · matched / (ours + theirs)."""
        return 2 * self.matched / max(self.ours + self.theirs, 1)


def chosen_scores(folder: Path) -> list[Path]:
    """The paths of the scores, of a folder laid out as `data/lieder`."""
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        numbers = sorted(int(row["id"]) for row in csv.DictReader(file) if row["split"] == "dev")
    return [folder / f"{number}.mxl" for number in numbers[::EVERY][:SCORES]]


def measure(scores: Sequence[Path], scratch: Path) -> tuple[dict[str, float], list[report.Row]]:
    """Note F1 of all scores together, as they are and plain, and a line of the table for each score."""
    rows: dict[str, dict[str, object]] = {path.stem: {"score": path.stem} for path in scores}
    figures: dict[str, float] = {}
    read = {path.stem: _notation(path) for path in scores}
    for column, figure, notations in (
        ("F1", "performer_f1_musescore", read),
        ("plain F1", "performer_f1_musescore_plain", {name: without_figures(n) for name, n in read.items()}),
    ):
        played = musescore_onsets(notations, scratch)
        found = {name: agreement(our_onsets(notations[name]), played[name]) for name in notations}
        for name, each in found.items():
            rows[name] |= {column: each.f1, "notes": each.theirs}
        figures[figure] = summed(found.values()).f1
        figures[figure + "_worst_score"] = min(each.f1 for each in found.values())
    return figures | {"performer_scores": len(scores)}, list(rows.values())


def summed(found: Iterable[Agreement]) -> Agreement:
    """The notes of all scores together."""
    listed = list(found)
    return Agreement(sum(a.matched for a in listed), sum(a.ours for a in listed), sum(a.theirs for a in listed))


def agreement(ours: Sequence[Onset], theirs: Sequence[Onset]) -> Agreement:
    """Pair notes of one pitch whose onsets lie within `TOLERANCE_QUARTERS`, each at most once."""
    by_pitch: tuple[dict[int, list[float]], dict[int, list[float]]] = (defaultdict(list), defaultdict(list))
    for notes, sorted_out in zip((ours, theirs), by_pitch, strict=True):
        for quarter, pitch in sorted(notes):
            sorted_out[pitch].append(quarter)
    matched = sum(_paired(by_pitch[0][pitch], by_pitch[1][pitch]) for pitch in list(by_pitch[0]))
    return Agreement(matched, len(ours), len(theirs))


def _paired(ours: Sequence[float], theirs: Sequence[float]) -> int:
    """How many of two rising lists can be paired: the earliest with the earliest is never worse."""
    i = j = pairs = 0
    while i < len(ours) and j < len(theirs):
        if abs(ours[i] - theirs[j]) <= TOLERANCE_QUARTERS:
            i, j, pairs = i + 1, j + 1, pairs + 1
        elif ours[i] < theirs[j]:
            i += 1
        else:
            j += 1
    return pairs


def our_onsets(notation: Notation) -> list[Onset]:
    """What the performer plays, exactly as written."""
    performance: Performance = Performer().translate(notation, Options(deadpan=True), Context())
    assert performance.tempo_map is not None
    first = performance.tempo_map.quarter_at(0.0)
    quarters = performance.tempo_map.quarters_at([note.onset_s for note in performance.notes])
    return [(float(q) - first, note.pitch) for q, note in zip(quarters, performance.notes, strict=True)]


def musescore_onsets(notations: Mapping[str, Notation], scratch: Path) -> dict[str, list[Onset]]:
    """What MuseScore 3 plays of all scores."""
    return {name: midi_onsets(path) for name, path in musescore_midi(notations, scratch).items()}


def musescore_midi(notations: Mapping[str, Notation], scratch: Path) -> dict[str, Path]:
    """MIDI files that MuseScore 3 writes of all scores, in one run of the program."""
    jobs = []
    for name, notation in notations.items():
        source, target = scratch / f"{name}.musicxml", scratch / f"{name}.mid"
        source.write_bytes(notation.musicxml)
        target.unlink(missing_ok=True)
        jobs.append({"in": str(source), "out": str(target)})
    listed = scratch / "jobs.json"
    listed.write_text(json.dumps(jobs), encoding="utf-8")
    subprocess.run(
        [_musescore(), "-j", str(listed)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        timeout=_PATIENCE_S,
        check=True,
    )
    return {name: scratch / f"{name}.mid" for name in notations}


def midi_onsets(path: Path) -> list[Onset]:
    """The notes of a MIDI file, in the file's own quarter notes."""
    import mido

    file = mido.MidiFile(path)
    found: list[Onset] = []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity > 0:
                found.append((tick / file.ticks_per_beat, message.note))
    return sorted(found)


def without_figures(notation: Notation) -> Notation:
    """The score without grace notes, ornaments and arpeggios."""
    root = deepcopy(notation.root)
    for note in [note for note in root.iter("note") if note.find("grace") is not None]:
        _remove(note)
    for tag in ("ornaments", "arpeggiate", "non-arpeggiate"):
        for mark in list(root.iter(tag)):
            _remove(mark)
    return Notation(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _remove(element: etree._Element) -> None:
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def _notation(path: Path) -> Notation:
    value = files.read(path)
    assert isinstance(value, Notation)
    return value


def _musescore() -> str:
    program = next((p for p in ("mscore3", "musescore3", "mscore") if shutil.which(p)), None)
    if program is None:
        sys.exit("MuseScore 3 is not installed: apt-get install musescore3")
    return program

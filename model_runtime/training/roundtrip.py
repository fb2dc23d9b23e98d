"""How much of a corpus survives MusicXML → LMX → shorthand → LMX → written measures, note by note.

python -m model_runtime.training.roundtrip --data DIR [--music piano] [--every 1] [--json FILE]
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
import xml.etree.ElementTree as ET
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np

from model_runtime.tokens.lmx import head_tokens, lmx_measures, split_head
from model_runtime.tokens.lmx_reader import read_lmx
from model_runtime.tokens.score import drop_unprinted_tuplets, heads, visible_part
from model_runtime.tokens.shorthand import expand, shorten
from model_runtime.tokens.written import WrittenMeasure
from model_runtime.training.corpus import read_index, root_of
from model_runtime.training.parts import Music, parts_of, tally
from model_runtime.training.played import midi_pitch, placed

NoteKey = tuple[float, float, int, int, int, str, bool]
WINDOW = 4


def source_notes(part: ET.Element) -> list[list[NoteKey]]:
    """Onset in the measure, duration, pitch (-1: rest), staff, voice, note value, grace: of each note by measure."""
    result: list[list[NoteKey]] = [[] for _ in part]
    for measure, onset, length, note, start in placed(part):
        pitch = midi_pitch(note)
        staff, voice = int(note.findtext("staff", "1")), int(note.findtext("voice", "1"))
        grace = note.find("grace") is not None
        key = (onset - start, length, -1 if pitch is None else pitch, staff, voice, note.findtext("type", ""), grace)
        result[measure].append(_rounded(key))
    return [sorted(notes) for notes in result]


def read_notes(measure: WrittenMeasure) -> list[NoteKey]:
    """The same of a measure that was read from LMX."""
    keys = []
    for n in measure.notes:
        pitch = n.midi_pitch if n.pitch else -1
        keys.append(_rounded((float(n.onset), float(n.duration), pitch, n.staff, n.voice, n.kind, bool(n.grace))))
    return sorted(keys)


def _rounded(key: NoteKey) -> NoteKey:
    return (round(key[0], 2), round(key[1], 2), *key[2:])


def _without_alteration(notes: list[NoteKey]) -> list[tuple[object, ...]]:
    return sorted((n[0], n[1], n[2] < 0, *n[3:]) for n in notes)


def compare(part: ET.Element) -> collections.Counter[str]:
    """Windows of four measures and how many of them come back the same."""
    visible = visible_part(part)
    drop_unprinted_tuplets(visible)
    measures, states, truth = lmx_measures(visible), heads(visible), source_notes(visible)
    counts: collections.Counter[str] = collections.Counter()
    for first in range(0, len(measures), WINDOW):
        window = measures[first : first + WINDOW]
        counts["windows"] += 1
        if any(m.failure for m in window):
            counts["windows that LMX cannot write"] += 1
            continue
        cut = split_head(window[0].tokens)
        tokens = head_tokens(states[first], window[0].tokens[1:cut], with_meter=True) + list(window[0].tokens[cut:])
        tokens += [t for m in window[1:] for t in m.tokens]
        short, _ = shorten(tokens)
        counts["LMX tokens"] += len(tokens)
        counts["symbols in shorthand"] += len(short)
        read = read_lmx(expand(short))
        same = [read_notes(r) == truth[first + i] for i, r in enumerate(read)]
        for i, equal in enumerate(same):
            if not equal and _without_alteration(read_notes(read[i])) == _without_alteration(truth[first + i]):
                counts["measures that differ in an accidental from before the window"] += 1
        counts["notes"] += sum(len(truth[first + i]) for i in range(len(window)))
        counts["measures"] += len(window)
        counts["measures that are equal"] += sum(same)
        counts["measures that were repaired"] += sum(bool(r.repairs) for r in read)
        counts["windows that are equal"] += all(same) and len(read) == len(window)
        lengths = [Fraction(r.length) for r in read]
        counts["measures of length 0"] += sum(length <= 0 for length in lengths)
    return counts


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Count what comes back from LMX note by note.")
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv and <id>.mxl")
    parser.add_argument("--music", type=Music, choices=list(Music), default=Music.PIANO, help="what of each score")
    parser.add_argument("--every", type=int, default=1, help="only every so many scores")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    counts: collections.Counter[str] = collections.Counter()
    for name, _ in read_index(arguments.data)[:: arguments.every]:
        rng = np.random.default_rng(zlib.crc32(name.encode()))  # the corpus has the same parts
        parts = parts_of(root_of(arguments.data / f"{name}.mxl"), arguments.music, rng)
        counts["scores"] += bool(parts)
        counts.update(tally(parts))
        for part in parts:
            counts.update(compare(part.part))
    text = json.dumps(counts, indent=1) + "\n"
    if arguments.json:
        arguments.json.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

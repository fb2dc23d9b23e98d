"""Builds what the trunk learns to refine a recording's notes from: what the audio reader heard against what was played.

    python -m model_runtime.training.refining --clips CLIPS --out OUT

`CLIPS` is the audio reader's corpus (`model_runtime.training.audio.corpus`); `OUT` gets `train` and `dev`, a file for
each clip and variant of it, as `model_runtime.training.note_windows` reads them. Files that are there are left alone.
How many notes were candidates is logged for some thresholds.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_runtime.training.audio.corpus import restored
from model_runtime.training.audio.dataset import StoredClip, load, variant_of
from model_runtime.training.note_windows import write_notes
from model_runtime.unified.audio_front_end import BINS, HOP_SAMPLES, SAMPLE_RATE
from model_runtime.unified.audio_reader import ReaderSession
from model_runtime.unified.audio_steps import FRAMES_A_STEP, LATE_STEPS
from model_runtime.unified.heard_notes import HeardNoteFinder, HeardNotes, tokens_of
from model_runtime.unified.note_outputs import KEPT, LATE, LATE_S, LENGTH, OUTPUTS, VELOCITY, VELOCITY_STEP

log = logging.getLogger(__name__)
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

SPLITS = {"train": 2, "dev": 1}  # variants of a clip
NEAR_S = 0.05  # a candidate is the note whose onset is so near (mir_eval)
_DOUBTFUL_S = 0.1  # so far from a note that nothing else stands for, nobody can say
_CUT_S = 0.3  # a note that ends so shortly before the clip does may have been cut
_FARTHEST_LENGTH = 4.0
_BLOCK_FRAMES = 4 * FRAMES_A_STEP
_THRESHOLDS = (0.2, 0.3, 0.4, 0.5)


def heard_in(session: ReaderSession, frames: Floats) -> HeardNotes:
    """The candidates in frames of shape (n, BINS), and silence after them."""
    session.reset()
    session.hear_silence()
    count = len(frames) + (LATE_STEPS + 3) * FRAMES_A_STEP
    silence = -(-count // _BLOCK_FRAMES) * _BLOCK_FRAMES - len(frames)
    frames = np.concatenate([frames, np.zeros((silence, BINS), np.float32)])
    finder = HeardNoteFinder()
    for start in range(0, len(frames), _BLOCK_FRAMES):
        finder.feed(*session.heads(frames[start : start + _BLOCK_FRAMES]))
    return finder.finish()


def matched(heard: HeardNotes, notes: Floats, tolerance_s: float) -> Ints:
    """Which note each candidate is, -1 for none: of the same pitch, the nearest pairs first.

    Args:
        heard: n candidates.
        notes: Columns onset, end, pitch, velocity; shape (m, 4).

    Returns:
        Numbers of notes, shape (n,).
    """
    result = np.full(len(heard), -1, np.int64)
    apart = np.abs(heard.onset_s[:, None] - notes[None, :, 0])  # (n, m)
    apart[heard.pitch[:, None] != np.rint(notes[None, :, 2])] = np.inf
    candidates, targets = np.nonzero(apart <= tolerance_s)
    taken: set[int] = set()
    for i in np.argsort(apart[candidates, targets], kind="stable").tolist():
        candidate, note = int(candidates[i]), int(targets[i])
        if result[candidate] < 0 and note not in taken:
            result[candidate] = note
            taken.add(note)
    return result


def wanted_of(heard: HeardNotes, notes: Floats, clip_s: float) -> tuple[Floats, Floats]:
    """What the trunk is to say of each candidate, in the network's units, and how much each number counts.

    Args:
        heard: n candidates.
        notes: Columns onset, end, pitch, velocity; shape (m, 4).
        clip_s: How long the clip is.

    Returns:
        Two arrays of shape (n, 5).
    """
    wanted, weights = (np.zeros((len(heard), len(OUTPUTS)), np.float32) for _ in range(2))
    which = matched(heard, notes, NEAR_S)
    known, played = which >= 0, notes[which[which >= 0]]
    weights[:, KEPT] = 1.0
    weights[(matched(heard, notes, _DOUBTFUL_S) >= 0) & ~known, KEPT] = 0.0
    given_s = heard.offset_s[known] - heard.onset_s[known]
    octaves = np.log2(np.maximum(played[:, 1] - played[:, 0], 0.01) / given_s)
    wanted[known, KEPT] = 1.0
    wanted[known, LATE] = (played[:, 0] - heard.onset_s[known]) / LATE_S
    wanted[known, LENGTH] = octaves.clip(-_FARTHEST_LENGTH, _FARTHEST_LENGTH)
    wanted[known, VELOCITY] = (played[:, 3] - heard.velocity[known]) / VELOCITY_STEP
    weights[known, LATE] = weights[known, VELOCITY] = 1.0
    weights[known, LENGTH] = played[:, 1] < clip_s - _CUT_S
    return wanted, weights


def levelled(wanted: Floats, weights: Floats) -> Floats:
    """What is wanted, less what all notes of a clip have in common in time and loudness.

    How hard an instrument's keys were struck on the whole, or how late it speaks, cannot be heard when its level and
    its name are unknown; a trunk that is asked for it learns clips by heart.
    """
    result = wanted.copy()
    for output in (LATE, VELOCITY):
        known = weights[:, output] > 0
        if known.any():
            result[known, output] -= np.median(wanted[known, output])
    return result


def build(clips: Path, out: Path, split: str, limit: int | None = None) -> int:
    """Write the files of a split that are not there yet; returns how many that were.

    Raises:
        FileNotFoundError: there are no clips of it.
    """
    paths = sorted((clips / split).glob("*.npz"))[:limit]
    if not paths:
        raise FileNotFoundError(f"no clips in {clips / split}")
    (out / split).mkdir(parents=True, exist_ok=True)
    session, counts, made = ReaderSession(), _Counts(), 0
    for variant in range(SPLITS[split]):
        for number, path in enumerate(paths):
            target = out / split / f"{path.stem}_{variant}.npz"
            if target.exists():
                continue
            clip = load(path)
            frames, notes = _variant(clip, variant, int(path.stem))
            heard = heard_in(session, frames)
            if len(heard):
                wanted, weights = wanted_of(heard, notes, len(frames) * HOP_SAMPLES / SAMPLE_RATE)
                write_notes(target, "audio", *tokens_of(heard), levelled(wanted, weights), weights)
                counts.add(heard, wanted, len(notes))
                made += 1
            if number % 100 == 99:
                log.info("%s, variant %d: %d of %d clips", split, variant, number + 1, len(paths))
    if made:
        log.info("%s: %s", split, counts)
    return made


def _variant(clip: StoredClip, variant: int, number: int) -> tuple[Floats, Floats]:
    """The first one is the clip itself."""
    if variant == 0:
        return restored(clip.frames), clip.notes
    return variant_of(clip, np.random.default_rng([variant, number]))


class _Counts:
    """How many candidates there are above some thresholds, and how many of them are notes."""

    def __init__(self) -> None:
        self._notes = 0
        self._found = np.zeros((2, len(_THRESHOLDS)), np.int64)  # all, and those that are notes

    def add(self, heard: HeardNotes, wanted: Floats, notes: int) -> None:
        self._notes += notes
        over = heard.probability[:, None] >= np.array(_THRESHOLDS)
        self._found += np.stack([over.sum(axis=0), (over & (wanted[:, KEPT, None] > 0)).sum(axis=0)])

    def __str__(self) -> str:
        every, right = self._found
        shares = zip(_THRESHOLDS, right / max(self._notes, 1), right / np.maximum(every, 1), strict=True)
        text = "; ".join(f"from {level}: recall {recall:.3f}, precision {good:.3f}" for level, recall, good in shares)
        return f"{self._notes} notes, {every[0]} candidates; {text}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Build windows of heard notes for the trunk.")
    parser.add_argument("--clips", type=Path, required=True, help="the audio reader's corpus")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="clips of each split, for a trial")
    parsed = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for split in reversed(SPLITS):  # the small one first
        build(parsed.clips, parsed.out, split, parsed.limit)


if __name__ == "__main__":
    main()

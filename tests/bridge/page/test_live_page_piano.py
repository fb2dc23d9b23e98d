"""A phrase for the piano, synthesised by ScoreBridge, is heard by its own reader and watched on the live page."""

from __future__ import annotations

import re
from typing import Any

import mir_eval
import numpy as np
from live_browser import LivePage, OwnDaemon, wait_for

from model_runtime import files
from model_runtime.modality import Note, Performance
from model_runtime.translation import translate

BEAT_S = 0.5
MELODY = (72, 71, 69, 67, 69, 71, 72, 76, 74, 71, 67, 69, 72)
CHORDS = ((48, 64), (43, 62), (45, 60), (43, 59), (41, 60), (43, 62), (48, 64))
PLAYED = sorted(
    [(0.5 + BEAT_S * beat, pitch) for beat, pitch in enumerate(MELODY)]
    + [(0.5 + 2 * BEAT_S * half, pitch) for half, chord in enumerate(CHORDS) for pitch in chord]
)
"""Onset in seconds and pitch: three bars in 4/4, and the first beat of a fourth."""


def onset_f1(heard: list[tuple[float, int]]) -> float:
    sides: list[Any] = []
    for notes in (PLAYED, heard):
        onsets_s = np.array([onset_s for onset_s, _ in notes])
        hertz = 440 * 2 ** ((np.array([pitch for _, pitch in notes]) - 69) / 12)
        sides += [np.stack([onsets_s, onsets_s + 0.1], axis=1), hertz]
    return float(mir_eval.transcription.precision_recall_f1_overlap(*sides, offset_ratio=None)[2])


def test_a_synthesised_phrase_is_heard_engraved_and_kept(browser: LivePage, daemon: OwnDaemon) -> None:
    notes = tuple(Note(onset_s, onset_s + 0.45, pitch, 84 if pitch > 64 else 66) for onset_s, pitch in PLAYED)
    path = daemon.folder / "phrase.wav"
    files.write(translate(Performance(notes), "audio").value, path)
    browser.open(daemon.connection)
    daemon.ask("live.start", live="piano", source=f"file:{path}")

    wait_for("the last notes", lambda: "Last notes:" in browser.text("#last-notes"))
    wait_for("the end", lambda: browser.text("#state").startswith("The session has ended after 0:0"))
    kept = daemon.ask("live.keep", live="piano", seconds=None)["notes"]
    assert onset_f1([(note["onset"], note["pitch"]) for note in kept]) >= 0.9
    assert int(browser.text("#count").split()[0]) == len(kept)

    in_bars = "return document.querySelectorAll('#score svg g.note').length"
    wait_for("their notes in bars", lambda: browser.run(in_bars) >= 0.6 * len(kept))
    assert re.match(r"Bars 1–\d · ", browser.text("#score-facts"))

"""Notation → performance → audio, and notation → score image: how well our players and the engraver do.

    python -m benchmarks.playback --data DIR --json FILE

Figures:
    performer_f1_musescore             note F1 (pitch, onset within 0.03 quarter notes) of deadpan playing against
                                       MuseScore 3's own playback of 24 Lieder, all notes together
    performer_f1_musescore_plain       the same without grace notes, ornaments and arpeggios, for both
    <synth>_read_back_onset_f1         onsets (50 ms) that Basic Pitch hears in what is rendered, a mean over four
                                       performances; <synth>_read_back_onset_f1_<performance> for each
    <synth>_loudness_error_lu          largest distance from the loudness asked for, where peaks leave room for it
    <synth>_loudness_held_back_lu      by how much the peak limit of -1 dBFS held the sound back at most
    <synth>_times_real_time            seconds of music rendered in a second
    <synth>_<length>_peak_mb           peak memory of a process that renders one minute, and ten
    verovio_ms_per_page                engraving and drawing an A4 page at 200 dots per inch
    verovio_noteheads_share            noteheads on the pages for each note that the 24 Lieder print

MuseScore strikes a pitch once where two voices of a part have it at overlapping times, and plays cue notes; we strike
it for each voice and leave cues silent. Both count as differences.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import engraving, musescore_playback, report, synths
from model_runtime.addons import addon


def main() -> None:
    """Measure all, print three tables, write JSON."""
    parser = argparse.ArgumentParser(description="Playing and engraving.")
    parser.add_argument("--data", type=Path, default=Path("shared"), help="folder with data/lieder and eval")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    if not addon("basic-pitch").installed():
        addon("basic-pitch").install()
    scores = musescore_playback.chosen_scores(arguments.data / "data" / "lieder")
    with tempfile.TemporaryDirectory() as scratch:
        figures, rows = musescore_playback.measure(scores, Path(scratch))
    report.write({}, rows, None, "Notation → performance: note F1 against MuseScore 3")
    drawing, rows = engraving.measure(scores)
    report.write({}, rows, None, "Notation → score image: time and noteheads")
    sounding, rows = synths.measure(arguments.data)
    report.write({}, rows, None, "Performance → audio: read back by Basic Pitch")
    figures |= drawing | sounding
    rows = [{"figure": name, "measured": float(value)} for name, value in figures.items()]
    report.write(figures, rows, arguments.json, "Playing and engraving")


if __name__ == "__main__":
    main()

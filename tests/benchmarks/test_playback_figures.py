"""The arithmetic of the playback benchmark, on notes whose figures are known."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest

from benchmarks.engraving import Drawn, figures_of, noteheads, printed_notes
from benchmarks.made_performance import made_performance
from benchmarks.musescore_playback import (
    Agreement,
    agreement,
    chosen_scores,
    midi_onsets,
    our_onsets,
    summed,
    without_figures,
)
from benchmarks.synths import Loudness, loudness_figures, loudness_of, onset_f1, opening
from model_runtime.engines.base import Context
from model_runtime.engines.verovio import Verovio
from model_runtime.modality import Control, Notation, Note, Performance, SampledAudio
from model_runtime.options import Options


def score(notes: str) -> Notation:
    """One measure of 4/4 in divisions of a quarter note, twice."""
    head = "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
    repeat = '<barline location="right"><repeat direction="backward"/></barline>'
    return Notation(
        (
            '<score-partwise version="4.0"><part-list><score-part id="P1"><part-name/></score-part></part-list>'
            f'<part id="P1"><measure number="1">{head}{notes}{repeat}</measure></part></score-partwise>'
        ).encode()
    )


def note(step: str, duration: int = 1, inside: str = "", attributes: str = "") -> str:
    length = f"<duration>{duration}</duration>"
    kind = {1: "quarter", 2: "half"}[duration]
    pitch = f"<pitch><step>{step}</step><octave>5</octave></pitch>"
    return f"<note{attributes}>{pitch}{length}<voice>1</voice><type>{kind}</type>{inside}</note>"


GRACE = (
    '<note><grace slash="yes"/><pitch><step>D</step><octave>5</octave></pitch>'
    "<voice>1</voice><type>eighth</type></note>"
)
TRILL = "<notations><ornaments><trill-mark/></ornaments></notations>"
ARPEGGIO = "<notations><arpeggiate/></notations>"


def test_each_note_is_matched_at_most_once_and_only_within_the_tolerance() -> None:
    ours = [(0.0, 60), (1.0, 62), (1.01, 62), (2.0, 64), (3.0, 65)]
    theirs = [(0.029, 60), (1.0, 62), (2.031, 64), (3.0, 66)]
    found = agreement(ours, theirs)
    assert found == Agreement(matched=2, ours=5, theirs=4)
    assert found.f1 == pytest.approx(4 / 9)
    assert agreement(theirs, ours).f1 == found.f1


def test_long_scores_weigh_more_than_short_ones() -> None:
    assert summed([Agreement(9, 10, 10), Agreement(0, 1, 1)]).f1 == pytest.approx(9 / 11)


def test_our_onsets_are_quarters_from_the_start_with_repeats_at_any_tempo() -> None:
    tempo = '<direction><direction-type><words>x</words></direction-type><sound tempo="77"/></direction>'
    onsets = our_onsets(score(tempo + note("C") + note("E") + note("G", 2)))
    assert [pitch for _, pitch in onsets] == [72, 76, 79] * 2
    assert [quarter for quarter, _ in onsets] == pytest.approx([0, 1, 2, 4, 5, 6])


def test_onsets_of_a_midi_file_are_its_quarters_whatever_the_tempo(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=900_000, time=0))
    for message, pitch, ticks in (("note_on", 60, 0), ("note_off", 60, 240), ("note_on", 62, 240)):
        track.append(mido.Message(message, note=pitch, velocity=64, time=ticks))
    track.append(mido.Message("note_on", note=62, velocity=0, time=480))  # the other way to end a note
    file.tracks.append(track)
    file.save(tmp_path / "two.mid")
    assert midi_onsets(tmp_path / "two.mid") == [(0.0, 60), (1.0, 62)]


def test_plain_scores_keep_every_written_note_and_lose_every_figure() -> None:
    full = score(GRACE + note("C", 1, TRILL) + note("E", 1, ARPEGGIO) + note("G", 2))
    plain = without_figures(full)
    assert [pitch for _, pitch in our_onsets(plain)] == [72, 76, 79] * 2
    assert len(list(full.root.iter("grace", "trill-mark", "arpeggiate"))) == 3
    assert not list(plain.root.iter("grace", "trill-mark", "arpeggiate"))


def test_the_scores_are_chosen_by_number_and_not_by_result(tmp_path: Path) -> None:
    splits = ["train" if number % 2 else "dev" for number in range(1000, 1400)]
    lines = [f"{number},x,x,x,{split}" for number, split in zip(range(1000, 1400), splits, strict=True)]
    (tmp_path / "index.csv").write_text("\n".join(["id,composer,set,title,split", *reversed(lines)]))
    assert [path.name for path in chosen_scores(tmp_path)] == [f"{1000 + 8 * i}.mxl" for i in range(24)]


def test_noteheads_on_the_pages_are_the_notes_that_the_score_prints() -> None:
    hidden = note("B", 1, attributes=' print-object="no"')
    notation = score(GRACE + note("C") + note("E") + note("G") + hidden)
    assert printed_notes(notation) == 4
    assert noteheads(Verovio().translate(notation, Options(), Context())) == 4


def test_a_notehead_too_many_does_not_make_up_for_a_missing_one() -> None:
    figures = figures_of([Drawn("a", 2, 1.0, heads=11, notes=10), Drawn("b", 2, 0.6, heads=29, notes=30)])
    assert figures["verovio_noteheads_share"] == pytest.approx(39 / 40)
    assert figures["verovio_scores_with_every_notehead"] == 0.0
    assert figures["verovio_ms_per_page"] == pytest.approx(400.0)


def test_what_is_heard_50_ms_late_is_another_note() -> None:
    truth = [Note(0.0, 0.5, 60, 80), Note(1.0, 1.5, 64, 80)]
    assert onset_f1(truth, [Note(0.04, 0.2, 60, 80), Note(1.06, 1.5, 64, 80)]) == pytest.approx(0.5)
    assert onset_f1(truth, []) == 0.0


def test_an_opening_ends_held_notes_and_leaves_out_what_follows() -> None:
    whole = Performance(
        (Note(0.0, 9.0, 60, 80), Note(4.0, 5.0, 62, 80)), controls=(Control(1.0, 64, 127), Control(6.0, 64, 0))
    )
    cut = opening(whole, 3.0)
    assert cut.notes == (Note(0.0, 3.0, 60, 80),)
    assert cut.controls == (Control(1.0, 64, 127),)


def test_loudness_that_the_peak_limit_held_back_is_no_error() -> None:
    figures = loudness_figures([Loudness(-0.1, False), Loudness(0.05, False), Loudness(-1.2, True)])
    assert figures == {"loudness_error_lu": 0.1, "loudness_held_back_lu": 1.2}


def test_a_click_is_known_to_be_at_the_peak_limit_and_a_quiet_tone_is_not() -> None:
    tone = 0.1 * np.sin(2 * np.pi * 997 * np.arange(96_000) / 48_000).astype(np.float32)[:, None]
    quiet = loudness_of(SampledAudio(tone, 48_000))
    assert not quiet.limited
    assert quiet.error_lu == pytest.approx(-23.0 + 18.0, abs=0.1)  # a 997 Hz sine of 0 dBFS is -3.01 LUFS
    loud = tone.copy()
    loud[48_000] = 10 ** (-1 / 20)
    assert loudness_of(SampledAudio(loud, 48_000)).limited


def test_every_made_minute_is_the_same() -> None:
    one, three = made_performance(1), made_performance(3)
    assert 55 < one.duration_s < 60
    assert len(three.notes) == 3 * len(one.notes)
    later = [n for n in three.notes if n.onset_s >= 120]
    assert [(n.pitch, n.velocity) for n in later] == [(n.pitch, n.velocity) for n in one.notes]
    assert [n.onset_s - 120 for n in later] == pytest.approx([n.onset_s for n in one.notes])

"""Notation that is written while the music is played."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from lxml import etree

from model_runtime.engraving.live import BarEngraver
from model_runtime.errors import InvalidValue
from model_runtime.listening import HeardNote
from model_runtime.modality import SUSTAIN_PEDAL, Control, Note
from model_runtime.notation.live import KEPT_BARS, LiveNotation
from model_runtime.notation.live_bars import Bar
from model_runtime.notation.score_notes import read_measures
from model_runtime.options import Options
from model_runtime.tempo import Meter, TempoMap

TICK_S = 0.2
MELODY = (72, 74, 76, 77, 79, 77, 76, 74)


def piece(bars: int, beats: int = 4, beat_s: float = 0.5, at_s: float = 0.0, seed: int = 0) -> list[Note]:
    """Bass and chords under a melody in eighths, as unevenly as a person plays; sorted. A bar has `notes_of(beats)`."""
    draw = np.random.default_rng(seed)
    notes = []

    def add(quarter: float, length: float, pitch: int, velocity: int) -> None:
        onset_s = max(at_s, at_s + quarter * beat_s + float(draw.normal(0, 0.008)))
        notes.append(Note(onset_s, onset_s + 0.85 * length * beat_s, pitch, velocity))

    for bar in range(bars):
        add(bar * beats, 1, 36 if bar % 2 == 0 else 43, 80)
        for beat in range(beats):
            quarter = bar * beats + beat
            for pitch in (52, 55) if beat else ():
                add(quarter, 1, pitch, 60)
            for half in (0.0, 0.5):
                add(quarter + half, 0.5, MELODY[int(2 * (beat + half)) % 8], 90)
    return sorted(notes, key=lambda n: (n.onset_s, n.pitch))


def notes_of(beats: int) -> int:
    return 1 + 2 * (beats - 1) + 2 * beats


def events_of(notes: Sequence[Note]) -> list[tuple[float, HeardNote]]:
    """Note-ons and note-offs, each when it happens."""
    events = []
    for number, n in enumerate(notes):
        events.append((n.onset_s, HeardNote(number, "confirmed", n.pitch, n.onset_s, None, n.velocity, 1.0)))
        events.append((n.offset_s, HeardNote(number, "corrected", n.pitch, n.onset_s, n.offset_s, n.velocity, 1.0)))
    return sorted(events, key=lambda event: event[0])


def play(
    live: LiveNotation, notes: Sequence[Note], until_s: float = 0.0, tick_s: float = TICK_S
) -> Iterator[tuple[float, Bar]]:
    """Play notes in time; gives (when, bar) for each bar that is over or changed."""
    events = events_of(notes)
    end_s = max(until_s, events[-1][0])
    now_s, at = 0.0, 0
    while now_s < end_s:
        now_s += tick_s
        while at < len(events) and events[at][0] <= now_s:
            live.add(events[at][1])
            at += 1
        for bar in live.advance(now_s):
            yield now_s, bar


def latest(pairs: Iterator[tuple[float, Bar]]) -> dict[int, Bar]:
    return {bar.number: bar for _, bar in pairs}


@pytest.mark.parametrize(("beats", "beat_s"), [(4, 0.5), (3, 0.45)])
def test_bars_come_with_the_metre_and_the_notes_that_were_played(beats: int, beat_s: float) -> None:
    live = LiveNotation()
    bars = latest(play(live, piece(16, beats, beat_s)))
    bars |= {bar.number: bar for bar in live.finish()}
    settled = [bar for bar in bars.values() if bar.times.start_s > 8 * beats * beat_s]
    assert {(bar.times.numerator, bar.times.denominator) for bar in settled} == {(beats, 4)}
    for bar in settled[:-1]:
        assert abs(bar.times.start_s / (beats * beat_s) - round(bar.times.start_s / (beats * beat_s))) < 0.05
        assert sorted({note.onset for note in bar.notes}) == [Fraction(half, 2) for half in range(2 * beats)]
        assert min(note.pitch for note in bar.notes if note.onset == 0) in (36, 43)
    assert sum(len(bar.notes) for bar in bars.values()) == 16 * notes_of(beats)


def test_bars_are_given_out_at_most_two_behind() -> None:
    given = [(now_s, bar) for now_s, bar in play(LiveNotation(), piece(10))]
    first = {bar.number: now_s for now_s, bar in reversed(given)}
    ends = {bar.number: bar.times.end_s for _, bar in given}
    assert len(first) >= 8
    assert max((first[number] - ends[number]) / 2.0 for number in first) <= 2.0


def uneven(seed: int) -> list[Note]:
    """Chords at times that no metre explains, with pauses: whoever follows them changes their mind often."""
    draw = np.random.default_rng(seed)
    onsets_s = np.cumsum(draw.choice([0.13, 0.2, 0.31, 0.47, 0.7, 1.9], 90) * draw.uniform(0.8, 1.25, 90))
    return [Note(s, s + float(draw.uniform(0.1, 1.5)), int(draw.integers(40, 80)), 80) for s in onsets_s.tolist()]


@pytest.mark.parametrize(
    "notes",
    [piece(5, beat_s=0.9) + piece(12, beat_s=0.33, at_s=18.0), *(uneven(seed) for seed in range(3))],
    ids=["quicker at once", "uneven 0", "uneven 1", "uneven 2"],
)
def test_never_do_more_than_two_bars_wait_of_those_that_are_known(notes: list[Note]) -> None:
    live = LiveNotation()
    events, at, waited = events_of(notes), 0, []
    for now_s in np.arange(0.2, events[-1][0] + 6.0, TICK_S).tolist():
        waited.append(live.unwritten_bars(now_s))
        while at < len(events) and events[at][0] <= now_s:
            live.add(events[at][1])
            at += 1
        live.advance(now_s)
        waited.append(live.unwritten_bars(now_s))
    assert 1.0 < max(waited) <= 2.0
    assert waited[-1] == 0.0 and len(live.bars()) > 8  # the music is over, and all of it is written


def test_silence_holds_no_bar_up_and_makes_none() -> None:
    live = LiveNotation()
    bars = latest(play(live, piece(6), until_s=60.0))
    assert 6 <= len(bars) <= 7
    assert sum(len(bar.notes) for bar in bars.values()) == 6 * notes_of(4)


def test_after_a_pause_bars_begin_anew_with_the_music() -> None:
    live = LiveNotation()
    notes = piece(6) + piece(6, at_s=27.3)
    bars = latest(play(live, notes))
    bars |= {bar.number: bar for bar in live.finish()}
    assert sorted(bars) == list(range(1, len(bars) + 1))
    after = [bar for bar in bars.values() if bar.times.start_s > 21]
    assert min(abs(bar.times.start_s - 27.3) for bar in after) < 0.05
    assert sum(len(bar.notes) for bar in bars.values()) == len(notes)


def test_a_hosts_tempo_map_says_where_the_bars_are() -> None:
    # 3/4 at 100, then 4/4 from bar 5 on; the notes say nothing of it.
    tempo_map = TempoMap((0.0, 0.6), (0.0, 1.0), (Meter(0.0, 3, 4), Meter(12.0, 4, 4)))
    live = LiveNotation(tempo_map)
    notes = [Note(0.3 * i, 0.3 * i + 0.25, 60 + i % 5, 80) for i in range(96)]
    bars = latest(play(live, notes))
    meters = [(bars[n].times.numerator, bars[n].times.denominator) for n in sorted(bars)]
    assert meters == [(3, 4)] * 4 + [(4, 4)] * (len(bars) - 4) and len(bars) >= 10
    assert [bars[n].times.start_s for n in (1, 2, 5, 6)] == pytest.approx([0.0, 1.8, 7.2, 9.6])
    assert all(len(bar.notes) == 2 * bar.times.numerator for bar in bars.values())


def test_a_map_that_began_before_the_session_numbers_its_bars() -> None:
    live = LiveNotation(TempoMap((-8.0, -7.5), (0.0, 1.0), (Meter(0.0, 4, 4),)))
    bars = latest(play(live, piece(6)))
    assert min(bars) == 5 and bars[5].times.start_s == pytest.approx(0.0)


def test_a_new_tempo_map_holds_from_the_next_bar_on() -> None:
    live = LiveNotation(TempoMap.constant(120.0, [Meter(0.0, 4, 4)]))
    bars = latest(play(live, piece(4)))
    live.follow(TempoMap.constant(60.0, [Meter(0.0, 4, 4)]))
    bars |= {bar.number: bar for bar in live.finish()}
    lengths = [bars[n].times.end_s - bars[n].times.start_s for n in sorted(bars)]
    assert lengths[0] == pytest.approx(2.0) and lengths[-1] == pytest.approx(4.0)
    assert sum(len(bar.notes) for bar in bars.values()) == 4 * notes_of(4)


def test_corrections_reach_bars_that_were_given_out() -> None:
    live = LiveNotation(TempoMap.constant(120.0, [Meter(0.0, 4, 4)]))
    notes = piece(4)
    bars = latest(play(live, notes))
    number = next(i for i, n in enumerate(notes) if n.pitch == 79)
    heard = HeardNote(number, "corrected", 75, notes[number].onset_s, notes[number].offset_s, 90, 1.0)
    live.add(heard)
    [changed] = live.advance(8.5)[:1]
    assert changed.number == 1
    assert {n.pitch for n in changed.notes} == {n.pitch for n in bars[1].notes} - {79} | {75}
    live.add(HeardNote(number, "withdrawn", 75, heard.onset_s, heard.offset_s, 90, 0.0))
    [changed] = live.advance(8.6)[:1]
    assert changed.number == 1 and 75 not in {n.pitch for n in changed.notes}
    assert live.advance(8.7) == []


def test_a_note_that_comes_late_is_written_where_it_was_played() -> None:
    live = LiveNotation(TempoMap.constant(120.0, [Meter(0.0, 4, 4)]))
    latest(play(live, piece(4)))
    live.add(HeardNote(999, "confirmed", 84, 2.5, 2.9, 90, 1.0))
    [changed] = live.advance(8.5)[:1]
    assert changed.number == 2
    assert [n.onset for n in changed.notes if n.pitch == 84] == [Fraction(1)]


def test_notes_may_be_told_of_again_without_a_change() -> None:
    live = LiveNotation(TempoMap.constant(120.0, [Meter(0.0, 4, 4)]))
    notes = piece(4)
    latest(play(live, notes))
    for _, heard in events_of(notes):
        if heard.offset_s is not None:
            live.add(heard)
    assert live.advance(8.05) == []


def test_a_pedal_is_marked() -> None:
    live = LiveNotation(TempoMap.constant(120.0, [Meter(0.0, 4, 4)]))
    for bar in range(4):
        live.add_control(Control(2.0 * bar + 0.06, SUSTAIN_PEDAL, 127))
        live.add_control(Control(2.0 * bar + 1.9, SUSTAIN_PEDAL, 0))
    bars = latest(play(live, piece(4), until_s=9.0))
    assert all(len(bar.pedals) == 1 and bar.pedals[0].onset == 0 for bar in bars.values())
    assert b"<pedal" in live.notation(2).musicxml


def test_the_last_bars_are_a_score_with_full_measures_and_their_numbers() -> None:
    live = LiveNotation()
    bars = latest(play(live, piece(8)))
    notation = live.notation(3)
    last = max(bars)
    numbers = [measure.get("number") for measure in notation.root.findall("part/measure")]
    assert numbers == [str(last - 2), str(last - 1), str(last)]
    for measure in read_measures(notation.musicxml):
        assert set(measure.voice_fill.values()) == {measure.nominal}


def test_before_any_bar_is_over_the_score_is_one_empty_bar() -> None:
    live = LiveNotation()
    assert live.advance(1.0) == [] and live.finish() == []
    assert live.notation().measure_count == 1 and live.quarters_per_minute == 0.0


def test_at_the_end_what_still_sounds_ends() -> None:
    live = LiveNotation(TempoMap.constant(120.0, [Meter(0.0, 4, 4)]))
    for second in range(5):
        live.add(HeardNote(second, "confirmed", 60 + second, float(second), None, 80, 1.0))
        live.advance(second + 0.5)
    bars = live.finish()
    assert max(bar.number for bar in bars) == 3
    assert all(bar.times.start_s < 5.0 for bar in bars)


def test_key_and_tempo_are_told() -> None:
    live = LiveNotation()
    latest(play(live, piece(8)))
    assert live.key.fifths == 0
    assert live.quarters_per_minute == pytest.approx(120, abs=3)


def test_what_is_kept_and_what_a_second_costs_do_not_grow() -> None:
    live = LiveNotation()
    notes = piece(44, beat_s=0.3)
    latest(play(live, notes, tick_s=0.5))
    assert len(live.bars()) == KEPT_BARS
    assert len(live._notes) < (KEPT_BARS + 8) * notes_of(4)
    assert live._source is not None and len(live._source._times_s) <= 257  # type: ignore[union-attr]


def test_a_jumble_of_versions_and_order_is_survived() -> None:
    draw = np.random.default_rng(3)
    live = LiveNotation()
    now_s, number = 0.0, 0
    for _ in range(200):
        now_s += float(draw.uniform(0.02, 0.4))
        phase = str(draw.choice(["provisional", "confirmed", "corrected", "withdrawn"]))
        onset_s = max(0.0, now_s - float(draw.uniform(0, 6)))
        offset_s = None if draw.random() < 0.3 else onset_s + float(draw.uniform(0.0, 3))
        number = int(draw.integers(0, number + 2))
        live.add(HeardNote(number, phase, int(draw.integers(21, 108)), onset_s, offset_s, 64, 0.5))  # type: ignore[arg-type]
        live.advance(now_s)
    live.finish()
    bars = live.bars()
    assert all(a.times.end_s <= b.times.start_s + 1e-6 for a, b in pairwise(bars))
    for count in (1, 4, 16):
        for measure in read_measures(live.notation(count).musicxml):
            assert set(measure.voice_fill.values()) == {measure.nominal}


@pytest.mark.parametrize("width", [330, 720, 1400])
def test_bars_are_engraved_for_the_screen(width: int) -> None:
    live = LiveNotation(options=Options(title="<script>alert(1)</script>"))
    latest(play(live, piece(8)))
    svg = BarEngraver().svg(live.notation(4), width)
    root = etree.fromstring(svg.encode())
    box = [float(number) for number in root.get("viewBox", "").split()]
    assert abs(box[2] - width) <= 2
    names = {etree.QName(element).localname for element in root.iter() if isinstance(element.tag, str)}
    assert "style" not in names and "script" not in names
    assert "font-face" not in svg and "black" not in svg
    heads = [e for e in root.iter() if "notehead" in (e.get("class") or "").split()]
    assert len(heads) == sum(len(bar.notes) for bar in live.bars(4))


def test_a_picture_that_no_screen_shows_is_refused() -> None:
    with pytest.raises(InvalidValue, match="pixels"):
        BarEngraver().svg(LiveNotation().notation(), 10)

"""A score is played as it is written."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import mido
import pytest
from made_scores import (
    direction,
    dynamic,
    ending,
    grace,
    note,
    notes,
    part,
    repeat,
    score,
    tempo,
    words,
)

from model_runtime.engines.base import Context
from model_runtime.engines.performer import Performer
from model_runtime.errors import InvalidValue, NothingFound, UnreadableFile
from model_runtime.modality import Notation, Note, Performance
from model_runtime.options import MeterOption, Options, TempoMapOption

FOUR = "C4 D4 E4 F4"


def play(notation: Notation, context: Context | None = None, **options: object) -> Performance:
    return Performer().translate(notation, Options.model_validate(options), context or Context())


def pitches(performance: Performance) -> list[int]:
    return [n.pitch for n in performance.notes]


def quarters(performance: Performance) -> list[float]:
    assert performance.tempo_map is not None
    return [round(float(performance.tempo_map.quarter_at(n.onset_s)), 4) for n in performance.notes]


def velocities(performance: Performance) -> list[int]:
    return [n.velocity for n in performance.notes]


def measure_order(*measures: str) -> str:
    """Each measure holds one whole note of its own pitch; the order as letters."""
    named = [note(f"{'CDEFGAB'[i % 7]}{4 + i // 7}", 16) for i in range(len(measures))]
    whole = [
        before + body + after
        for (before, _, after), body in zip((m.partition("|") for m in measures), named, strict=True)
    ]
    played = play(score(part(*whole)), deadpan=True)
    by_pitch = {p: letter for letter, p in zip("ABCDEFGHIJ", [60, 62, 64, 65, 67, 69, 71, 72, 74, 76], strict=True)}
    return "".join(by_pitch[p] for p in pitches(played))


# -- positions ---------------------------------------------------------------------------------------------------------


def test_chords_voices_and_backup_are_at_their_exact_places() -> None:
    measure = (
        note("C4") + note("E4", chord=True) + note("D4", 12)
        + "<backup><duration>16</duration></backup>"
        + "<forward><duration>2</duration></forward>" + note("G3", 14, voice=2)
    )  # fmt: skip
    performance = play(score(part(measure)), deadpan=True)
    assert sorted(zip(quarters(performance), pitches(performance), strict=True)) == [
        (0, 60),
        (0, 64),
        (0.5, 55),
        (1, 62),
    ]


def test_tied_notes_are_one_note_across_the_barline() -> None:
    first = notes("C4 D4 E4") + note("F4", 4, '<tie type="start"/>')
    second = note("F4", 8, '<tie type="stop"/>') + note("F4", 8)
    performance = play(score(part(first, second)), deadpan=True)
    assert pitches(performance) == [60, 62, 64, 65, 65]
    assert performance.notes[3].duration_s == pytest.approx(1.5) and performance.notes[4].onset_s == pytest.approx(3.0)


def test_triplets_divide_the_beat_exactly() -> None:
    triplet = "".join(note(n, 4) for n in ("C4", "D4", "E4"))
    measure = "<attributes><divisions>6</divisions></attributes>" + triplet
    performance = play(score(part(measure + note("F4", 6))), deadpan=True)
    assert quarters(performance) == [0, 0.6667, 1.3333, 2.0]


def test_what_lies_before_the_first_metre_is_a_pickup() -> None:
    performance = play(score(part(note("G4"), notes(FOUR), time="4/4")), deadpan=True)
    assert performance.tempo_map is not None
    assert [(m.quarter, m.numerator, m.denominator) for m in performance.tempo_map.meters] == [(1.0, 4, 4)]
    assert quarters(performance) == [0, 1, 2, 3, 4]


def test_metres_and_keys_lie_at_performed_barlines() -> None:
    key = "<key><fifths>-3</fifths><mode>minor</mode></key>"
    change = f"<attributes>{key}<time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    performance = play(score(part(notes(FOUR), change + notes("C4 D4 E4") + repeat("backward"), fifths=2)))
    assert performance.tempo_map is not None
    assert [(m.quarter, m.numerator) for m in performance.tempo_map.meters] == [(0, 4), (4, 3), (7, 4), (11, 3)]
    assert [(k.quarter, k.fifths, k.mode) for k in performance.tempo_map.keys] == [
        (0, 2, ""), (4, -3, "minor"), (7, 2, ""), (11, -3, "minor"),
    ]  # fmt: skip


def test_transposing_instruments_sound_where_they_sound_and_octave_lines_change_nothing() -> None:
    clarinet = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    bass = "<transpose><chromatic>0</chromatic><octave-change>-1</octave-change></transpose>"
    assert pitches(play(score(part(notes("D5 E5 F5 G5"), more=clarinet)))) == [72, 74, 75, 77]
    assert pitches(play(score(part(notes("C3 D3 E3 F3"), more=bass)))) == [36, 38, 40, 41]
    ottava = direction('<octave-shift type="down" size="8"/>')
    assert pitches(play(score(part(ottava + notes("C6 D6 E6 F6"))))) == [84, 86, 88, 89]


# -- repeats -----------------------------------------------------------------------------------------------------------

CAPO, CAPO_FINE = words("D.C.", '<sound dacapo="yes"/>'), words("D.C. al Fine")
SEGNO, CODA = direction("<segno/>", '<sound segno="s"/>'), direction("<coda/>", '<sound coda="c"/>')
SEGNO_CODA, TO_CODA = words("D.S. al Coda", '<sound dalsegno="s"/>'), words("To Coda", '<sound tocoda="c"/>')


BACK = "|" + repeat("backward")
FIRST, SECOND, THIRD = (ending(n, "start") + "|" for n in "123")
FIRST_BACK = ending("1", "stop", back=True)
JUMPS = {
    "a repeat to the start": (["|", BACK, "|"], "ABABC"),
    "a repeat between signs": (["|", repeat("forward") + "|", BACK, "|"], "ABCBCD"),
    "three times": (["|", "|" + repeat("backward", 3)], "ABABAB"),
    "two endings": (["|", FIRST + FIRST_BACK, SECOND + ending("2", "discontinue"), "|"], "ABACD"),
    "an ending for two times": (
        ["|", ending("1, 2", "start") + "|" + ending("1, 2", "stop", back=True), THIRD + ending("3", "stop")],
        "ABABAC",
    ),
    "an ending of two measures": (
        ["|", FIRST, "|" + FIRST_BACK, SECOND + ending("2", "stop", back=True), BACK],
        "ABCADEE",
    ),
    "da capo al fine": (["|", "|" + words("Fine", '<sound fine="yes"/>'), "|" + CAPO], "ABCAB"),
    "words without sound attributes": (["|", "|" + words("Fine"), "|" + CAPO_FINE], "ABCAB"),
    "dal segno al coda": (["|", SEGNO + "|", "|" + TO_CODA, "|" + SEGNO_CODA, CODA + "|"], "ABCDBCE"),
    "no repeats after da capo": (["|", BACK, "|" + CAPO], "ABABCABC"),
}


@pytest.mark.parametrize(("measures", "order"), JUMPS.values(), ids=JUMPS.keys())
def test_repeats_are_unfolded(measures: list[str], order: str) -> None:
    assert measure_order(*measures) == order


def test_a_tie_into_a_first_ending_does_not_hang_into_the_second() -> None:
    tie, stop = '<tie type="start"/>', '<tie type="stop"/>'
    measures = [
        note("C4", 16, tie),
        ending("1", "start") + note("C4", 16, stop) + ending("1", "stop", back=True),
        ending("2", "start") + note("C4", 8, stop) + note("D4", 8) + ending("2", "stop"),
    ]
    performance = play(score(part(*measures)), deadpan=True)
    assert [(n.pitch, round(n.duration_s, 3)) for n in performance.notes] == [(60, 4.0), (60, 3.0), (62, 1.0)]


# -- tempo -------------------------------------------------------------------------------------------------------------


def test_a_tempo_mark_sets_the_pace_and_returns_with_the_repeat() -> None:
    metronome = direction("<metronome><beat-unit>half</beat-unit><per-minute>30</per-minute></metronome>")
    performance = play(
        score(part(metronome + notes(FOUR), tempo(120) + notes(FOUR) + repeat("backward"))), deadpan=True
    )
    assert [round(n.onset_s, 3) for n in performance.notes] == [
        0,
        1,
        2,
        3,
        4,
        4.5,
        5,
        5.5,
        6,
        7,
        8,
        9,
        10,
        10.5,
        11,
        11.5,
    ]


def test_a_ritardando_slows_down_until_a_tempo() -> None:
    measures = part(tempo(60) + notes(FOUR), words("poco rit.") + notes(FOUR), words("a tempo") + notes(FOUR))
    performance = play(score(measures))
    onsets = [n.onset_s for n in performance.notes]
    gaps = [b - a for a, b in itertools.pairwise(onsets)]
    assert gaps[:4] == pytest.approx([1] * 4) and gaps[8:] == pytest.approx([1] * 3)
    assert gaps[4:8] == sorted(gaps[4:8]) and gaps[4] > 1.0 and gaps[7] > 1.1
    assert [n.onset_s for n in play(score(measures), deadpan=True).notes] == pytest.approx(list(range(12)))
    assert quarters(performance) == list(range(12))  # the map keeps the grid


def test_words_alone_set_a_tempo() -> None:
    fast = play(score(part(words("Presto") + notes(FOUR)))).notes[3].onset_s
    slow = play(score(part(words("Sehr langsam") + notes(FOUR)))).notes[3].onset_s
    assert fast < 1.5 < 3 < slow


def test_a_fermata_holds_all_parts() -> None:
    held = note("C4") + note("D4", 4, notations="<fermata/>") + notes("E4 F4")
    performance = play(score(part(held), part(notes("C3 D3 E3 F3"))))
    assert performance.notes[4].onset_s == pytest.approx(0.5 + 0.9, abs=0.01)
    assert performance.notes[4].onset_s == performance.notes[5].onset_s
    assert quarters(performance) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_the_hosts_tempo_map_replaces_the_scores() -> None:
    host = TempoMapOption(points=[(0.0, 8.0), (4.0, 12.0)], meters=[MeterOption(quarter=8.0)])
    performance = play(score(part(tempo(200) + notes(FOUR))), deadpan=True, tempo_map=host.model_dump())
    assert [n.onset_s for n in performance.notes] == pytest.approx([0, 1, 2, 3])
    assert quarters(performance) == [8, 9, 10, 11]


def test_swing_lengthens_the_first_eighth_and_leaves_beats_and_the_grid() -> None:
    performance = play(score(part(notes("C4 D4 E4 F4 G4 A4 B4 C5", 2))), deadpan=True, swing=2 / 3)
    assert quarters(performance) == pytest.approx([0, 0.667, 1, 1.667, 2, 2.667, 3, 3.667], abs=0.001)


# -- dynamics ----------------------------------------------------------------------------------------------------------


def test_marks_hold_until_the_next_and_hairpins_lead_there() -> None:
    hairpin, stop = direction('<wedge type="crescendo"/>'), direction('<wedge type="stop"/>')
    measures = part(dynamic("p") + notes(FOUR), hairpin + notes(FOUR) + stop, dynamic("ff") + notes(FOUR))
    loud = velocities(play(score(measures)))
    assert loud[:5] == [49] * 5 and loud[8:] == [112] * 4
    assert loud[4:9] == sorted(loud[4:9]) and len(set(loud[4:9])) == 5


def test_a_sforzando_strikes_one_moment_and_a_fortepiano_leaves_it_soft() -> None:
    plain, struck = velocities(play(score(part(dynamic("p") + note("C4") + dynamic("sfz") + notes("D4 E4 F4")))))[:2]
    assert struck > plain + 20
    loud = velocities(play(score(part(note("C4") + dynamic("fp") + notes("D4 E4 F4")))))
    assert loud[1] > loud[0] > loud[2] == loud[3]


def test_accents_stand_out_and_deadpan_has_none() -> None:
    measure = (
        note("C4") + note("D4", notations="<articulations><accent/></articulations>") + dynamic("pp") + notes("E4 F4")
    )
    assert velocities(play(score(part(measure))))[:2] == [80, 96]
    assert velocities(play(score(part(measure)), deadpan=True)) == [80] * 4


# -- articulation and ornaments ----------------------------------------------------------------------------------------


def lengths(notations: str) -> float:
    return play(score(part(note("C4", 4, notations=notations) + notes("D4 E4 F4")))).notes[0].duration_s


def test_articulations_shorten_and_slurs_overlap() -> None:
    staccatissimo, staccato = (lengths(f"<articulations><{m}/></articulations>") for m in ("staccatissimo", "staccato"))
    tenuto, slurred, plain = (
        lengths("<articulations><tenuto/></articulations>"),
        lengths('<slur type="start"/>'),
        lengths(""),
    )
    assert staccatissimo < staccato < plain < tenuto < slurred
    assert staccato == pytest.approx(0.25) and tenuto == pytest.approx(0.5) and slurred == pytest.approx(0.53)


def test_slurs_do_not_overlap_a_repeated_key() -> None:
    performance = play(
        score(
            part(
                note("C4", notations='<slur type="start"/>')
                + notes("C4 C4")
                + note("C4", notations='<slur type="stop"/>')
            )
        )
    )
    for one, following in itertools.pairwise(performance.notes):
        assert one.offset_s <= following.onset_s


ORNAMENTS = {
    "trill-mark": (62, 3), "mordent": (59, 3), "inverted-mordent": (62, 3), "turn": (62, 4), "inverted-turn": (59, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", ORNAMENTS)
def test_ornaments_are_played_and_deadpan_plays_one_note(name: str) -> None:
    neighbour, least = ORNAMENTS[name]
    measures = part(note("C4", 8, notations=f"<ornaments><{name}/></ornaments>") + note("G4", 8))
    played = [p for p in pitches(play(score(measures))) if p != 67]
    assert len(played) >= least and neighbour in played and played[-1] == 60
    assert pitches(play(score(measures), deadpan=True)) == [60, 67]


def test_a_trill_goes_to_the_next_note_of_the_key() -> None:
    measures = part(note("E4", 8, notations="<ornaments><trill-mark/></ornaments>") + note("G4", 8), fifths=-1)
    assert set(pitches(play(score(measures)))) == {64, 65, 67}
    sharp = part(note("E4", 8, notations="<ornaments><trill-mark/></ornaments>") + note("G4", 8), fifths=1)
    assert set(pitches(play(score(sharp)))) == {64, 66, 67}


def test_tremolos_repeat_and_alternate() -> None:
    single = note("C4", 16, notations='<ornaments><tremolo type="single">2</tremolo></ornaments>')
    assert pitches(play(score(part(single)))) == [60] * 16
    pair = note("C4", 8, notations='<ornaments><tremolo type="start">2</tremolo></ornaments>')
    pair += note("E4", 8, notations='<ornaments><tremolo type="stop">2</tremolo></ornaments>')
    assert pitches(play(score(part(pair)))) == [60, 64] * 8


def test_an_arpeggio_rises_from_the_beat() -> None:
    chord = "".join(note(n, 16, notations="<arpeggiate/>", chord=i > 0) for i, n in enumerate(("G4", "C4", "E4")))
    performance = play(score(part(chord)))
    assert pitches(performance) == [60, 64, 67] and performance.notes[0].onset_s == 0
    assert performance.notes[0].onset_s < performance.notes[1].onset_s < performance.notes[2].onset_s < 0.2


def test_slashed_grace_notes_come_before_the_beat_and_long_ones_lean_on_it() -> None:
    quick = play(score(part(note("C4") + grace("F4", slash=True) + notes("E4 D4 C4"))))
    assert pitches(quick)[:3] == [60, 65, 64]
    assert 0.4 < quick.notes[1].onset_s < 0.5 == pytest.approx(quick.notes[2].onset_s)
    assert quick.notes[0].offset_s <= quick.notes[1].onset_s + 1e-6
    leaning = play(score(part(note("C4") + grace("F4", slash=False) + notes("E4 D4 C4"))))
    assert leaning.notes[1].onset_s == pytest.approx(0.5) and leaning.notes[2].onset_s == pytest.approx(0.75)
    first = play(score(part(grace("F4", slash=True) + notes(FOUR))))
    assert first.notes[0].onset_s == 0 and 0 < first.notes[1].onset_s < 0.2


def test_pedal_marks_become_controllers_and_a_change_lifts_shortly() -> None:
    start, change, stop = (direction(f'<pedal type="{kind}"/>') for kind in ("start", "change", "stop"))
    controls = play(score(part(start + notes("C4 D4") + change + notes("E4 F4") + stop))).controls
    assert [(c.number, c.value) for c in controls] == [(64, 127), (64, 0), (64, 127), (64, 0)]
    times = [c.time_s for c in controls]
    assert times[:2] == pytest.approx([0, 1]) and 1 < times[2] < 1.1 and times[3] == pytest.approx(2)
    left_down = play(score(part(start + notes(FOUR)))).controls
    assert (left_down[-1].value, left_down[-1].time_s) == (0, pytest.approx(2.0))


# -- parts -------------------------------------------------------------------------------------------------------------


def midi(channel: int, program: int, more: str = "") -> str:
    return (
        '<score-instrument id="I"><instrument-name>x</instrument-name></score-instrument><midi-instrument id="I">'
        f"<midi-channel>{channel}</midi-channel><midi-program>{program}</midi-program>{more}</midi-instrument>"
    )


def test_parts_get_tracks_channels_and_programs_from_the_file_or_their_name() -> None:
    one = part(notes(FOUR))
    drums = midi(10, 1, "<midi-unpitched>39</midi-unpitched>")
    performance = play(score(one, one, one, names=("Violine II", "X", "Snare Drum"), headers=("", midi(2, 74), drums)))
    assert performance.tracks == ("Violine II", "X", "Snare Drum")
    assert [(p.channel, p.program) for p in performance.programs] == [(0, 40), (1, 73)]
    assert {n.track: n.channel for n in performance.notes} == {0: 0, 1: 1, 2: 9}
    assert {n.pitch for n in performance.notes if n.channel == 9} == {38}


def test_an_instrument_that_is_asked_for_plays_all_pitched_parts() -> None:
    performance = play(score(part(notes(FOUR)), part(notes(FOUR)), names=("Flute", "Oboe")), instrument="violin")
    assert {p.program for p in performance.programs} == {40}
    with pytest.raises(InvalidValue, match="no General MIDI instrument"):
        play(score(part(notes(FOUR))), instrument="spoon of doom")


def test_more_than_fifteen_parts_share_channels_by_program() -> None:
    names = tuple(itertools.islice(itertools.cycle(("Violin", "Flute", "Cello", "Oboe", "Trumpet")), 20))
    performance = play(score(*[part(notes(f"C{1 + i % 5} E4 G4 C5")) for i in range(20)], names=names))
    channels = {n.track: n.channel for n in performance.notes}
    assert 9 not in channels.values() and len(set(channels.values())) == 5
    assert all(channels[i] == channels[i % 5] for i in channels)


def overlaps(performance: Performance) -> int:
    keys: dict[tuple[int, int], list[Note]] = defaultdict(list)
    for n in performance.notes:
        keys[n.channel, n.pitch].append(n)
    return sum(b.onset_s < a.offset_s for same in keys.values() for a, b in itertools.pairwise(same))


def test_a_key_is_never_struck_while_it_is_down() -> None:
    two_voices = notes("C4 C4 C4 C4") + "<backup><duration>16</duration></backup>" + note("C4", 16, voice=2)
    trilled = note("C4", 8, notations="<ornaments><trill-mark/></ornaments>") + note("D4", 8)
    for measure in (two_voices, trilled):
        for deadpan in (True, False):
            assert overlaps(play(score(part(measure), part(measure)), deadpan=deadpan)) == 0


def test_cue_notes_are_silent_and_quarter_tones_are_told() -> None:
    context = Context()
    cue = f"<note><cue/>{note('G5')[6:]}"
    quarter_tone = note("D4").replace("</step>", "</step><alter>0.5</alter>")
    assert len(play(score(part(cue + quarter_tone + notes("E4 F4"))), context).notes) == 3
    assert any("Quarter tones" in warning for warning in context.warnings)


def test_a_score_without_notes_is_refused_in_a_sentence() -> None:
    with pytest.raises(NothingFound, match="no notes"):
        play(score(part(note("r", 16))))
    with pytest.raises(UnreadableFile, match="no measures"):
        play(Notation(b"<score-partwise/>"))


def test_importing_the_performer_imports_nothing_heavy() -> None:
    code = "import sys, model_runtime.engines.performer; print({'scipy', 'mido', 'music21'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


# -- against MuseScore -------------------------------------------------------------------------------------------------


def musescore_notes(notation: Notation, folder: Path) -> list[tuple[float, int]]:
    """(onset in quarters, pitch) of what MuseScore 3 plays."""
    source, made = folder / "score.musicxml", folder / "score.mid"
    source.write_bytes(notation.musicxml)
    subprocess.run(
        ["mscore3", "-o", str(made), str(source)],
        check=True, capture_output=True, timeout=120, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    file = mido.MidiFile(made)
    found = []
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity > 0:
                found.append((round(now / file.ticks_per_beat, 2), message.note))
    return sorted(found)


THREE_FOUR = "<attributes><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
CLARINET = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"


def tied(name: str, length: int, way: str) -> str:
    """A note with one end of a tie."""
    return note(name, length, f'<tie type="{way}"/>', notations=f'<tied type="{way}"/>')


def triplet() -> str:
    """A beat in three, the middle one a rest; divisions change to 12 and back."""
    ratio = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>"
    eighth = "<type>eighth</type>" + ratio
    beat = "".join(note(name, 4, kind=eighth) for name in ("G4", "r", "B4"))
    return f"<attributes><divisions>12</divisions></attributes>{beat}<attributes><divisions>4</divisions></attributes>"


def test_deadpan_is_note_for_note_what_musescore_plays(tmp_path: Path) -> None:
    """Pickup, chords, voices, ties, triplets, repeats with endings, a change of metre, tempo, a transposing part."""
    second_voice = note("C4", 2, voice=2) + note("D4", 6, voice=2, kind="<type>quarter</type><dot/>")
    second_voice += note("E4", 8, voice=2)
    upper = part(
        tempo(90) + note("G4"),
        repeat("forward") + note("C5") + note("E5", chord=True) + notes("D5 E5") + tied("F5", 4, "start"),
        tied("F5", 8, "stop") + note("A4", 8) + "<backup><duration>16</duration></backup>" + second_voice,
        ending("1", "start") + triplet() + notes("C5 D5 E5") + ending("1", "stop", back=True),
        ending("2", "start") + notes(FOUR) + ending("2", "discontinue"),
        THREE_FOUR + tempo(140) + notes("G4 A4 B4"),
    )
    lower = part(
        note("r"),
        repeat("forward") + notes("C4 E4 G4 C5"),
        notes(FOUR),
        ending("1", "start") + note("D4", 16) + ending("1", "stop", back=True),
        ending("2", "start") + note("E4", 16) + ending("2", "discontinue"),
        THREE_FOUR + notes("C4 D4 E4"),
        more=CLARINET,
    )
    made = score(upper, lower, names=("Piano", "Clarinet"))
    ours = play(made, deadpan=True)
    heard = sorted(zip((round(q, 2) for q in quarters(ours)), pitches(ours), strict=True))
    assert heard == musescore_notes(made, tmp_path)


def test_jumps_are_those_of_musescore(tmp_path: Path) -> None:
    measures = part(
        notes(FOUR), SEGNO + notes("E4 E4 G4 G4"), notes("A4 A4 F4 F4") + TO_CODA,
        notes("D4 D4 D4 D4") + SEGNO_CODA, CODA + notes("C4 G4 C4 G4"),
    )  # fmt: skip
    made = score(measures)
    ours = play(made, deadpan=True)
    heard = sorted(zip((round(q, 2) for q in quarters(ours)), pitches(ours), strict=True))
    assert heard == musescore_notes(made, tmp_path)

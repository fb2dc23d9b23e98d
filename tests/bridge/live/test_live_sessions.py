"""Sessions in the daemon: real processes, real packets, and REAPER's keys, none of which stays down."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import mido
import pytest
from band import PACKET, Ears, Sending, free_port, midi_packet, packets, plucked, strings, until
from house import Build, House

from bridge.live.heard import Heard
from bridge.live.note_log import NoteLog
from protocol.live import (
    LiveEnded,
    LiveKeep,
    LiveKept,
    LiveList,
    LiveNote,
    LiveSources,
    LiveStart,
    LiveStarted,
    LiveState,
    LiveStatus,
    LiveStop,
)
from protocol.live_places import ReaStreamSource
from protocol.messages import Accepted, Content, Error, LiveHeardSource, Message, Submit
from protocol.reastream import AudioPacket, encode

MELODY = [(0.2 + 0.3 * i, pitch, 0.25) for i, pitch in enumerate((60, 64, 67, 72, 71, 67))]
SECONDS = 2.5


@pytest.fixture
async def house(build: Build) -> House:
    return await build(live_sessions=3)


async def start(house: House, port: int, live: str = "one", **fields: Any) -> LiveStarted:
    """A session that listens to ReaStream on a port."""
    source = fields.pop("source", None) or ReaStreamSource(port=port)
    request = LiveStart.model_validate({"live": live, "source": source, "formats": [], **fields})
    answer = await house.ask(request, client=fields.get("client", "me"))
    assert isinstance(answer, LiveStarted), answer
    return answer


def events(house: House, live: str, kind: type[Content]) -> list[Any]:
    """What was told of a session."""
    told = [message for message in house.heard if message.content.get("live") == live]
    return [content for content in (message.parsed() for message in told) if isinstance(content, kind)]


async def ended(house: House, live: str = "one") -> LiveEnded:
    await house.until(lambda: bool(events(house, live, LiveEnded)))
    (end,) = events(house, live, LiveEnded)
    assert isinstance(end, LiveEnded)
    return end


async def in_thread(work: Callable[[], object]) -> None:
    await asyncio.to_thread(work)


async def test_what_a_band_plays_is_heard_told_played_and_kept(house: House, ears: Ears) -> None:
    port = free_port()
    started = await start(house, port, destinations=[f"reaper:{ears.port}", f"osc:{ears.port}"], formats=["mid"])
    await in_thread(Sending(port, packets(plucked(MELODY, SECONDS))).wait)
    end = await house.ask(LiveStop(live="one"))

    assert started.reader == "tone_listener:open_listener"
    assert isinstance(end, LiveEnded)
    assert (end.reason, end.notes) == ("stopped", len(MELODY))
    confirmed = [note for note in events(house, "one", LiveNote) if note.phase == "confirmed"]
    assert [note.pitch for note in confirmed] == [pitch for _, pitch, _ in MELODY]
    for note, (onset_s, _, _) in zip(confirmed, MELODY, strict=True):
        assert note.onset == pytest.approx(onset_s, abs=0.08)
    assert ears.pressed == [note.pitch for note in events(house, "one", LiveNote) if note.phase == "provisional"]
    until(lambda: not ears.down)
    assert not ears.wrong
    assert sum(address == "/scorebridge/live/note" for address, _ in ears.messages) >= 2 * len(MELODY)

    (artefact,) = end.artefacts
    struck = [
        message.note for message in mido.MidiFile(artefact.path) if message.type == "note_on" and message.velocity
    ]
    assert struck == [pitch for _, pitch, _ in MELODY]


async def test_the_reader_that_comes_with_scorebridge_hears_strings_in_stereo_at_another_rate(
    build: Build, ears: Ears
) -> None:
    house = await build(live_reader="unified")
    port, rate = free_port(), 44_100
    started = await start(house, port, destinations=[f"reaper:{ears.port}"])
    played = [(0.5 + 0.4 * i, pitch, 0.35) for i, pitch in enumerate((57, 60, 64, 69, 64))]
    sound = strings(played, 3.2, rate)
    half = PACKET // 2  # frames; two channels of them fill a packet
    blocks = [tuple(sound[i : i + half].tolist()) for i in range(0, len(sound), half)]
    sent = [encode(AudioPacket("band", rate, (block, block))) for block in blocks]
    await in_thread(Sending(port, sent, 2 * rate).wait)
    await house.ask(LiveStop(live="one"))
    confirmed = [note for note in events(house, "one", LiveNote) if note.phase == "confirmed"]
    right = [(t, p) for t, p, _ in played if any(n.pitch == p and abs(n.onset - t) < 0.08 for n in confirmed)]
    assert started.reader == "unified"
    assert 0 < started.look_ahead < 0.15
    assert len(right) >= 4
    assert not ears.down
    assert not ears.wrong


async def test_the_state_tells_of_level_latency_and_packets(house: House) -> None:
    port = free_port()
    await start(house, port)
    sending = Sending(port, packets(plucked(MELODY, SECONDS)))
    await house.until(lambda: any(s.latency is not None for s in events(house, "one", LiveState)))
    state = await house.ask(LiveStatus(live="one"))
    await in_thread(sending.wait)
    assert state.phase == "listening"
    assert -60 < max(s.level for s in events(house, "one", LiveState)) < 0
    assert 0 < state.latency <= state.latency_p95 < 5
    assert state.packets > 50
    assert state.receiving
    assert (state.doubled, state.malformed) == (0, 0)
    assert [s.live for s in (await house.ask(LiveList())).sessions] == ["one"]


async def test_senders_are_told_apart_by_their_identifiers(house: House) -> None:
    port = free_port()
    low, high = plucked([(0.3, 60, 0.4)], 1.2), plucked([(0.3, 84, 0.4)], 1.2)
    await start(house, port, "low", source=ReaStreamSource(identifier="bass", port=port))
    await start(house, port, "high", source=ReaStreamSource(identifier="flute", port=port))
    both = [list(pair) for pair in zip(packets(low, "bass"), packets(high, "flute"), strict=True)]
    await in_thread(Sending(port, both).wait)
    await asyncio.gather(*(house.ask(LiveStop(live=live)) for live in ("low", "high")))
    for live, pitch in (("low", 60), ("high", 84)):
        assert {n.pitch for n in events(house, live, LiveNote) if n.phase == "confirmed"} == {pitch}


async def test_lost_doubled_and_broken_packets_are_counted_and_nothing_stays_down(house: House, ears: Ears) -> None:
    port = free_port()
    await start(house, port, destinations=[f"reaper:{ears.port}"])
    sent: list[bytes | list[bytes] | None] = list(packets(plucked(MELODY, SECONDS)))
    for number in range(150, 340, 12):
        sent[number] = None
    for number in range(205, 300, 24):
        sent[number] = [sent[number], sent[number]]  # type: ignore[list-item]
    sent[60] = [sent[60], b"MRSR" + bytes(60), b"nonsense"]  # type: ignore[list-item]
    await in_thread(Sending(port, sent).wait)
    await house.ask(LiveStop(live="one"))
    state = events(house, "one", LiveState)[-1]
    assert state.doubled == 4
    assert state.malformed >= 1
    assert state.lost >= 10
    assert not ears.down
    assert not ears.wrong


async def test_when_a_sender_falls_silent_its_notes_come_to_their_end(house: House, ears: Ears) -> None:
    port = free_port()
    await start(house, port, destinations=[f"reaper:{ears.port}"])
    sending = Sending(port, packets(plucked([(0.2, 64, 9.0)], 9.5)))
    await house.until(lambda: bool(ears.down))
    sending.stop()
    await house.until(lambda: not ears.down)
    await house.until(lambda: events(house, "one", LiveState)[-1].code == "silent")


async def test_a_killed_process_leaves_no_key_down_and_what_it_heard_is_kept(house: House, ears: Ears) -> None:
    port = free_port()
    await start(house, port, destinations=[f"reaper:{ears.port}", f"osc:{ears.port}"], formats=["mid"])
    sending = Sending(port, packets(plucked([(0.2, 64, 20.0)], 20.0)))
    await house.until(lambda: any(n.phase == "confirmed" for n in events(house, "one", LiveNote)))
    worker = house.live._sessions["one"].worker
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    end = await ended(house)
    sending.stop()
    assert (end.reason, end.code) == ("failed", "worker_died")
    assert events(house, "one", LiveNote)[-1].offset is not None
    until(lambda: not ears.down)
    assert [a.format for a in end.artefacts] == ["mid"]


async def test_when_the_daemon_is_gone_the_process_lets_its_keys_up(house: House, ears: Ears) -> None:
    port = free_port()
    await start(house, port, destinations=[f"reaper:{ears.port}"])
    sending = Sending(port, packets(plucked([(0.2, 64, 20.0)], 20.0)))
    await house.until(lambda: bool(ears.down))
    session = house.live._sessions["one"]
    assert session.worker is not None
    session.press = lambda message: None  # type: ignore[method-assign]  # the daemon's own release sends nothing
    session.pressed.clear()
    session.worker.writer.close()  # what its process sees of a daemon that was killed
    await house.until(lambda: not ears.down)
    sending.stop()
    await ended(house)


async def test_a_reader_that_fails_ends_its_session_with_a_sentence(build: Build, ears: Ears) -> None:
    house = await build(live_reader="tone_listener:open_broken")
    port = free_port()
    await start(house, port, destinations=[f"reaper:{ears.port}"])
    sending = Sending(port, packets(plucked(MELODY, SECONDS)))
    end = await ended(house)
    sending.stop()
    assert (end.reason, end.code) == ("failed", "internal_error")
    assert "ZeroDivisionError" in end.message


async def test_midi_over_reastream_becomes_notation(house: House) -> None:
    port = free_port()
    source = ReaStreamSource(identifier="keys", carries="midi", port=port)
    await start(house, port, source=source, formats=["musicxml"])
    chord = [bytes([0x90, pitch, 80]) for pitch in (60, 64, 67)]
    up = [bytes([0x80, pitch, 0]) for pitch in (60, 64, 67)]
    bars: list[bytes | list[bytes] | None] = [None] * 400
    for beat in range(4):
        bars[10 + 80 * beat] = midi_packet(*chord, identifier="keys")
        bars[80 + 80 * beat] = midi_packet(*up, identifier="keys")
    await in_thread(Sending(port, bars).wait)
    end = await house.ask(LiveStop(live="one"))
    assert end.notes == 12
    document = Path(end.artefacts[0].path).read_text()
    assert document.count("<chord") >= 8
    assert [n.latency < 1 for n in events(house, "one", LiveNote) if n.latency is not None] == [True] * 12


async def test_the_last_seconds_can_be_kept_while_it_goes_on_and_after_it_has_ended(house: House) -> None:
    port = free_port()
    await start(house, port)
    await in_thread(Sending(port, packets(plucked(MELODY, SECONDS))).wait)
    going: LiveKept = await house.ask(LiveKeep(live="one", seconds=1.6, formats=["notes", "mid"]))
    await house.ask(LiveStop(live="one"))
    after: LiveKept = await house.ask(LiveKeep(live="one", seconds=None))
    assert [note.pitch for note in after.notes] == [pitch for _, pitch, _ in MELODY]
    assert 1 <= len(going.notes) < len(MELODY)
    assert {artefact.format for artefact in going.artefacts} == {"notes", "mid"}
    assert all(note.onset >= going.start - 0.01 for note in going.notes)
    assert after.started > 1_000_000_000


async def test_the_last_bars_can_be_kept(house: House, tmp_path: Path) -> None:
    midi = mido.MidiFile()
    track = mido.MidiTrack()
    for pitch in [60, 62, 64, 65] * 3:
        track.append(mido.Message("note_on", note=pitch, velocity=80))
        track.append(mido.Message("note_off", note=pitch, time=120))  # 0.125 s
    midi.tracks.append(track)
    midi.save(tmp_path / "a.mid")
    await start(house, 0, source=f"file:{tmp_path / 'a.mid'}")
    await ended(house)
    options = {"tempo_map": {"bpm": 480, "meters": [{"numerator": 4, "denominator": 4}]}}
    kept = await house.ask(LiveKeep(live="one", seconds=None, bars=2, formats=["musicxml"], options=options))
    assert Path(kept.artefacts[0].path).read_text().count("<measure ") == 2


async def test_a_job_can_begin_with_what_was_just_played(house: House, tmp_path: Path) -> None:
    source = LiveHeardSource(seconds=10)
    refused = await house.ask(Submit(job="early", source=source, target=["notes"]))
    assert (refused.code, refused.job) == ("unknown_live", "early")
    port = free_port()
    await start(house, port)
    assert (await house.ask(Submit(job="silent", source=source, target=["notes"]))).code == "nothing_heard"
    await in_thread(Sending(port, packets(plucked(MELODY, SECONDS))).wait)
    wanted = Submit(job="heard", source=source, target=["notes"], options={"last_measures": 1})
    assert isinstance(await house.ask(wanted), Accepted)
    done = await house.end_of("heard")
    assert [artefact.format for artefact in done.artefacts] == ["notes"]
    assert (await house.ask(wanted)).phase == "done"


@pytest.mark.parametrize("stop_first", [False, True])
async def test_a_session_ends_with_the_lease_of_who_started_it(house: House, *, stop_first: bool) -> None:
    port = free_port()
    await start(house, port, lease=0.4)
    for _ in range(4):
        await asyncio.sleep(0.2)
        assert (await house.ask(LiveStatus(live="one"))).phase == "listening"
    if stop_first:
        assert (await house.ask(LiveStop(live="one"))).reason == "stopped"
    else:
        assert (await ended(house)).reason == "lease"


async def test_no_more_sessions_are_taken_than_the_machine_bears(house: House) -> None:
    port = free_port()
    for live in ("a", "b", "c"):
        await start(house, port, live)
    refused = await house.ask(LiveStart(live="d", source=ReaStreamSource(port=port)))
    assert isinstance(refused, Error)
    assert refused.code == "busy"
    assert "3 live sessions" in refused.message
    await house.ask(LiveStop(live="a"))
    await start(house, port, "d")


async def test_starting_again_answers_as_it_stands_and_stopping_again_how_it_ended(house: House) -> None:
    port = free_port()
    first = await start(house, port)
    assert await start(house, port) == first
    end = await house.ask(LiveStop(live="one"))
    assert await house.ask(LiveStop(live="one")) == end
    again = await house.ask(LiveStart(live="one", source=ReaStreamSource(port=port)))
    assert again.code == "live_exists"
    assert len(events(house, "one", LiveEnded)) == 1


Ask = Callable[[House, Path], Awaitable[Any]]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("file:/nowhere/take.wav", "not_found"),
        ("recording:take.wav", "invalid_path"),
        ("file:/etc/hostname", "not_allowed"),
        ("jack:a port that is not there", "source_unavailable"),
        ("soundcard:a card that is not there", "source_unavailable"),
        ("gramophone", "invalid_message"),
        ("reastream:x@1.2.3.4:5000", "source_unavailable"),
    ],
)
async def test_what_cannot_be_listened_to_is_refused_in_a_sentence(
    house: House, source: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody")
    answer = await house.send(Message(type="live.start", content={"live": "one", "source": source}))
    assert isinstance(answer, Error), answer
    assert answer.code == code
    assert answer.message
    assert (await house.ask(LiveList())).sessions == []


async def test_nothing_heard_is_said_with_who_else_sends(house: House) -> None:
    port = free_port()
    await start(house, port, source=ReaStreamSource(identifier="piano", port=port))
    sending = Sending(port, packets(plucked([], 8.0), "organ"))
    await house.until(lambda: any("organ" in state.message for state in events(house, "one", LiveState)))
    sending.stop()
    assert events(house, "one", LiveState)[-1].code == "nothing_heard"


async def test_shutting_down_ends_sessions_with_their_files(house: House, ears: Ears) -> None:
    port = free_port()
    await start(house, port, destinations=[f"reaper:{ears.port}"], formats=["mid"])
    sending = Sending(port, packets(plucked([(0.2, 64, 20.0)], 20.0)))
    await house.until(lambda: any(n.phase == "confirmed" for n in events(house, "one", LiveNote)))
    await house.live.close()
    sending.stop()
    end = await ended(house)
    assert end.reason == "shutdown"
    assert len(end.artefacts) == 1
    until(lambda: not ears.down)
    refused = await house.ask(LiveStart(live="two", source=ReaStreamSource(port=port)))
    assert refused.code == "shutting_down"


async def test_what_a_session_had_heard_when_the_daemon_was_killed_is_a_midi_file_after_its_restart(
    build: Build, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "live"
    folder.mkdir(parents=True)
    log = NoteLog(folder / "abc.notes")
    log.add([Heard(n, "confirmed", 60 + n, 5.0 + n, None if n == 2 else 5.5 + n, 80, 1.0) for n in range(3)])
    log.close()
    NoteLog(folder / "empty.notes").close()
    house = await build()
    house.live.recover()
    done = await house.end_of("live-recovered-abc")
    notes = [m.note for m in mido.MidiFile(done.artefacts[0].path) if m.type == "note_on" and m.velocity]
    assert notes == [60, 61, 62]
    await house.until(lambda: not list(folder.glob("*.notes")))


async def test_sources_are_listed_with_what_is_missing_for_the_rest(house: House) -> None:
    answer = await house.ask(LiveSources())
    assert {found.kind for found in answer.sources} == {"reastream", "soundcard", "jack", "midi"}
    for found in answer.sources:
        assert found.ready == bool(found.source)
        assert found.ready or found.reason

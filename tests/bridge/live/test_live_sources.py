"""Each source brings the sound that is there, and says in a sentence what is missing."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from band import midi_packet, packets, plucked

from bridge.live.destinations.midi_port import VirtualMidiPort
from bridge.live.keyboard import Stroke
from bridge.live.sources import open_source
from bridge.live.sources.base import Block, Item, MidiEvent, SourceEnded, SourceUnavailable
from bridge.live.sources.reastream import ARRIVAL, ReaStreamMidiSource, ReaStreamSource
from model_runtime import files
from model_runtime.errors import UnreadableFile
from model_runtime.modality import Note, Performance
from protocol.live import LiveSourceInfo
from protocol.live_places import (
    JackSource,
    MidiDestination,
    MidiSource,
    PlayedFileSource,
    RecordingSource,
    SoundCardSource,
)

RATE = 48_000
TONE = plucked([(0.0, 69, 1.0)], 1.0)


def sound_of(items: list[Item]) -> np.ndarray:
    return np.concatenate([item.samples for item in items if isinstance(item, Block)] or [np.zeros(0, np.float32)])


def drained(source: object, seconds: float = 0.3) -> list[Item]:
    items: list[Item] = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        items += source.read(0.02)  # type: ignore[attr-defined]
    return items


# ---- a recording that grows ----------------------------------------------------------------------------------------


class Recorder:
    """Writes a WAV as a workstation does while it records: the header's sizes come last."""

    def __init__(self, path: Path, bits: int = 24, kind: int = 1, stale: int = 0, channels: int = 1) -> None:
        self.path = path
        self._kind, self._bits, self._channels = kind, bits, channels
        frame = channels * bits // 8
        self._file = path.open("wb", buffering=0)
        junk = b"JUNK" + struct.pack("<I", 4) + b"\0" * 4  # REAPER leaves room for RF64
        form = b"fmt " + struct.pack("<IHHIIHH", 16, kind, channels, RATE, RATE * frame, frame, bits)
        self._file.write(
            b"RIFF" + struct.pack("<I", stale) + b"WAVE" + junk + form + b"data" + struct.pack("<I", stale)
        )
        self._start = self._file.tell()

    def record(self, sound: np.ndarray) -> None:
        if self._kind == 3:
            content = sound.astype("<f4").tobytes()
        elif self._bits == 24:
            content = (sound * (1 << 23)).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
        else:
            content = (sound * (1 << 15)).astype("<i2").tobytes()
        self._file.write(content)

    def finish(self) -> None:
        data = self._file.tell() - self._start
        self._file.write(b"cue " + struct.pack("<I", 4) + b"\xff" * 4)
        self._file.seek(4)
        self._file.write(struct.pack("<I", self._start + data + 12 - 8))
        self._file.seek(self._start - 4)
        self._file.write(struct.pack("<I", data))
        self._file.close()


@pytest.mark.parametrize(("bits", "kind"), [(16, 1), (24, 1), (32, 3)])
@pytest.mark.parametrize("stale", [0, 0xFFFFFFFF, 96])
def test_a_growing_recording_is_followed_whatever_its_header_says(
    tmp_path: Path, bits: int, kind: int, stale: int
) -> None:
    recorder = Recorder(tmp_path / "take.wav", bits, kind, stale)
    recorder.record(TONE[:10_000])
    source = open_source(RecordingSource(path=str(recorder.path)), None)
    assert source.sample_rate == RATE
    heard = [sound_of(drained(source, 0.05))]
    recorder.record(TONE[10_000:])
    heard.append(sound_of(drained(source, 0.05)))
    assert source.receiving
    np.testing.assert_allclose(np.concatenate(heard), TONE, atol=2 / 32768)
    recorder.finish()
    with pytest.raises(SourceEnded):
        drained(source, 5)
    source.close()


def test_only_what_is_recorded_from_now_on_is_heard_where_that_is_asked(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "take.wav")
    recorder.record(TONE[:30_000])
    source = open_source(RecordingSource(path=str(recorder.path), from_start=False), None)
    recorder.record(TONE[30_000:])
    np.testing.assert_allclose(sound_of(drained(source, 0.05)), TONE[30_000:], atol=1e-6)
    source.close()
    recorder.finish()


def test_half_a_sample_waits_for_its_other_half(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "take.wav")
    source = open_source(RecordingSource(path=str(recorder.path)), None)
    recorder._file.write(b"\0\0")
    assert source.read(0.02) == []
    recorder._file.write(b"\x40\0")
    np.testing.assert_allclose(sound_of(source.read(0.02)), [0.5])
    source.close()
    recorder.finish()


def test_what_is_no_wav_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "take.wav").write_bytes(b"fLaC" + bytes(100))
    with pytest.raises(SourceUnavailable, match="not a WAV file"):
        open_source(RecordingSource(path=str(tmp_path / "take.wav")), None)
    recorder = Recorder(tmp_path / "b.wav", bits=8)
    with pytest.raises(UnreadableFile, match="cannot be followed"):
        open_source(RecordingSource(path=str(recorder.path)), None)
    recorder.finish()


# ---- a file that is played -----------------------------------------------------------------------------------------


def test_a_recording_is_played_at_the_speed_of_real_time(tmp_path: Path) -> None:
    stereo = np.stack([TONE[:24_000], TONE[:24_000]], 1)
    soundfile.write(tmp_path / "a.wav", stereo, RATE, subtype="FLOAT")
    source = open_source(PlayedFileSource(path=str(tmp_path / "a.wav")), None)
    begun_s = time.monotonic()
    items: list[Item] = []
    with pytest.raises(SourceEnded):
        while True:
            items += source.read(0.02)
    assert time.monotonic() - begun_s >= 0.49
    np.testing.assert_allclose(sound_of(items), TONE[:24_000], atol=1e-6)
    arrivals = [item.arrival_s for item in items]
    np.testing.assert_allclose(np.diff(arrivals), 0.01, atol=1e-6)


def test_a_midi_file_is_played_note_by_note(tmp_path: Path) -> None:
    notes = (Note(0.0, 0.1, 60, 70), Note(0.1, 0.2, 60, 80))
    files.write(Performance(notes), tmp_path / "a.mid")
    source = open_source(PlayedFileSource(path=str(tmp_path / "a.mid")), None)
    items: list[Item] = []
    with pytest.raises(SourceEnded):
        while True:
            items += source.read(0.02)
    assert source.sample_rate == 0
    messages = [item.data[:2].hex() for item in items if isinstance(item, MidiEvent)]
    assert messages == ["903c", "803c", "903c", "803c"]


def test_a_score_cannot_be_played_to_a_session(tmp_path: Path) -> None:
    files.write(Performance((Note(0.0, 0.5, 60),)), tmp_path / "a.mid")
    from model_runtime.translation import translate_files

    translate_files(tmp_path / "a.mid", ["musicxml"], tmp_path)
    with pytest.raises(SourceUnavailable, match="not a recording"):
        open_source(PlayedFileSource(path=str(tmp_path / "a.musicxml")), None)


# ---- ReaStream -----------------------------------------------------------------------------------------------------


def given_packets(*datagrams: bytes, spacing_s: float = 300 / RATE) -> socket.socket:
    """The session's end of the daemon's port, with packets in it that came one after another."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    assert len(datagrams) <= 60  # more would not fit
    begun_s = time.monotonic()
    for number, datagram in enumerate(datagrams):
        ours.send(ARRIVAL.pack(begun_s + number * spacing_s) + datagram)
    ours.close()
    return theirs


def test_packets_become_the_sound_that_was_sent() -> None:
    source = ReaStreamSource(given_packets(*packets(TONE[:9000])), "a")
    np.testing.assert_array_equal(sound_of(drained(source, 0.1))[:9000], TONE[:9000])
    assert (source.sample_rate, source.counts.packets, source.counts.lost) == (RATE, 30, 0)
    source.close()


def test_a_doubled_packet_is_heard_once_but_silence_is_not_taken_for_one() -> None:
    sent = packets(np.concatenate([TONE[:3000], np.zeros(3000, np.float32)]))
    doubled = [sent[0], sent[1], sent[1], *sent[2:]]
    source = ReaStreamSource(given_packets(*doubled), "a")
    items = drained(source, 0.1)
    np.testing.assert_array_equal(sound_of(items)[:6000], np.concatenate([TONE[:3000], np.zeros(3000)]))
    assert source.counts.doubled == 1
    source.close()


def test_broken_packets_are_counted_and_left_out() -> None:
    sent = packets(TONE[:1200])
    absurd = bytearray(sent[1])
    absurd[41:45] = struct.pack("<i", 3)  # 3 Hz
    bad = [sent[0][:60], b"MRSR", bytes(absurd), sent[0][:-1] + b"\0\0"]
    source = ReaStreamSource(given_packets(*bad, *sent), "a")
    np.testing.assert_array_equal(sound_of(drained(source, 0.1))[:1200], TONE[:1200])
    assert source.counts.malformed == 4
    source.close()


def test_samples_that_are_no_numbers_are_silence() -> None:
    sound = TONE[:300].copy()
    sound[5], sound[6] = np.nan, np.inf
    source = ReaStreamSource(given_packets(*packets(sound)), "a")
    sound[5:7] = 0
    np.testing.assert_array_equal(sound_of(drained(source, 0.1))[:300], sound)
    source.close()


def test_a_sender_may_change_its_sample_rate() -> None:
    sent = [*packets(TONE[:600]), *packets(TONE[:600], rate=44_100)]
    source = ReaStreamSource(given_packets(*sent), "a")
    heard = {RATE: 0, 44_100: 0}
    end_s = time.monotonic() + 0.3
    while time.monotonic() < end_s:
        items = source.read(0.02)
        if items:
            heard[source.sample_rate] += len(sound_of(items))
    assert heard == {RATE: 600, 44_100: 600}
    source.close()


def test_a_pause_becomes_silence_so_that_what_sounds_can_end() -> None:
    sound = TONE[: 300 * 60]
    source = ReaStreamSource(given_packets(*packets(sound)), "a")
    heard = sound_of(drained(source, 2.0))
    silence = heard[len(sound) :]
    assert not source.receiving
    np.testing.assert_array_equal(heard[: len(sound)], sound)
    assert len(silence) > 0.2 * RATE
    assert not silence.any()
    source.close()


def test_midi_over_reastream_is_read() -> None:
    source = ReaStreamMidiSource(
        given_packets(midi_packet(b"\x90\x3c\x50", b"\xb0\x40\x7f"), midi_packet(b"\x80\x3c\x00")), "a"
    )
    items = drained(source, 0.1)
    assert [item.data[:3].hex() for item in items if isinstance(item, MidiEvent)] == ["903c50", "b0407f", "803c00"]
    source.close()


# ---- devices that are not there ------------------------------------------------------------------------------------


def test_a_machine_without_sound_input_says_so() -> None:
    import sounddevice

    if any(device["max_input_channels"] for device in sounddevice.query_devices()):
        with pytest.raises(SourceUnavailable, match=r"no sound input called .*There are"):
            open_source(SoundCardSource(device="a device of this name"), None)
    else:
        with pytest.raises(SourceUnavailable, match="no sound input"):
            open_source(SoundCardSource(), None)


def test_without_jack_or_midi_a_sentence_says_what_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody")
    monkeypatch.setenv("ALSA_CONFIG_PATH", "/nowhere")
    command = [sys.executable, "-m", "bridge.live.found", "jack", "midi"]
    printed = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout
    jack, midi = (LiveSourceInfo.model_validate(found) for found in json.loads(printed))
    assert (jack.ready, jack.reason) == (False, "No JACK server runs.")
    assert "pipewire" in jack.hint
    assert (midi.ready, midi.reason) == (False, "This machine's MIDI system does not answer.")
    assert "snd-seq" in midi.hint


# ---- a real JACK server --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jack_server() -> Iterator[str]:
    """A JACK server of the tests' own, without hardware. One for all: libjack keeps to the first that it has met."""
    name = f"scorebridge-{uuid.uuid4().hex[:8]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACK_DEFAULT_SERVER", name)
        patch.setenv("ALSA_CONFIG_PATH", "/nowhere")  # MIDI by JACK, also where ALSA has a sequencer
        yield from _server(name)


def _server(name: str) -> Iterator[str]:
    tied = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()  # killed tests leave no server behind
    command = [*tied, "jackd", "--no-realtime", "-n", name, "-d", "dummy", "-r", "48000", "-p", "256"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    import jack

    jack.set_error_function(lambda _: None)
    jack.set_info_function(lambda _: None)
    end_s = time.monotonic() + 20
    while True:
        try:
            jack.Client("probe", no_start_server=True).close()
            break
        except jack.JackError:
            assert time.monotonic() < end_s, "the JACK server did not start"
            time.sleep(0.05)
    yield name
    server.terminate()
    server.wait(10)


def test_sound_of_another_jack_program_is_heard(jack_server: str) -> None:
    import jack

    player = jack.Client("player", no_start_server=True)
    port = player.outports.register("out")
    place = 0

    @player.set_process_callback
    def play(frames: int) -> None:
        nonlocal place
        port.get_array()[:] = 0.5 * np.sin(2 * np.pi * 480 * np.arange(place, place + frames) / RATE)
        place += frames

    player.activate()
    source = open_source(JackSource(ports=["player:out"]), None)
    try:
        heard = sound_of(drained(source, 1.0))
    finally:
        source.close()
        player.deactivate()
        player.close()
    assert source.sample_rate == RATE
    assert len(heard) > 0.3 * RATE
    spectrum = np.abs(np.fft.rfft(heard[-9600:]))
    assert np.argmax(spectrum) == 96
    assert source.counts.packets > 60


def test_a_jack_port_that_is_not_there_is_named_with_those_that_are(jack_server: str) -> None:
    with pytest.raises(SourceUnavailable, match=r"no output port called 'player:out'.*system:capture_1"):
        open_source(JackSource(ports=["player:out"]), None)


def test_notes_go_out_of_our_virtual_midi_port_and_come_in_by_another(jack_server: str) -> None:
    port = VirtualMidiPort(MidiDestination(name="a-band", channel=3))
    source = open_source(MidiSource(port="a-band"), None)
    try:
        port.play([Stroke(60, 90), Stroke(60, 0)])
        messages = [item.data.hex() for item in drained(source, 1.0) if isinstance(item, MidiEvent)]
    finally:
        source.close()
        port.close()
    assert messages == ["933c5a", "833c40"]

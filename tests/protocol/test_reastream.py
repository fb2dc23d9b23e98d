from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.reastream import AudioPacket, MidiPacket, ReaStreamError, decode, encode

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
SAMPLES = st.floats(width=32, allow_nan=False)


@st.composite
def audio_packets(draw: st.DrawFn) -> AudioPacket:
    channels = draw(st.integers(1, 8))
    frames = draw(st.integers(0, 300 // channels))
    channel = st.lists(SAMPLES, min_size=frames, max_size=frames).map(tuple)
    blocks = draw(st.lists(channel, min_size=channels, max_size=channels))
    return AudioPacket(draw(NAMES), draw(st.integers(1, 384000)), tuple(blocks))


MIDI_PACKETS = st.builds(
    MidiPacket,
    identifier=NAMES,
    events=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=4, max_size=4)), max_size=10).map(tuple),
)


@given(st.one_of(audio_packets(), MIDI_PACKETS))
def test_packets_come_back(packet: AudioPacket | MidiPacket) -> None:
    assert decode(encode(packet)) == packet


def test_the_bytes_are_reapers() -> None:
    datagram = encode(AudioPacket("default", 48000, ((1.0, 2.0), (3.0, 4.0))))
    assert datagram[:8] == b"MRSR" + struct.pack("<i", 47 + 16)
    assert datagram[8:40] == b"default".ljust(32, b"\0")
    assert datagram[40:47] == b"\x02" + struct.pack("<ih", 48000, 16)
    assert datagram[47:] == struct.pack("<4f", 1, 2, 3, 4)  # one channel after the other


def test_a_midi_event_takes_32_bytes() -> None:
    assert len(encode(MidiPacket("default", ((0, b"\x90\x3c\x64\x00"),)))) == 40 + 32


@given(st.one_of(audio_packets(), MIDI_PACKETS), st.data())
def test_a_packet_that_was_cut_or_lengthened_is_refused(packet: AudioPacket | MidiPacket, data: st.DataObject) -> None:
    datagram = encode(packet)
    changed = data.draw(
        st.one_of(st.integers(0, len(datagram) - 1).map(lambda n: datagram[:n]), st.just(datagram + b"x"))
    )
    with pytest.raises(ReaStreamError):
        decode(changed)


@given(st.binary(max_size=100), st.sampled_from([b"", b"MRSR", b"mRSR"]))
def test_garbage_is_refused(garbage: bytes, start: bytes) -> None:
    with pytest.raises(ReaStreamError):
        decode(start + garbage)


@pytest.mark.parametrize(
    "packet",
    [
        AudioPacket("x" * 33, 48000, ((0.0,),)),
        AudioPacket("a\0b", 48000, ((0.0,),)),
        AudioPacket("a", 48000, ()),
        AudioPacket("a", 48000, ((0.0,), (0.0, 0.0))),
        AudioPacket("a", 48000, ((0.0,) * 301,)),
        AudioPacket("a", 1 << 31, ((0.0,),)),
        AudioPacket("a", 48000, ((1e39,),)),
        AudioPacket("a", 48000, ((),) * 256),
        MidiPacket("a", ((0, b""),)),
        MidiPacket("a", ((0, b"12345"),)),
    ],
)
def test_what_reastream_cannot_hold_is_refused(packet: AudioPacket | MidiPacket) -> None:
    with pytest.raises(ReaStreamError):
        encode(packet)

"""ReaStream packets: audio and MIDI that REAPER sends over UDP (port 58710).

Little-endian, audio: "MRSR", packet size (i32), identifier (32 bytes, zero-padded), channels (u8), sample rate (i32),
bytes of samples (i16), then float32 samples, one channel after the other. MIDI: "mRSR", packet size, identifier, then
events of 32 bytes, as VST's `VstMidiEvent` lays them out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from protocol.errors import ProtocolError

PORT = 58710
MAX_BLOCK_BYTES = 1200
AUDIO_HEADER = struct.Struct("<4si32sBih")  # 47 bytes
MIDI_HEADER = struct.Struct("<4si32s")
MIDI_EVENT = struct.Struct("<iiiiii4sBBBB")  # type, size, frame, flags, length, offset, data, detune, velocity, 2 spare
MIDI_TYPE = 1


class ReaStreamError(ProtocolError):
    """The datagram is not a ReaStream packet, or a packet cannot hold what it is to hold."""

    code = "bad_packet"


@dataclass(frozen=True)
class AudioPacket:
    """A block of sound.

    Attributes:
        identifier: Name of the stream, at most 32 bytes of UTF-8.
        sample_rate: In Hz.
        channels: One tuple of float32 samples a channel, all of one length.
    """

    identifier: str
    sample_rate: int
    channels: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class MidiPacket:
    """Short MIDI messages.

    Attributes:
        identifier: Name of the stream.
        events: Pairs of (frame within the block, up to 4 bytes of MIDI, zero-padded to 4).
    """

    identifier: str
    events: tuple[tuple[int, bytes], ...]


def encode(packet: AudioPacket | MidiPacket) -> bytes:
    """A packet as a datagram.

    Raises:
        ReaStreamError: the identifier, the block or a number is too large, or channels differ in length.
    """
    try:
        return _encoded_audio(packet) if isinstance(packet, AudioPacket) else _encoded_midi(packet)
    except (struct.error, OverflowError) as error:
        raise ReaStreamError("A number of the packet is out of its range.") from error


def decode(datagram: bytes) -> AudioPacket | MidiPacket:
    """Read a datagram.

    Raises:
        ReaStreamError: it is no ReaStream packet, or its sizes contradict each other.
    """
    if datagram[:4] == b"MRSR" and len(datagram) >= AUDIO_HEADER.size:
        return _decoded_audio(datagram)
    if datagram[:4] == b"mRSR" and len(datagram) >= MIDI_HEADER.size:
        return _decoded_midi(datagram)
    raise ReaStreamError("The datagram is not a ReaStream packet.")


def _encoded_audio(packet: AudioPacket) -> bytes:
    if not packet.channels or len({len(channel) for channel in packet.channels}) != 1:
        raise ReaStreamError("The channels of a block have one length.")
    flat = [sample for channel in packet.channels for sample in channel]
    samples = struct.pack(f"<{len(flat)}f", *flat)
    if len(samples) > MAX_BLOCK_BYTES:
        raise ReaStreamError(f"A block has at most {MAX_BLOCK_BYTES} bytes of samples.")
    header = AUDIO_HEADER.pack(
        b"MRSR",
        AUDIO_HEADER.size + len(samples),
        _identifier_bytes(packet.identifier),
        len(packet.channels),
        packet.sample_rate,
        len(samples),
    )
    return header + samples


def checked_audio(datagram: bytes) -> tuple[str, int, int]:
    """Identifier, sample rate and number of channels of an audio packet whose samples follow its header.

    Raises:
        ReaStreamError: it is no audio packet, or its sizes contradict each other.
    """
    if datagram[:4] != b"MRSR" or len(datagram) < AUDIO_HEADER.size:
        raise ReaStreamError("The datagram is not a ReaStream packet.")
    _, size, identifier, channels, sample_rate, block_bytes = AUDIO_HEADER.unpack_from(datagram)
    if size != len(datagram) or block_bytes != size - AUDIO_HEADER.size:
        raise ReaStreamError("The packet's sizes contradict each other.")
    if not channels >= 1 or sample_rate <= 0 or block_bytes > MAX_BLOCK_BYTES or block_bytes % (4 * channels):
        raise ReaStreamError("The packet's block is not whole samples of its channels.")
    return _identifier_text(identifier), sample_rate, channels


def _decoded_audio(datagram: bytes) -> AudioPacket:
    identifier, sample_rate, channels = checked_audio(datagram)
    flat = struct.unpack_from(f"<{(len(datagram) - AUDIO_HEADER.size) // 4}f", datagram, AUDIO_HEADER.size)
    frames = len(flat) // channels
    return AudioPacket(
        identifier,
        sample_rate,
        tuple(flat[index * frames : (index + 1) * frames] for index in range(channels)),
    )


def _encoded_midi(packet: MidiPacket) -> bytes:
    events = b"".join(
        # `byteSize` counts what follows the first two fields, as VST has it.
        MIDI_EVENT.pack(MIDI_TYPE, MIDI_EVENT.size - 8, frame, 0, 0, 0, _midi_bytes(data), 0, 0, 0, 0)
        for frame, data in packet.events
    )
    return MIDI_HEADER.pack(b"mRSR", MIDI_HEADER.size + len(events), _identifier_bytes(packet.identifier)) + events


def _decoded_midi(datagram: bytes) -> MidiPacket:
    _, size, identifier = MIDI_HEADER.unpack_from(datagram)
    if size != len(datagram) or (size - MIDI_HEADER.size) % MIDI_EVENT.size:
        raise ReaStreamError("The packet's sizes contradict each other.")
    fields = MIDI_EVENT.iter_unpack(datagram[MIDI_HEADER.size :])
    # Long messages (system exclusive) have another type and no data here.
    events = tuple((event[2], event[6]) for event in fields if event[0] == MIDI_TYPE)
    return MidiPacket(_identifier_text(identifier), events)


def _midi_bytes(data: bytes) -> bytes:
    if not 1 <= len(data) <= 4:
        raise ReaStreamError("A short MIDI message has one to four bytes.")
    return data


def _identifier_bytes(text: str) -> bytes:
    data = text.encode("utf-8")
    if len(data) > 32 or b"\0" in data:
        raise ReaStreamError("A stream's name has at most 32 bytes, none of them zero.")
    return data


def _identifier_text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")

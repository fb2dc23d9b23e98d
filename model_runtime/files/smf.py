"""Standard MIDI File bytes as events with absolute ticks, after the MIDI Association's RP-001.

Decodes what is needed and skips the rest, and counts notes as it goes, so that a hostile file is refused before its
events lie in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from model_runtime.errors import TooLarge, UnreadableFile

TRACK_NAME, END_OF_TRACK, SET_TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x03, 0x2F, 0x51, 0x58, 0x59
NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0
_KEPT = (NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, BEND)
_SMPTE_RATES = {24: 24.0, 25: 25.0, 29: 30000 / 1001, 30: 30.0}


@dataclass(frozen=True, slots=True)
class ChannelEvent:
    """A note on or off, controller, program or bend.

    Attributes:
        tick: From the beginning of the track.
        kind: NOTE_OFF, NOTE_ON, CONTROL, PROGRAM or BEND.
        channel: 0 to 15.
        first: Pitch, controller number, program or the bend's low 7 bits.
        second: Velocity, value or the bend's high 7 bits; 0 for a program.
    """

    tick: int
    kind: int
    channel: int
    first: int
    second: int


@dataclass(slots=True)
class Track:
    """One track's events in file order.

    Attributes:
        events: Channel events.
        metas: Tick, type and payload of tempo, meter, key and name events.
        end_tick: Of the last event, whatever it was.
    """

    events: list[ChannelEvent] = field(default_factory=list)
    metas: list[tuple[int, int, bytes]] = field(default_factory=list)
    end_tick: int = 0


@dataclass(frozen=True, slots=True)
class MidiFile:
    """A decoded file.

    Attributes:
        ticks_per_quarter: None where the file counts in SMPTE frames.
        ticks_per_second: None where the file counts in quarter notes.
        tracks: In file order.
    """

    ticks_per_quarter: int | None
    ticks_per_second: float | None
    tracks: list[Track]


def decode(data: bytes, most_notes: int) -> MidiFile:
    """Decode a MIDI file of format 0 or 1, bare or inside a RIFF (RMID) wrapper.

    Args:
        data: The whole file. What lies behind the last track is ignored.
        most_notes: Notes above which the file is refused.

    Raises:
        UnreadableFile: truncated, damaged, of format 2, or not MIDI.
        TooLarge: more notes than `most_notes`.
    """
    data = _unwrapped(data)
    if data[:4] != b"MThd":
        raise UnreadableFile("This is not a MIDI file.")
    if len(data) < 14:
        raise _truncated()
    header_size = int.from_bytes(data[4:8])
    form, count = int.from_bytes(data[8:10]), int.from_bytes(data[10:12])
    if form == 2:
        raise UnreadableFile(
            "This is a MIDI file of format 2, which holds separate patterns and not one piece.",
            hint="Save it again as format 0 or 1.",
        )
    if form > 2 or header_size < 6 or count == 0:
        raise UnreadableFile("The MIDI file's header makes no sense.")
    per_quarter, per_second = _division(data[12:14])
    return MidiFile(per_quarter, per_second, _tracks(data, 8 + header_size, count, most_notes))


def _unwrapped(data: bytes) -> bytes:
    """The MIDI file inside a RIFF (RMID) one."""
    if data[:4] != b"RIFF" or data[8:12] != b"RMID":
        return data
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"data":
            return data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    raise _truncated()


def _division(raw: bytes) -> tuple[int | None, float | None]:
    if raw[0] & 0x80:
        rate = _SMPTE_RATES.get(256 - raw[0])
        if rate is None or raw[1] == 0:
            raise UnreadableFile("The MIDI file counts time in a way that MIDI does not have.")
        return None, rate * raw[1]
    ticks = int.from_bytes(raw)
    if ticks == 0:
        raise UnreadableFile("The MIDI file has 0 ticks in a quarter note.")
    return ticks, None


def _tracks(data: bytes, position: int, count: int, most_notes: int) -> list[Track]:
    tracks: list[Track] = []
    notes_left = most_notes
    while len(tracks) < count:
        if position + 8 > len(data):
            raise _truncated()
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8])
        body = data[position + 8 : position + 8 + size]
        if len(body) < size:
            raise _truncated()
        position += 8 + size
        if name == b"MTrk":
            track, notes_left = _track(body, notes_left, most_notes)
            tracks.append(track)
    return tracks


def _track(body: bytes, notes_left: int, most_notes: int) -> tuple[Track, int]:
    """Decode one track chunk; returns it and how many notes the file may still have."""
    track, tick, position, running = Track(), 0, 0, 0
    try:
        while position < len(body):
            delta, position = _number(body, position)
            tick += delta
            status = body[position]
            if status >= 0xF0:
                position, ended = _system_event(body, position, tick, track)
                running = 0
                if ended:
                    break
                continue
            if status & 0x80:
                running, position = status, position + 1
            elif not running:
                raise _damaged()
            kind = running & 0xF0
            size = 1 if kind in (0xC0, 0xD0) else 2
            first, second = body[position], body[position + 1] if size == 2 else 0
            if (first | second) & 0x80:
                raise _damaged()
            position += size
            if kind in _KEPT:
                if kind == NOTE_ON and second:
                    notes_left -= 1
                    if notes_left < 0:
                        raise TooLarge(f"The file has more than {most_notes:,} notes.", hint="Send it in parts.")
                track.events.append(ChannelEvent(tick, kind, running & 0x0F, first, second))
    except IndexError:
        raise _truncated() from None
    track.end_tick = tick
    return track, notes_left


def _system_event(body: bytes, position: int, tick: int, track: Track) -> tuple[int, bool]:
    """Step over a meta event or system exclusive; returns the position behind it, and whether the track ends."""
    status = body[position]
    if status == 0xFF:
        kind = body[position + 1]
        size, start = _number(body, position + 2)
        if start + size > len(body):
            raise _truncated()
        if kind in (TRACK_NAME, SET_TEMPO, TIME_SIGNATURE, KEY_SIGNATURE):
            track.metas.append((tick, kind, body[start : start + size]))
        return start + size, kind == END_OF_TRACK
    if status in (0xF0, 0xF7):
        size, start = _number(body, position + 1)
        if start + size > len(body):
            raise _truncated()
        return start + size, False
    raise _damaged()  # other system messages belong on a wire, not in a file


def _number(body: bytes, position: int) -> tuple[int, int]:
    """A variable-length number of at most four bytes, and the position behind it."""
    value = 0
    for i in range(4):
        byte = body[position + i]
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, position + i + 1
    raise _damaged()


def _truncated() -> UnreadableFile:
    return UnreadableFile("The MIDI file is truncated.", hint="Copy or export it again.")


def _damaged() -> UnreadableFile:
    return UnreadableFile("The MIDI file is damaged.", hint="Copy or export it again.")

"""The four forms of music that ScoreBridge translates between, as plain values.

    ScoreImage   pages of a printed or engraved score
    Notation     a score as MusicXML
    Performance  notes in seconds, as a player or a recording made them
    Audio        sound, in memory or streamed from a file

Values know nothing of files (`model_runtime.files`) or engines (`model_runtime.engines`).
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from lxml import etree

from model_runtime.errors import InvalidValue
from model_runtime.tempo import TempoMap

FloatArray = npt.NDArray[np.float32]
GreyPage = npt.NDArray[np.uint8]

SUSTAIN_PEDAL = 64  # MIDI controller number
SOSTENUTO_PEDAL = 66
SOFT_PEDAL = 67


class Modality(enum.StrEnum):
    """The four forms of music."""

    SCORE_IMAGE = "image"
    NOTATION = "notation"
    PERFORMANCE = "performance"
    AUDIO = "audio"


@dataclass(frozen=True)
class ScoreImage:
    """Pages of a score.

    Attributes:
        pages: Grey pages, uint8, shape (height, width), 0 is ink and 255 is paper.
        svg: The same pages as SVG documents where an engraver drew them; else empty.
        dots_per_inch: Resolution of `pages` where it is known.
    """

    pages: tuple[GreyPage, ...]
    svg: tuple[str, ...] = ()
    dots_per_inch: float | None = None

    def __post_init__(self) -> None:
        if not self.pages:
            raise InvalidValue("The score image has no pages.")
        for page in self.pages:
            if page.dtype != np.uint8 or page.ndim != 2 or 0 in page.shape:
                raise InvalidValue("A page of the score image is not a grey picture with at least one pixel.")


@dataclass(frozen=True)
class Notation:
    """A score. MusicXML (score-partwise) is the source of truth.

    Attributes:
        musicxml: The document, UTF-8. Treat it as read only.
        confidence: How sure whoever read it is of each measure, 0 to 1; empty where nobody says.
    """

    musicxml: bytes
    confidence: tuple[float, ...] = field(default=(), compare=False)

    @cached_property
    def root(self) -> etree._Element:
        """The parsed `score-partwise` element. Do not modify it; copy it first."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        return etree.fromstring(self.musicxml, parser)

    @property
    def measure_count(self) -> int:
        """Measures of the longest part."""
        return max((len(part.findall("measure")) for part in self.root.findall("part")), default=0)


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One sounding note.

    Attributes:
        onset_s: Start in seconds from the beginning of what was sent.
        offset_s: End in seconds, when the key is released; later than `onset_s`.
        pitch: MIDI note number, 0 to 127, 60 is middle C.
        velocity: MIDI velocity, 1 to 127.
        channel: MIDI channel, 0 to 15; 9 is percussion.
        track: Index into `Performance.tracks`.
        confidence: How sure whoever heard it is that it is there, 0 to 1; 1 where nobody says.
    """

    onset_s: float
    offset_s: float
    pitch: int
    velocity: int = 80
    channel: int = 0
    track: int = 0
    confidence: float = field(default=1.0, compare=False)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.offset_s - self.onset_s


@dataclass(frozen=True, slots=True, order=True)
class Control:
    """A MIDI controller change: `number` 64 is the sustain pedal, down from 64 upwards."""

    time_s: float
    number: int
    value: int
    channel: int = 0


@dataclass(frozen=True, slots=True, order=True)
class PitchBend:
    """A MIDI pitch bend, `value` from -8192 to 8191 over the channel's bend range (2 semitones unless set)."""

    time_s: float
    value: int
    channel: int = 0


@dataclass(frozen=True, slots=True, order=True)
class ProgramChange:
    """A choice of instrument: `program` 0 to 127 of General MIDI."""

    time_s: float
    program: int
    channel: int = 0


@dataclass(frozen=True)
class Performance:
    """Notes in seconds.

    Attributes:
        notes: Sorted by onset, then pitch.
        controls: Pedals and other controllers, sorted by time.
        pitch_bends: Sorted by time.
        programs: Instruments, sorted by time; a channel without one is a piano.
        tracks: Names, one a track; at least one.
        tempo_map: Where the beats, barlines and keys lie, if somebody knows: a host, a file that was written to a
            click, or an annotator. None when they have to be found.
    """

    notes: tuple[Note, ...]
    controls: tuple[Control, ...] = ()
    pitch_bends: tuple[PitchBend, ...] = ()
    programs: tuple[ProgramChange, ...] = ()
    tracks: tuple[str, ...] = ("",)
    tempo_map: TempoMap | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", tuple(sorted(self.notes, key=lambda n: (n.onset_s, n.pitch, n.channel))))
        object.__setattr__(self, "controls", tuple(sorted(self.controls, key=lambda c: c.time_s)))
        object.__setattr__(self, "pitch_bends", tuple(sorted(self.pitch_bends, key=lambda b: b.time_s)))
        object.__setattr__(self, "programs", tuple(sorted(self.programs, key=lambda p: p.time_s)))
        for note in self.notes:
            if not (np.isfinite(note.onset_s) and np.isfinite(note.offset_s) and note.offset_s > note.onset_s):
                raise InvalidValue(f"A note of pitch {note.pitch} does not end after it starts.")
            if not (0 <= note.pitch <= 127 and 1 <= note.velocity <= 127 and 0 <= note.channel <= 15):
                raise InvalidValue(f"A note at {note.onset_s:.3f} s has a value that MIDI cannot hold.")

    @property
    def duration_s(self) -> float:
        """The end of the last note or controller, in seconds."""
        last_note = max((note.offset_s for note in self.notes), default=0.0)
        last_control = max((control.time_s for control in self.controls), default=0.0)
        return max(last_note, last_control)

    def scaled(self, factor: float) -> Performance:
        """The same performance with every time multiplied by `factor`; its tempo map is left as it is."""
        return replace(
            self,
            notes=tuple(replace(n, onset_s=n.onset_s * factor, offset_s=n.offset_s * factor) for n in self.notes),
            controls=tuple(replace(c, time_s=c.time_s * factor) for c in self.controls),
            pitch_bends=tuple(replace(b, time_s=b.time_s * factor) for b in self.pitch_bends),
            programs=tuple(replace(p, time_s=p.time_s * factor) for p in self.programs),
        )


@dataclass(frozen=True)
class Clip:
    """Which part of a recording is meant, in the words of a digital audio workstation's take.

    Attributes:
        offset_s: Where the clip starts in the source, in seconds.
        duration_s: Its length in the source, in seconds; None is to the end.
        playrate: Speed at which the host plays it: results come back in played seconds, source seconds / playrate.
        reverse: Whether the host plays it backwards.
    """

    offset_s: float = 0.0
    duration_s: float | None = None
    playrate: float = 1.0
    reverse: bool = False

    def __post_init__(self) -> None:
        if not np.isfinite(self.offset_s) or self.offset_s < 0:
            raise InvalidValue("The clip's offset is not a time within the recording.")
        if self.duration_s is not None and not (np.isfinite(self.duration_s) and self.duration_s > 0):
            raise InvalidValue("The clip has no length.")
        if not np.isfinite(self.playrate) or not 0.01 <= self.playrate <= 100:
            raise InvalidValue("The clip's play rate is not between 0.01 and 100.")


class Audio(ABC):
    """Sound: float32, any rate, any number of channels, read in blocks so that an hour never lies in memory twice.

    Attributes:
        sample_rate: Frames per second, in Hz.
        channels: Samples per frame.
        frames: Length; `duration_s` is frames / sample_rate.
        playrate: See `Clip.playrate`: how much faster the host plays it than `sample_rate` says.
    """

    sample_rate: int
    channels: int
    frames: int
    playrate: float = 1.0

    @abstractmethod
    def blocks(self, block_frames: int = 1 << 16) -> Iterator[FloatArray]:
        """Yield consecutive blocks, float32, shape (frames, channels), from the start; the last may be shorter."""

    @property
    def duration_s(self) -> float:
        """Length in seconds, before `playrate`."""
        return self.frames / self.sample_rate

    def samples(self) -> FloatArray:
        """The whole sound in memory, float32, shape (frames, channels)."""
        blocks = list(self.blocks())
        return np.concatenate(blocks) if blocks else np.zeros((0, self.channels), np.float32)


@dataclass(frozen=True)
class SampledAudio(Audio):
    """Audio that lies in memory.

    Args:
        data: float32, shape (frames, channels).
        sample_rate: In Hz.
    """

    data: FloatArray
    sample_rate: int
    playrate: float = 1.0
    channels: int = field(init=False)
    frames: int = field(init=False)

    def __post_init__(self) -> None:
        if self.data.ndim != 2 or self.data.shape[1] < 1 or self.data.dtype != np.float32:
            raise InvalidValue("Audio in memory is float32 with one row a frame and one column a channel.")
        if self.sample_rate <= 0:
            raise InvalidValue("The audio's sample rate is 0 Hz.")
        object.__setattr__(self, "frames", self.data.shape[0])
        object.__setattr__(self, "channels", self.data.shape[1])

    def blocks(self, block_frames: int = 1 << 16) -> Iterator[FloatArray]:
        for start in range(0, self.frames, block_frames):
            yield self.data[start : start + block_frames]


Value = ScoreImage | Notation | Performance | Audio

VALUE_TYPES: Mapping[Modality, type] = {
    Modality.SCORE_IMAGE: ScoreImage,
    Modality.NOTATION: Notation,
    Modality.PERFORMANCE: Performance,
    Modality.AUDIO: Audio,
}


def modality_of(value: Value) -> Modality:
    """The modality that a value belongs to.

    Raises:
        InvalidValue: `value` is none of the four.
    """
    for modality, kind in VALUE_TYPES.items():
        if isinstance(value, kind):
            return modality
    raise InvalidValue(f"A {type(value).__name__} is not a score image, notation, performance or audio.")

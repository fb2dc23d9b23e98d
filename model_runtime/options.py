"""The options of a translation: one vocabulary in the library, on every door, in the command line and the plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:  # the daemon checks options without numpy
    from model_runtime.tempo import TempoMap

Quantise = Literal["auto", "none", "1/4", "1/8", "1/16", "1/32", "1/4t", "1/8t", "1/16t"]


class MeterOption(BaseModel):
    """A time signature from a barline at `quarter` (quarter notes) onwards."""

    quarter: float = 0.0
    numerator: Annotated[int, Field(ge=1, le=64)] = 4
    denominator: Literal[1, 2, 4, 8, 16, 32, 64] = 4


class KeyOption(BaseModel):
    """A key signature from `quarter` onwards; `fifths` from -7 (flats) to 7 (sharps)."""

    quarter: float = 0.0
    fifths: Annotated[int, Field(ge=-7, le=7)] = 0
    mode: str = ""


class TempoMapOption(BaseModel):
    """The host's tempo map, on the time axis of the result.

    Attributes:
        points: Pairs of (seconds, quarter notes), strictly increasing. One pair is not enough: use `bpm`.
        bpm: A constant tempo in quarter notes a minute, used where `points` is empty.
        meters: Time signatures.
        keys: Key signatures.
    """

    points: list[tuple[float, float]] = []
    bpm: float | None = None
    meters: list[MeterOption] = []
    keys: list[KeyOption] = []

    @classmethod
    def of(cls, tempo_map: TempoMap) -> TempoMapOption:
        """The option that stands for a map: `TempoMapOption.of(m).tempo_map() == m`."""
        return cls(
            points=list(zip(tempo_map.times_s, tempo_map.quarters, strict=True)),
            meters=[
                MeterOption.model_validate(
                    {"quarter": m.quarter, "numerator": m.numerator, "denominator": m.denominator}
                )
                for m in tempo_map.meters
            ],
            keys=[KeyOption(quarter=k.quarter, fifths=k.fifths, mode=k.mode) for k in tempo_map.keys],
        )

    def tempo_map(self) -> TempoMap:
        """The map as a value.

        Raises:
            InvalidValue: the points do not move forwards, or there is no tempo.
        """
        from model_runtime.tempo import KeySignature, Meter, TempoMap

        meters = tuple(Meter(m.quarter, m.numerator, m.denominator) for m in self.meters)
        keys = tuple(KeySignature(k.quarter, k.fifths, k.mode) for k in self.keys)
        if self.points:
            times, quarters = zip(*self.points, strict=True)
        else:
            constant = TempoMap.constant(120.0 if self.bpm is None else self.bpm)
            times, quarters = constant.times_s, constant.quarters
        return TempoMap(tuple(times), tuple(quarters), meters, keys)


class Options(BaseModel):
    """What a user may ask of a translation. Every field has a default that suits most music.

    Attributes:
        engine: Name of the engine to use where several can do a step; None lets the router choose.
        instrument: What plays: a General MIDI name ("piano", "violin") or a program number as text.
        tempo_map: The host's tempo map; None: beats are tracked, or the file's own map is used.
        quantise: Finest grid. "auto" chooses for each beat; "none" leaves a performance's times as played.
        quantise_strength: How far a *performance* result is moved to the grid, 0 to 1.
        onset_threshold: How sure a transcriber must be that a note starts, 0 to 1; higher finds fewer.
        frame_threshold: How sure it must be that a note still sounds, 0 to 1.
        minimum_note: Shortest note that is kept, in milliseconds.
        pitch_bends: Whether a transcriber reports bends and vibrato.
        pedal: "keys": notes end when keys are released, pedal as controller 64;
            "sounding": notes last as long as the pedal lets them sound, without controllers.
        split_point: MIDI pitch from which notes go to the upper staff; None: a split that moves with the hands.
        swing: Length of the first of two eighths, 0.5 (straight) to 0.75; only notation → performance.
        deadpan: Exactly what is written: no dynamics curve, no articulation, no accent.
        soundfont: Path of a `.sf2` or `.sf3`; None: the one that is installed.
        loudness: Integrated loudness of rendered audio in LUFS.
        sample_rate: Of rendered audio, in Hz.
        title: Title of a score that is made.
        last_measures: How many measures of a score that is made of a performance are kept, from its end; None: all.
        seed: For engines that draw random numbers; those that are here draw none, and give the same for every seed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    engine: str | None = None
    instrument: str | None = None
    tempo_map: TempoMapOption | None = None
    quantise: Quantise = "auto"
    quantise_strength: Annotated[float, Field(ge=0, le=1)] = 0.0
    onset_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    frame_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.3
    minimum_note: Annotated[float, Field(ge=0, le=10000)] = 58.0
    pitch_bends: bool = False
    pedal: Literal["sounding", "keys"] = "keys"
    split_point: Annotated[int, Field(ge=0, le=127)] | None = None
    swing: Annotated[float, Field(ge=0.5, le=0.75)] = 0.5
    deadpan: bool = False
    soundfont: str | None = None
    loudness: Annotated[float, Field(ge=-70, le=0)] = -18.0
    sample_rate: Annotated[int, Field(ge=8000, le=192000)] = 44100
    title: str = ""
    last_measures: Annotated[int, Field(ge=1)] | None = None
    seed: int = 0

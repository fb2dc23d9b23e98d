"""What is said about the score of a live session: part of the schema in `protocol.messages`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from protocol.content import Content


class LiveScore(Content):
    """Ask for the last bars of a live session, engraved; answered by `live.engraved`.

    The bars are followed from the first time that somebody asks, beginning with what was played in the last moments,
    until nobody has asked for a while.

    Attributes:
        bars: How many.
        width: Of the picture in pixels of 1/96 inch; bars that do not fit into one line take several.
    """

    live: str
    bars: Annotated[int, Field(ge=1, le=16)] = 4
    width: Annotated[int, Field(ge=200, le=4000)] = 720


class LiveTempo(Content):
    """Tell a live session where its host's bars are; answered by `ok`. Its notation follows from the next bar on.

    Attributes:
        tempo_map: As among the options (`Welcome.options`); None: beats are tracked from now on.
        at: When second 0 of the map is, in seconds since 1970; None: the map is on the source's clock.
    """

    live: str
    tempo_map: dict[str, Any] | None = None
    at: Annotated[float, Field(allow_inf_nan=False)] | None = None


class LiveBars(Content):
    """An event: more bars are over, or what was played in them is known better now.

    Attributes:
        version: Rises with every change.
        first: Number of the first bar that is remembered, counted from 1.
        last: Number of the last bar that is over; 0 before any is.
        numerator, denominator: Time signature of the last bar.
        fifths: Key signature, -7 (flats) to 7 (sharps); `mode` is "major", "minor" or empty.
        tempo: Quarter notes a minute in the last bars; 0 before any is over.
        seconds: When the last bar ended, on the source's clock.
    """

    live: str
    version: int
    first: int = 0
    last: int = 0
    numerator: int = 4
    denominator: int = 4
    fifths: int = 0
    mode: str = ""
    tempo: float = 0.0
    seconds: float = 0.0


class LiveEngraved(LiveBars):
    """The last bars as a picture.

    Attributes:
        shown: Number of the first bar in the picture.
        svg: An SVG document without styles, in the colour of the text around it.
    """

    shown: int = 0
    svg: str = ""


LIVE_SCORE_CONTENTS: dict[str, type[Content]] = {
    "live.score": LiveScore,
    "live.tempo": LiveTempo,
    "live.bars": LiveBars,
    "live.engraved": LiveEngraved,
}
"""Type name → content model, as in `protocol.messages.CONTENTS`."""

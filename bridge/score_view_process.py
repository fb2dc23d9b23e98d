"""The process that follows one live session with notation. Started by `bridge.score_views`, never by hand.

`python -m bridge.score_view_process FD PARENT` talks over the socket FD (`bridge.channel`). Messages to it: `start`,
then `notes`, `clock`, `tempo`, `draw`, `finish`. Messages from it: `ready`, `bars` when bars are over or changed,
`drawn`.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from bridge.channel import ChannelBroken, pack, receive

if TYPE_CHECKING:
    from model_runtime.engraving.live import BarEngraver
    from model_runtime.notation.live import LiveNotation

HEARD_LATE_S = 0.05
"""Notes reach this process so much later than the clock, beside what the reader looks ahead."""


class Follower:
    """Notation of one session, by messages."""

    def __init__(self, start: dict[str, Any]) -> None:
        from model_runtime.engraving.live import BarEngraver
        from model_runtime.notation.live import LiveNotation
        from model_runtime.options import Options

        options = Options.model_validate(start["options"])
        tempo_map = options.tempo_map.tempo_map() if options.tempo_map is not None else None
        self._notation: LiveNotation = LiveNotation(tempo_map, options)
        self._engraver: BarEngraver = BarEngraver()
        self._late_s = float(start["look_ahead"]) + HEARD_LATE_S
        self._version = 0

    def take(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Do what a message asks; returns the answers."""
        kind = message["type"]
        if kind == "notes":
            self._hear(message["notes"])
            return []
        if kind == "clock":
            return self._changed(bool(self._notation.advance(float(message["position"]) - self._late_s)))
        if kind == "tempo":
            self._follow(message["tempo_map"])
            return []
        if kind == "finish":
            return self._changed(bool(self._notation.finish()))
        return [self._drawn(message)]

    def _hear(self, notes: list[list[Any]]) -> None:
        from model_runtime.listening import HeardNote

        for number, phase, pitch, onset_s, offset_s, velocity, confidence in notes:
            self._notation.add(HeardNote(number, phase, pitch, onset_s, offset_s, max(1, velocity), confidence))

    def _follow(self, tempo_map: dict[str, Any] | None) -> None:
        from model_runtime.options import TempoMapOption

        known = TempoMapOption.model_validate(tempo_map).tempo_map() if tempo_map is not None else None
        self._notation.follow(known)

    def _changed(self, changed: bool) -> list[dict[str, Any]]:
        if not changed:
            return []
        self._version += 1
        return [{"type": "bars", **self._facts()}]

    def _facts(self) -> dict[str, Any]:
        bars = self._notation.bars()
        if not bars:
            return {"version": self._version}
        key = self._notation.key
        return {
            "version": self._version,
            "first": bars[0].number,
            "last": bars[-1].number,
            "numerator": bars[-1].times.numerator,
            "denominator": bars[-1].times.denominator,
            "fifths": key.fifths,
            "mode": key.mode,
            "tempo": self._notation.quarters_per_minute,
            "seconds": round(bars[-1].times.end_s, 3),
        }

    def _drawn(self, message: dict[str, Any]) -> dict[str, Any]:
        from model_runtime.errors import MusicError

        shown = self._notation.bars(message["bars"])
        try:
            svg = self._engraver.svg(self._notation.notation(message["bars"]), message["width"]) if shown else ""
        except MusicError as error:
            return {"type": "drawn", "error": [error.code, error.message, error.hint]}
        return {"type": "drawn", "shown": shown[0].number if shown else 0, "svg": svg, **self._facts()}


def main() -> None:
    """Follow until the daemon closes the socket."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    if os.getppid() != int(sys.argv[2]):
        return
    try:
        follower = Follower(receive(connection))
        connection.sendall(pack({"type": "ready"}))
        while True:
            for answer in follower.take(receive(connection)):
                connection.sendall(pack(answer))
    except (ChannelBroken, BrokenPipeError, ConnectionError):
        return


if __name__ == "__main__":
    main()

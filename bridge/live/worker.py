"""The process of one live session. Started by `bridge.live.sessions`, never by hand.

`python -m bridge.live.worker FD PARENT [PACKETS]` talks over the socket FD (`bridge.channel`); PACKETS is the socket
that ReaStream packets come through. Messages to it: `start`, then `stop`. Messages from it: `opened` or `failed`, then
`notes`, `keys` and `state`, at last `ended`.

When the daemon is gone, it lets every key come up and ends.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bridge.channel import ChannelBroken, pack, receive

if TYPE_CHECKING:
    from bridge.live.hearing import Hearing
    from bridge.live.sources.base import Source
    from protocol.live_places import LiveSource


class Reporter:
    """Sends messages to the daemon from any thread; once it is gone, they go nowhere."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def __call__(self, message: dict[str, Any]) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._connection.sendall(pack(message))


def main() -> None:
    """Run the session that the first message describes."""
    _tell_of_parents_end()
    connection = socket.socket(fileno=int(sys.argv[1]))
    packets = socket.socket(fileno=int(sys.argv[3])) if len(sys.argv) > 3 else None
    report = Reporter(connection)
    if os.getppid() != int(sys.argv[2]):
        return
    try:
        start = receive(connection)
    except ChannelBroken:
        return
    report(_outcome(start, connection, packets, report))


def _outcome(
    start: dict[str, Any], connection: socket.socket, packets: socket.socket | None, report: Reporter
) -> dict[str, Any]:
    from model_runtime.errors import MusicError

    try:
        return _run(start, connection, packets, report)
    except MusicError as error:
        return {"type": "failed", "code": error.code, "message": error.message, "hint": error.hint}
    except Exception as error:
        traceback.print_exc()
        return {
            "type": "failed",
            "code": "internal_error",
            "message": f"The live session met an error that ScoreBridge does not know ({type(error).__name__}).",
            "hint": "The daemon's log has the details; please report it.",
        }


def _run(
    start: dict[str, Any], connection: socket.socket, packets: socket.socket | None, report: Reporter
) -> dict[str, Any]:
    from bridge.live.destinations import open_destination
    from bridge.live.hearing import SoundHearing
    from bridge.live.session import Session
    from protocol.live import LiveStart

    wanted = LiveStart.model_validate(start["request"])
    destinations = [open_destination(destination) for destination in wanted.destinations]
    source, hearing = _source_and_hearing(wanted.source, start["reader"], packets)
    session = Session(wanted.live, source, hearing, destinations, report)
    _obey(connection, session.stop, session.release_all)
    gc.collect()
    gc.freeze()  # what is loaded stays: later collections need not look at it
    report(
        {
            "type": "opened",
            "source": source.name,
            "destinations": [destination.name for destination in destinations],
            "reader": start["reader"] if isinstance(hearing, SoundHearing) else "MIDI",
            "look_ahead": hearing.look_ahead_s,
        }
    )
    return {"type": "ended", "reason": session.run()}


def _source_and_hearing(wanted: LiveSource, reader: str, packets: socket.socket | None) -> tuple[Source, Hearing]:
    """Open both. A reader takes a second to load, in which nothing should come: it is loaded before the source."""
    from bridge.live.hearing import MidiHearing, SoundHearing
    from bridge.live.readers import opener
    from bridge.live.sources import open_source
    from protocol.live_places import MidiSource, PlayedFileSource, ReaStreamSource

    if isinstance(wanted, MidiSource) or (isinstance(wanted, ReaStreamSource) and wanted.carries == "midi"):
        return open_source(wanted, packets), MidiHearing()
    if isinstance(wanted, PlayedFileSource):  # which of the two shows in the file; it plays once it is read from
        source = open_source(wanted, packets)
        return source, SoundHearing(opener(reader)) if source.sample_rate else MidiHearing()
    hearing = SoundHearing(opener(reader))
    return open_source(wanted, packets), hearing


def _obey(connection: socket.socket, stop: Callable[[], None], release: Callable[[], None]) -> None:
    """Read commands in a thread of their own; when the daemon ends, release the keys and end too."""

    def read() -> None:
        try:
            while True:
                if receive(connection).get("type") == "stop":
                    stop()
        except ChannelBroken:
            end()

    def end() -> None:
        release()
        os._exit(0)

    def terminated(*_: object) -> None:
        # The daemon ends this process, or is gone: in a thread, because the main one may hold what it needs.
        threading.Thread(target=end, name="end").start()

    signal.signal(signal.SIGTERM, terminated)
    threading.Thread(target=read, name="commands", daemon=True).start()


def _tell_of_parents_end() -> None:
    """Ask Linux for a signal when the daemon ends: the commands' thread sees it as well, if Python gets to run."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, signal.SIGTERM, 0, 0, 0)


if __name__ == "__main__":
    main()

"""Where the notes of a live session go while they are played: one file a destination."""

from __future__ import annotations

from bridge.live.destinations.base import Destination
from protocol.live_places import LiveDestination, OscDestination, ReaperDestination


def open_destination(wanted: LiveDestination) -> Destination:
    """A destination, open.

    Raises:
        DestinationUnavailable: with a sentence.
    """
    from bridge.live.destinations.osc_out import OscListener, ReaperKeyboard

    if isinstance(wanted, ReaperDestination):
        return ReaperKeyboard(wanted)
    if isinstance(wanted, OscDestination):
        return OscListener(wanted)
    from bridge.live.destinations.midi_port import VirtualMidiPort

    return VirtualMidiPort(wanted)

"""MIDI ports of this machine, by whichever of its MIDI systems answers."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from model_runtime.errors import MusicError

INSTALL = "Install it: pip install 'scorebridge[live]'"


class NoMidi(MusicError):
    """This machine has no MIDI system, or the library for it is missing."""

    code = "no_midi"


def midi_input() -> Any:
    """An `rtmidi.MidiIn`, not yet connected.

    Raises:
        NoMidi: with a sentence.
    """
    return _opened(lambda rtmidi: rtmidi.MidiIn)


def midi_output() -> Any:
    """An `rtmidi.MidiOut`, not yet connected.

    Raises:
        NoMidi: with a sentence.
    """
    return _opened(lambda rtmidi: rtmidi.MidiOut)


def _opened(kind: Callable[[Any], Any]) -> Any:
    try:
        import rtmidi
    except ImportError as error:
        raise NoMidi("MIDI ports need the package python-rtmidi.", hint=INSTALL) from error
    for system in rtmidi.get_compiled_api():
        with contextlib.suppress(Exception), quiet():  # rtmidi raises several kinds where a system does not answer
            return kind(rtmidi)(system, name="ScoreBridge")
    raise NoMidi(
        "This machine's MIDI system does not answer.",
        hint="On Linux load ALSA's sequencer (modprobe snd-seq) or start JACK; elsewhere connect a MIDI device.",
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what native libraries print about a missing sound system from the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)

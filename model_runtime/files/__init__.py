"""Reading and writing the four values: one file a format family.

value = read("take.wav", clip=Clip(offset_s=3.0))
write(performance, "take.mid")
"""

from model_runtime.files.audio import FileAudio, open_audio, resampled, write_audio
from model_runtime.files.dispatch import read, write
from model_runtime.files.events import EventsDocument, events_to_performance, performance_to_events
from model_runtime.files.formats import FORMATS, Format, format_named, readable_formats, writable_formats
from model_runtime.files.limits import Limits
from model_runtime.files.musicxml import music21_score, notation_from_bytes
from model_runtime.files.notes import NotesDocument, notation_to_notes, notes_to_notation
from model_runtime.files.storing import UnwritableFile

__all__ = [
    "FORMATS",
    "EventsDocument",
    "FileAudio",
    "Format",
    "Limits",
    "NotesDocument",
    "UnwritableFile",
    "events_to_performance",
    "format_named",
    "music21_score",
    "notation_from_bytes",
    "notation_to_notes",
    "notes_to_notation",
    "open_audio",
    "performance_to_events",
    "read",
    "readable_formats",
    "resampled",
    "writable_formats",
    "write",
    "write_audio",
]

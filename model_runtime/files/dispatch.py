"""One way in and one way out: `read` and `write` find the format and hand over to its module."""

from __future__ import annotations

from pathlib import Path

from model_runtime.errors import InvalidValue, TooLarge, UnreadableFile, UnsupportedFormat
from model_runtime.files.formats import (
    FORMATS,
    Format,
    format_named,
    format_of_name,
    noun,
    sniff,
    unknown_content,
    writable_formats,
)
from model_runtime.files.limits import Limits
from model_runtime.files.storing import unreadable
from model_runtime.modality import Clip, Modality, Notation, Performance, ScoreImage, Value, modality_of


def read(
    path: Path | str, *, format: str | None = None, clip: Clip | None = None, limits: Limits | None = None
) -> Value:
    """Read a file of any known format.

    The format is the declared one, or the one that the name's ending stands for; the content must belong to the same
    modality (a JPEG called `.png` is read, a PNG called `.mid` is refused). A name that says nothing leaves it to the
    content.

    Args:
        path: The file.
        format: Its format where the name does not tell: "wav", "mid", "musicxml", "pdf", …
        clip: Which part of a recording or MIDI file is meant.
        limits: How large it may be; None is the defaults.

    Returns:
        The value. Audio is streamed from the file, which must stay where it is.

    Raises:
        MusicError: with one sentence for the musician.
    """
    path, limits = Path(path), limits or Limits()
    found = _format_of(path, format, limits)
    if clip is not None and clip != Clip() and found.modality not in (Modality.AUDIO, Modality.PERFORMANCE):
        raise InvalidValue(f"A clip can be cut out of a recording or a MIDI file, not out of {found.noun}.")
    if found.modality is Modality.AUDIO:
        from model_runtime.files.audio import open_audio

        return open_audio(path, clip, limits)
    if found.modality is Modality.SCORE_IMAGE:
        from model_runtime.files.image import read_image

        return read_image(path, found.name, limits)
    if found.modality is Modality.PERFORMANCE:
        return _read_performance(path, found, clip, limits)
    return _read_notation(path, found, limits)


def write(value: Value, path: Path | str, *, format: str | None = None) -> list[Path]:
    """Write a value; each file appears whole or not at all.

    Args:
        value: What to write.
        path: Where to; the folder must exist.
        format: "mid", "musicxml", "mxl", "notes", "events", "png", "svg", "pdf", "wav" or "flac"; None takes it from
            the name's ending.

    Returns:
        The written files: one, or name-1.png, name-2.png, … for a picture of several pages.

    Raises:
        UnsupportedFormat: the value cannot be written in that format.
        UnwritableFile: no room, no right or no folder.
        InvalidValue: the value holds what the format cannot, NaN samples for instance.
    """
    path = Path(path)
    wanted = format_named(format) if format else format_of_name(path)
    if wanted is None:
        raise UnsupportedFormat(f"The name {path.name} does not say which format to write.", hint="Add an ending: .mid")
    modality = modality_of(value)
    if wanted.modality is not modality or not wanted.writable:
        known = ", ".join(writable_formats(modality))
        raise UnsupportedFormat(
            f"A value of kind {modality} cannot be written as {wanted.noun}.", hint=f"Write {known}."
        )
    return _write_as(value, path, wanted.name)


def _format_of(path: Path, declared: str | None, limits: Limits) -> Format:
    """The format that a file is read as, its existence, size and content checked."""
    named = format_named(declared) if declared else format_of_name(path)
    try:
        if not path.is_file():
            raise IsADirectoryError if path.is_dir() else FileNotFoundError
        size = path.stat().st_size
        content = sniff(path) if size else None
    except (OSError, ValueError) as error:
        raise unreadable(path, error if isinstance(error, OSError) else FileNotFoundError()) from error
    if size == 0:
        raise UnreadableFile("The file is empty.")
    if content is None and named is None:
        raise unknown_content()
    found = named if content is None else FORMATS.get(content)
    if found is None or (named is not None and found.modality is not named.modality):
        raise _wrong_content(str(content), named)
    if not found.readable:
        raise UnsupportedFormat(f"This is {found.noun}, which ScoreBridge writes but does not read.")
    _check_size(size, found, limits)
    return found


def _wrong_content(content: str, named: Format | None) -> UnreadableFile | UnsupportedFormat:
    if named is not None:
        hint = "Export it as MusicXML." if noun(content) == "a MuseScore file" else ""
        return UnreadableFile(f"This is {noun(content)}, not {named.noun}.", hint=hint)
    return UnsupportedFormat(f"This is {noun(content)}, which ScoreBridge does not read.")


def _check_size(size: int, found: Format, limits: Limits) -> None:
    most = limits.audio_bytes if found.modality is Modality.AUDIO else limits.document_bytes
    if size > most:
        raise TooLarge(f"The file has {size / 1e6:.0f} MB, and at most {most / 1e6:.0f} MB are read.")


def _read_performance(path: Path, found: Format, clip: Clip | None, limits: Limits) -> Performance:
    from model_runtime.files.clipping import clipped

    if found.name == "mid":
        from model_runtime.files.midi import read_midi

        performance = read_midi(path, limits)
    else:
        from model_runtime.files.events import read_events

        performance = read_events(path, limits)
    return performance if clip is None else clipped(performance, clip)


def _read_notation(path: Path, found: Format, limits: Limits) -> Notation:
    if found.name in ("kern", "abc"):
        from model_runtime.files.kern import read_text_score

        return read_text_score(path, found.name, limits)
    if found.name == "notes":
        from model_runtime.files.notes import read_notes

        return read_notes(path, limits)
    from model_runtime.files.musicxml import read_musicxml

    return read_musicxml(path, limits)


def _write_as(value: Value, path: Path, name: str) -> list[Path]:
    if isinstance(value, ScoreImage):
        from model_runtime.files.image import write_image

        return write_image(value, path, name)
    if isinstance(value, Notation):
        _write_notation(value, path, name)
    elif isinstance(value, Performance):
        _write_performance(value, path, name)
    else:
        from model_runtime.files.audio import write_audio

        write_audio(value, path, name)
    return [path]


def _write_notation(notation: Notation, path: Path, name: str) -> None:
    if name == "notes":
        from model_runtime.files.notes import write_notes

        write_notes(notation, path)
    else:
        from model_runtime.files.musicxml import write_musicxml

        write_musicxml(notation, path, compressed=name == "mxl")


def _write_performance(performance: Performance, path: Path, name: str) -> None:
    if name == "events":
        from model_runtime.files.events import write_events

        write_events(performance, path)
    else:
        from model_runtime.files.midi import write_midi

        write_midi(performance, path)

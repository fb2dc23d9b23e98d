"""Reading Humdrum kern and ABC through music21, which is an optional extra."""

from __future__ import annotations

import re
import warnings
from importlib.util import find_spec
from pathlib import Path

from model_runtime.errors import MusicError, UnreadableFile, UnsupportedFormat
from model_runtime.files.limits import Limits
from model_runtime.files.musicxml import notation_from_bytes
from model_runtime.files.storing import content_of
from model_runtime.modality import Notation

_NOUNS = {"kern": "Humdrum kern", "abc": "ABC"}
_MUSIC21_FORMAT = {"kern": "humdrum", "abc": "abc"}
LARGEST_NUMBER = 1024  # of a note's length or in a meter; a tempo may be larger
_LINES_WITH_NUMBERS = {
    "kern": re.compile(r"(?![!=*])|\*M\d"),  # notes and meters; not comments, measure numbers, tempos
    "abc": re.compile(r"(?![A-Za-z+]:|%)|[MLVm]:"),  # music, meter and unit length; not titles, tempos, comments
}


def read_text_score(path: Path, format: str, limits: Limits | None = None) -> Notation:
    """Read a Humdrum kern ("kern") or ABC ("abc") file; of an ABC tune book the first tune.

    Raises:
        UnsupportedFormat: music21 is not installed.
        UnreadableFile: the file holds no music that music21 can read.
        TooLarge: too many notes.
    """
    limits = limits or Limits()
    if find_spec("music21") is None:
        raise UnsupportedFormat(
            f"{_NOUNS[format]} needs music21, which is not installed.", hint="pip install 'scorebridge[formats]'"
        )
    text = _text(content_of(path))
    if format == "kern" and not any(line.startswith("**") for line in text.splitlines()):
        raise UnreadableFile("The file is not Humdrum kern: it has no line that begins with **kern.")
    _refuse_huge_numbers(text, format)
    return notation_from_bytes(_converted(text, format), limits)


def _refuse_huge_numbers(text: str, format: str) -> None:
    """Refuse lengths and meters that no music has: music21 would write them out measure by measure, for hours."""
    for line in text.splitlines():
        if _LINES_WITH_NUMBERS[format].match(line) and any(int(n) > LARGEST_NUMBER for n in re.findall(r"\d+", line)):
            raise UnreadableFile(
                f"The {_NOUNS[format]} file has a note length or meter that no music has.",
                hint="Check it in the program it comes from.",
            )


def _converted(text: str, format: str) -> bytes:
    """The text as MusicXML. music21 raises anything for a damaged file, and warns of what it mends."""
    from music21 import converter, stream
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            score = converter.parseData(text, format=_MUSIC21_FORMAT[format])
            if isinstance(score, stream.Opus):
                score = score.scores[0]
            if not any(True for _ in score.recurse().notesAndRests):
                raise UnreadableFile(f"The {_NOUNS[format]} file holds no notes.")
            return bytes(GeneralObjectExporter(score).parse())
        except MusicError:
            raise
        except Exception as error:
            raise UnreadableFile(
                f"The {_NOUNS[format]} file is truncated or damaged.", hint="Check it in the program it comes from."
            ) from error


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\x00" in text:
        raise UnreadableFile("The file is not text.")
    return text

"""MusicXML measures → LMX, measure by measure, through the format's own package (`linearized-musicxml`).

LMX's state (voice, staff, stem) starts anew in each measure and attributes are written where they change, so the
tokens of a window are its measures' tokens behind a head: key and clefs as each printed line shows them.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from model_runtime.tokens.score import Head
from model_runtime.tokens.vocabulary import IDS

HARMLESS = ("Measure rest does not have expected duration", "Unexpected <attributes>", "Unexpected <measure>")


@dataclass(frozen=True)
class LmxMeasure:
    """LMX of one measure, `measure` first.

    Attributes:
        tokens: Empty where the measure cannot be written as LMX.
        notes: For each token the number of the note (in the measure) that it describes, -1 for none.
        failure: Why it cannot be written, else empty.
    """

    tokens: tuple[str, ...]
    notes: tuple[int, ...]
    failure: str = ""


def lmx_measures(part: ET.Element) -> list[LmxMeasure]:
    """LMX of each measure of a part as `score.visible_part` makes it."""
    linearizer = _recorder()
    result = []
    for measure in part:
        linearizer.output_tokens.clear()
        linearizer.spans.clear()
        errors = linearizer._errout = io.StringIO()
        try:
            linearizer.process_measure(measure)
            failure = _first_serious(errors.getvalue())
        except Exception as error:  # the package asserts on what it does not know, and music is full of surprises
            failure = f"{type(error).__name__}: {error}"
        result.append(_recorded(linearizer, failure))
    return result


def _recorder() -> Any:
    from lmx.linearization.Linearizer import Linearizer

    class Recorder(Linearizer):  # type: ignore[misc]
        """A linearizer that remembers which tokens came from which note."""

        def __init__(self) -> None:
            super().__init__()
            self.spans: list[tuple[int, int]] = []

        def process_note(self, note: ET.Element, measure: ET.Element) -> None:
            start = len(self.output_tokens)
            super().process_note(note, measure)
            self.spans.append((start, len(self.output_tokens)))

    return Recorder()


def _first_serious(errors: str) -> str:
    for line in errors.splitlines():
        text = line.partition("]: ")[2]
        if text and not text.startswith(HARMLESS):
            return text
    return ""


def _recorded(linearizer: Any, failure: str) -> LmxMeasure:
    tokens = tuple(linearizer.output_tokens)
    if not failure and any(token not in IDS for token in tokens):
        failure = "unknown token"
    if failure:
        return LmxMeasure((), (), failure[:60])
    notes = [-1] * len(tokens)
    for note, (start, end) in enumerate(linearizer.spans):
        notes[start:end] = [note] * (end - start)
    return LmxMeasure(tokens, tuple(notes))


def split_head(tokens: Sequence[str]) -> int:
    """Index of the first token after a measure's `measure` and its opening key, time and clefs."""
    i = 1
    while i < len(tokens):
        of_clef = tokens[i].startswith("staff:") and tokens[i - 1].startswith("clef:")
        if not of_clef and not tokens[i].startswith(("key:", "time", "beats:", "beat-type:", "clef:")):
            break
        i += 1
    return i


def head_tokens(head: Head, own: Iterable[str], *, with_meter: bool) -> list[str]:
    """`measure` with key, metre and clefs: the measure's own where it prints them, else those that hold there.

    Args:
        head: What held before the measure.
        own: The measure's opening tokens, without `measure`.
        with_meter: Write the metre even where the measure does not print one.
    """
    key = [f"key:fifths:{head.fifths}"]
    meter = ["time", f"beats:{head.meter[0]}", f"beat-type:{head.meter[1]}"] if with_meter and head.meter[0] else []
    clefs = {staff: f"clef:{clef}" for staff, clef in head.clefs.items()}
    own = list(own)
    for i, token in enumerate(own):
        if token.startswith("key:"):
            key = [token]
        elif token == "time":
            meter = own[i : i + 3]
        elif token.startswith("clef:"):
            said = own[i + 1] if i + 1 < len(own) else ""
            clefs[int(said[6:]) if said.startswith("staff:") else 1] = token
    result = ["measure", *key, *meter]
    for staff in sorted(clefs):
        result += [clefs[staff], f"staff:{staff}"]
    return result

"""MuseScore: notes by cursor there and back, and our MusicXML in MuseScore 4's engine.

    python -m benchmarks.musescore --data DIR --json FILE

The piano parts of 30 Lieder of the `dev` split are opened in MuseScore 3; the plugin's scripts read each by cursor and
insert what they read into an empty score with the same measures; MuseScore exports both. Figures:

    round_trip_equal_percent           notes of both exports that are equal in measure, onset, duration, pitch, staff
                                       and voice (tied notes one by one, tuplets, grace notes), of all notes
    round_trip_worst_score_percent     the same of the worst score
    cursor_equal_percent               notes without tuplets and grace notes, inserted by cursor alone: what MuseScore
                                       3.2's cursor can make
    undone_scores                      scores that one undo left as empty as before, of both ways
    read_400_bars_s                    reading 400 bars by cursor, on the wall, a median of five runs
    longest_slice_ms                   the longest that reading kept the window waiting, in all runs
    insert_400_bars_cursor_s           inserting 400 bars by cursor
    insert_400_bars_paste_s            the same through the clipboard, as MuseScore 3 takes tuplets and grace notes
    musescore4_scores                  scores opened in MuseScore 4's engine: written as we write them after being taken
                                       through notation → performance → notation (and `_image` through a picture, where
                                       an engine reads those)
    musescore4_equal_percent           their notes that the engine finds as we wrote them (pitch, onset, duration, staff
                                       and voice)
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path

from lxml import etree

from benchmarks import musescore4_engine, musescore_plugin, report
from benchmarks.written_notes import WrittenNote, equal_notes, written_notes
from model_runtime import files, translate
from model_runtime.files.notes import NoteItem, NotesDocument, notes_to_notation
from model_runtime.modality import Modality, Notation
from model_runtime.options import Options
from model_runtime.router import Router

SCORES = 30
EVERY = 3
BARS = 400
ROUNDS = 5

Figures = dict[str, float]


def main() -> None:
    """Measure all, print two tables, write JSON."""
    parser = argparse.ArgumentParser(description="MuseScore: notes by cursor, and our MusicXML in MuseScore 4.")
    parser.add_argument("--data", type=Path, default=Path("shared"), help="folder with data/lieder")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    scores = list(piano_parts(arguments.data / "data" / "lieder"))
    with tempfile.TemporaryDirectory() as scratch:
        figures, rows, documents = round_trips(scores, Path(scratch))
        report.write({}, rows, None, "Notes by cursor in MuseScore 3, there and back")
        figures |= speed(documents, Path(scratch))
        figures |= in_musescore4(scores, Path(scratch))
    rows = [{"figure": name, "measured": float(value)} for name, value in figures.items()]
    report.write(figures, rows, arguments.json, "MuseScore")


def piano_parts(folder: Path) -> Iterator[tuple[str, Notation]]:
    """Name and piano part of the chosen scores, of a folder laid out as `data/lieder`."""
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        numbers = sorted(int(row["id"]) for row in csv.DictReader(file) if row["split"] == "dev")
    found = 0
    for number in numbers[::EVERY] + [n for i, n in enumerate(numbers) if i % EVERY]:
        part = piano_part(files.read(folder / f"{number}.mxl")) if found < SCORES else None
        if part is not None:
            found += 1
            yield str(number), part


def piano_part(notation: object) -> Notation | None:
    """The first part with two staves, alone; None where there is none."""
    assert isinstance(notation, Notation)
    root = deepcopy(notation.root)
    parts = root.findall("part")
    chosen = next((p for p in parts if any(int(s.text or 1) == 2 for s in p.iter("staves"))), None)
    listing = root.find("part-list")
    if chosen is None or listing is None:
        return None
    for part in parts:
        if part is not chosen:
            root.remove(part)
    for entry in list(listing):
        if entry.get("id") != chosen.get("id"):
            listing.remove(entry)
    return Notation(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def round_trips(
    scores: Sequence[tuple[str, Notation]], scratch: Path
) -> tuple[Figures, list[report.Row], list[NotesDocument]]:
    """Read each score by cursor, insert it into an empty one, compare what MuseScore exports of both."""
    rows: list[report.Row] = []
    documents = []
    for name, notation in scores:
        source = scratch / f"{name}.musicxml"
        source.write_bytes(notation.musicxml)
        reading = musescore_plugin.read_notes(source, scratch)
        document = NotesDocument.model_validate(reading.reply["document"])
        documents.append(document)
        original = written_notes(reading.score)
        notes, equal, undone = _inserted(document, scratch, original)
        plain_notes, plain_equal, plain_undone = _inserted(without_figures(document), scratch)
        rows.append(
            {
                "score": name,
                "notes": len(original),
                "%": 200 * equal / max(len(original) + notes, 1),
                "by cursor": plain_notes,
                "% by cursor": 100 * plain_equal / max(plain_notes, 1),
                "equal": equal,
                "inserted": notes,
                "equal by cursor": plain_equal,
                "undone": undone + plain_undone,
            }
        )
    return _figures(rows), rows, documents


def _figures(rows: Sequence[report.Row]) -> Figures:
    def total(column: str) -> float:
        return sum(float(str(row[column])) for row in rows)

    return {
        "round_trip_scores": len(rows),
        "round_trip_notes": total("notes"),
        "round_trip_equal_percent": 200 * total("equal") / (total("notes") + total("inserted")),
        "round_trip_worst_score_percent": min(float(str(row["%"])) for row in rows),
        "cursor_notes": total("by cursor"),
        "cursor_equal_percent": 100 * total("equal by cursor") / total("by cursor"),
        "cursor_worst_score_percent": min(float(str(row["% by cursor"])) for row in rows),
        "undone_scores": total("undone"),
    }


def _inserted(
    document: NotesDocument, scratch: Path, original: Sequence[WrittenNote] | None = None
) -> tuple[int, int, int]:
    """Notes after inserting the document into an empty score, how many are equal to the original, 1 if undone.

    Where no original is given it is what MuseScore makes of the document's MusicXML.
    """
    empty, answer = scratch / "empty.musicxml", scratch / "answer.musicxml"
    empty.write_bytes(notes_to_notation(emptied(document)).musicxml)
    answer.write_bytes(notes_to_notation(document).musicxml)
    if original is None:
        original = written_notes(answer.read_bytes())
    written = musescore_plugin.write_notes(empty, document, scratch, musicxml=answer)
    notes = written_notes(written.score)
    return len(notes), equal_notes(original, notes), int(not written_notes(written.undone))


def emptied(document: NotesDocument) -> NotesDocument:
    """Its measures without anything in them."""
    return document.model_copy(update={"notes": (), "dynamics": ()})


def without_figures(document: NotesDocument) -> NotesDocument:
    """Without grace notes and tuplets, which MuseScore 3.2's cursor cannot make."""
    return document.model_copy(update={"notes": tuple(n for n in document.notes if not n.grace and n.tuplet is None)})


def speed(documents: Sequence[NotesDocument], scratch: Path) -> Figures:
    """Times of 400 bars: the first score with whole measures of one meter throughout, repeated."""
    document = repeated(next(d for d in documents if not d.measures and not d.pickup and len(d.meters) == 1))
    plain = without_figures(document)
    source, empty, answer = (scratch / f"{name}.musicxml" for name in ("long", "empty", "answer"))
    source.write_bytes(notes_to_notation(document).musicxml)
    empty.write_bytes(notes_to_notation(emptied(document)).musicxml)
    answer.write_bytes(notes_to_notation(document).musicxml)
    readings = [musescore_plugin.read_notes(source, scratch).reply for _ in range(ROUNDS)]
    cursor = [musescore_plugin.write_notes(empty, plain, scratch).reply for _ in range(ROUNDS)]
    paste = [
        musescore_plugin.write_notes(empty, with_grace(document), scratch, musicxml=answer).reply for _ in range(ROUNDS)
    ]

    def median(replies: Sequence[dict[str, float]], name: str = "seconds") -> float:
        return statistics.median(reply[name] for reply in replies)

    return {
        "speed_bars": BARS,
        "speed_notes": len(document.notes),
        "read_400_bars_s": median(readings),
        "longest_slice_ms": max(reply["longest_slice_ms"] for reply in readings),
        "insert_400_bars_cursor_s": median(cursor),
        "insert_400_bars_paste_s": median(paste),
    }


def repeated(document: NotesDocument) -> NotesDocument:
    """The document over and over, cut after 400 bars."""
    meter = document.meters[0]
    end = BARS * 4 * document.ticks_per_quarter * meter.numerator // meter.denominator
    notes, dynamics = [], []
    for start in range(0, end, document.length):
        notes += [_shifted(note, start) for note in document.notes if note.tick + start + note.duration <= end]
        dynamics += [d.model_copy(update={"tick": d.tick + start}) for d in document.dynamics if d.tick + start < end]
    return document.model_copy(
        update={"notes": tuple(notes), "dynamics": tuple(dynamics), "length": end, "tempos": document.tempos[:1]}
    )


def _shifted(note: NoteItem, ticks: int) -> NoteItem:
    tuplet = note.tuplet
    if tuplet is not None and tuplet.tick is not None:
        tuplet = tuplet.model_copy(update={"tick": tuplet.tick + ticks})
    return note.model_copy(update={"tick": note.tick + ticks, "tuplet": tuplet})


def with_grace(document: NotesDocument) -> NotesDocument:
    """With a grace note at the beginning, so that it has to go through the clipboard."""
    first = document.notes[0].model_copy(update={"grace": "acciaccatura", "tuplet": None, "duration": 240})
    return document.model_copy(update={"notes": (first, *document.notes)})


def in_musescore4(scores: Sequence[tuple[str, Notation]], scratch: Path) -> Figures:
    """What MuseScore 4's engine finds in scores that we have written."""
    figures: Figures = {}
    for way in ways():
        equal = notes = 0
        for _, notation in scores:
            ours = _taken_through(notation, way)
            written = written_notes(ours)
            notes += len(written)
            equal += equal_notes(written, written_notes(musescore4_engine.opened(ours, scratch)))
        suffix = "" if way is Modality.PERFORMANCE else "_image"
        figures[f"musescore4_scores{suffix}"] = len(scores)
        figures[f"musescore4_notes{suffix}"] = notes
        figures[f"musescore4_equal_percent{suffix}"] = 100 * equal / notes
    return figures


def ways() -> list[Modality]:
    """What scores are taken through: performance, and pictures where an engine reads them here."""
    readable = [d.source for d in Router().directions() if d.target is Modality.NOTATION and d.ready]
    return [way for way in (Modality.PERFORMANCE, Modality.SCORE_IMAGE) if way in readable]


def _taken_through(notation: Notation, way: Modality) -> bytes:
    there = translate(notation, way, Options()).value
    back = translate(there, Modality.NOTATION, Options()).value
    assert isinstance(back, Notation)
    return back.musicxml


if __name__ == "__main__":
    main()

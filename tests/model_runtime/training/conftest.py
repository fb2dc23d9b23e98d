"""A small corpus, made here: three two-staved scores through the same door as the real ones."""

from __future__ import annotations

import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import numpy as np
import pytest

from model_runtime.tokens.notes import NoteToken, compound
from model_runtime.tokens.vocabulary import fingerprint
from model_runtime.unified.note_outputs import KEPT, LATE, OUTPUTS

SPLITS = {"1": "train", "2": "train", "3": "dev", "4": "test"}


def note(pitch: str, kind: str, duration: int, staff: int, voice: int, *, extra: str = "", notations: str = "") -> str:
    """A MusicXML note; `extra` goes between value and staff, as beams, dots and accidentals do not here."""
    alter = "<alter>1</alter>" if pitch[0] == "F" else ""  # the key has one sharp
    inner = (
        "<rest/>" if pitch == "rest" else f"<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[1]}</octave></pitch>"
    )
    marks = f"<notations>{notations}</notations>" if notations else ""
    stem = "" if pitch == "rest" else "<stem>up</stem>"
    return (
        f"<note>{inner}<duration>{duration}</duration><voice>{voice}</voice><type>{kind}</type>{extra}{stem}"
        f"<staff>{staff}</staff>{marks}</note>"
    )


def measure_xml(number: int, upper: str, lower: str, *, attributes: str = "", length: int = 8) -> str:
    """A measure of two voices, one a staff."""
    backup = f"<backup><duration>{length}</duration></backup>"
    return f'<measure number="{number}">{attributes}{upper}{backup}{lower}</measure>'


FIRST = (
    "<attributes><divisions>2</divisions><key><fifths>1</fifths></key><time><beats>4</beats><beat-type>4</beat-type>"
    '</time><staves>2</staves><clef number="1"><sign>G</sign><line>2</line></clef>'
    '<clef number="2"><sign>F</sign><line>4</line></clef></attributes>'
)


def score_xml(measures: int, shift: int) -> str:
    """A song: a voice above and a piano part of changing notes, ties, slurs and a hidden rest."""
    letters = "CDEFGAB"
    body = []
    for i in range(measures):
        pitch = f"{letters[(i + shift) % 7]}5"
        slur, stop = '<slur type="start" number="1"/>', '<slur type="stop" number="1"/>'
        upper = note(pitch, "quarter", 2, 1, 1, notations=slur) + note("B4", "quarter", 2, 1, 1, notations=stop)
        upper += note("A4", "half", 4, 1, 1)
        low = f"{letters[(2 * i + shift) % 7]}3"
        lower = note(low, "half", 4, 2, 5) + note("rest", "quarter", 2, 2, 5)
        lower += note("G3", "quarter", 2, 2, 5).replace("<note>", '<note print-object="no">')
        body.append(measure_xml(i + 1, upper, lower, attributes=FIRST if i == 0 else ""))
    voice = '<measure number="1"><note><rest/><duration>4</duration></note></measure>' * measures
    return (
        '<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Voice</part-name></score-part>'
        '<score-part id="P2"><part-name>Piano</part-name></score-part></part-list>'
        f'<part id="P1">{voice}</part><part id="P2">{"".join(body)}</part></score-partwise>'
    )


def write_scores(folder: Path) -> None:
    """The scores and their index as the corpus builder expects them."""
    rows = ["id,composer,set,title,split", *(f"{name},x,,t,{split}" for name, split in SPLITS.items())]
    (folder / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for name in SPLITS:
        with zipfile.ZipFile(folder / f"{name}.mxl", "w") as archive:
            archive.writestr("META-INF/container.xml", "<container/>")
            archive.writestr("score.xml", score_xml(12, int(name)))


@pytest.fixture(scope="session")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the small scores."""
    folder = tmp_path_factory.mktemp("scores")
    write_scores(folder)
    return folder


@pytest.fixture(scope="session")
def corpus_folder(scores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the corpus built from them."""
    from model_runtime.training.corpus import build

    out = tmp_path_factory.mktemp("corpus")
    build(scores, out, variants=2, workers=1)
    return out


@pytest.fixture(scope="session")
def seen_folder(corpus_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same scores as `seen.py` keeps them: each measure by itself, complete, with the reader's probabilities."""
    folder = tmp_path_factory.mktemp("seen")
    for file in corpus_folder.rglob("*.npz"):
        with np.load(file) as archive:
            arrays = {name: archive[name] for name in archive if name[-2:] not in ("_1", "_2")}
        measures = len(arrays["left_0"])
        arrays["left_0"] = np.zeros(measures, np.float32)
        arrays["system_0"] = np.arange(measures, dtype=np.int16)
        arrays["head_meter"] = np.zeros_like(arrays["head_meter"])
        arrays["glyph_ids_0"][:, -1] -= 2
        arrays["edition"] = np.array("MuseScore")
        target = folder / file.parent.name / file.name
        target.parent.mkdir(exist_ok=True)
        np.savez_compressed(target, **arrays)
    return folder


def triplets(hidden: str = "") -> str:
    """A measure in which four triplets stand over a whole note."""
    ratio = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>"
    first = note("C5", "eighth", 2, 1, 1, extra=ratio)
    first = first.replace("</note>", f'<notations{hidden}><tuplet type="start" bracket="yes"/></notations></note>')
    last = note("E5", "eighth", 2, 1, 1, extra=ratio)
    last = last.replace("</note>", f'<notations{hidden}><tuplet type="stop"/></notations></note>')
    return 4 * (first + note("D5", "eighth", 2, 1, 1, extra=ratio) + last) + "<backup><duration>24</duration></backup>"


@pytest.fixture
def tuplets() -> ET.Element:
    """Measures with triplets that are numbered, hidden, and shown without a number; the second one is repeated."""
    first = FIRST.replace("<divisions>2", "<divisions>6")
    low = note("C3", "whole", 24, 2, 5)
    repeat = '<barline location="right"><bar-style>light-heavy</bar-style><repeat direction="backward"/></barline>'
    without = triplets().replace('bracket="yes"', 'bracket="yes" show-number="none"')
    bodies = [first + triplets(), triplets(' print-object="no"'), without]
    ends = ["", repeat, ""]
    measures = "".join(f"<measure>{body}{low}{end}</measure>" for body, end in zip(bodies, ends, strict=True))
    from model_runtime.tokens.score import visible_part

    return visible_part(ET.fromstring(f'<part id="P1">{measures}</part>'))


def write_piece(path: Path, count: int, seed: int, source: str) -> None:
    """Notes of which the loud ones are there, and sound late by their pitch."""
    rng = np.random.default_rng(seed)
    pitches, loud = rng.integers(40, 90, count), rng.integers(0, 2, count)
    notes = [NoteToken("note", 0, int(p), 30, 24 if there else 4) for p, there in zip(pitches, loud, strict=True)]
    wanted = np.zeros((count, len(OUTPUTS)), np.float32)
    wanted[:, KEPT] = loud
    wanted[:, LATE] = (pitches - 65) / 25
    weights = np.zeros_like(wanted)
    weights[:, [KEPT, LATE]] = 1.0
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        source=source,
        vocabulary=fingerprint(),
        ids=np.array([compound(note) for note in notes], np.int16),
        places=np.cumsum(rng.uniform(0.0, 3.0, count)).astype(np.float32),
        wanted=wanted,
        weights=weights,
    )


@pytest.fixture(scope="session")
def notes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two splits of notes that a reader heard."""
    folder = tmp_path_factory.mktemp("notes")
    for split, count in (("train", 4), ("dev", 1)):
        for i in range(count):
            write_piece(folder / split / f"{i}.npz", 150 + 20 * i, i + (split == "dev") * 100, "audio")
    return folder

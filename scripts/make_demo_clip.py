"""Makes the recording that `scorebridge demo` translates: a piece written for it, played by a sampled piano.

    python scripts/make_demo_clip.py [SOUNDFONT]

Writes `bridge/demo/little_bridge.musicxml` and `.ogg`. The shipped one was played by FluidR3_GM (MIT licence).
"""

from __future__ import annotations

import sys
from pathlib import Path

from model_runtime import files, translate
from model_runtime.modality import Audio, Notation
from model_runtime.options import Options

FOLDER = Path(__file__).resolve().parent.parent / "bridge" / "demo"
DIVISIONS = 12

# One string a measure: pitch:length, the length in twelfths of a quarter; "+" joins a chord, "r" rests.
RIGHT = [
    "B4:12 D5:6 C5:6 B4:12 A4:12",
    "G4:18 A4:6 B4:12 D5:12",
    "C5:6 E5:6 D5:6 C5:6 A4:12 F#4:12",
    "G4:36 r:12",
]
LEFT = [
    "G3:12 F#3:12 D3:12 F#3:12",
    "E3:12 C3:12 D3:12 F#3:12",
    "G3:12 F#3:12 C3:12 D3:12",
    "B2:12 D3:12 E3:12 r:12",
]
TYPES = {6: ("eighth", 0), 12: ("quarter", 0), 18: ("quarter", 1), 24: ("half", 0), 36: ("half", 1)}


def main() -> None:
    notation = Notation(_document().encode())
    files.write(notation, FOLDER / "little_bridge.musicxml")
    options = Options(soundfont=sys.argv[1] if len(sys.argv) > 1 else None, sample_rate=44100)
    audio = translate(notation, "audio", options).value
    assert isinstance(audio, Audio)
    import soundfile

    soundfile.write(FOLDER / "little_bridge.ogg", audio.samples().mean(axis=1), audio.sample_rate, format="OGG")


def _document() -> str:
    measures = []
    for number, (right, left) in enumerate(zip(RIGHT, LEFT, strict=True), 1):
        opening = _opening() if number == 1 else ""
        body = _staff(right, 1) + "<backup><duration>48</duration></backup>" + _staff(left, 2)
        closing = '<barline location="right"><bar-style>light-heavy</bar-style></barline>' if number == 4 else ""
        measures.append(f'<measure number="{number}">{opening}{body}{closing}</measure>')
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<score-partwise version="4.0">'
        "<work><work-title>Little Bridge</work-title></work>"
        '<part-list><score-part id="P1"><part-name>Piano</part-name></score-part></part-list>'
        f'<part id="P1">{"".join(measures)}</part></score-partwise>\n'
    )


def _opening() -> str:
    return (
        f"<attributes><divisions>{DIVISIONS}</divisions><key><fifths>1</fifths></key>"
        "<time><beats>4</beats><beat-type>4</beat-type></time><staves>2</staves>"
        '<clef number="1"><sign>G</sign><line>2</line></clef><clef number="2"><sign>F</sign><line>4</line></clef>'
        "</attributes>"
        '<direction placement="above"><direction-type><metronome><beat-unit>quarter</beat-unit>'
        '<per-minute>104</per-minute></metronome></direction-type><staff>1</staff><sound tempo="104"/></direction>'
        '<direction placement="below"><direction-type><dynamics><mf/></dynamics></direction-type>'
        "<staff>1</staff></direction>"
    )


def _staff(measure: str, staff: int) -> str:
    return "".join(_chord(word, staff) for word in measure.split())


def _chord(word: str, staff: int) -> str:
    pitches, length = word.split(":")
    duration = int(length)
    name, dots = TYPES[duration]
    notes = []
    for i, pitch in enumerate(pitches.split("+")):
        notes.append(
            "<note>"
            + ("<chord/>" if i else "")
            + _pitch(pitch)
            + f"<duration>{duration}</duration><voice>{1 if staff == 1 else 5}</voice><type>{name}</type>"
            + "<dot/>" * dots
            + f"<staff>{staff}</staff></note>"
        )
    return "".join(notes)


def _pitch(name: str) -> str:
    if name == "r":
        return "<rest/>"
    alter = "<alter>1</alter>" if "#" in name else ""
    return f"<pitch><step>{name[0]}</step>{alter}<octave>{name[-1]}</octave></pitch>"


if __name__ == "__main__":
    main()

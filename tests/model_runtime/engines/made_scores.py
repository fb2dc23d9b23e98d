"""MusicXML made in a line or two, for tests."""

from __future__ import annotations

from model_runtime.modality import Notation

TYPES = {16: "whole", 8: "half", 4: "quarter", 2: "eighth", 1: "16th"}
DIVISIONS = 4


def note(
    name: str,
    length: int = 4,
    more: str = "",
    *,
    notations: str = "",
    chord: bool = False,
    voice: int = 1,
    kind: str = "",
) -> str:
    """A note such as "C4" or "F#5" of `length` sixteenths, or a rest ("r"); `kind` replaces its `<type>`."""
    looks = kind or (f"<type>{TYPES[length]}</type>" if length in TYPES else "")
    wrapped = f"<notations>{notations}</notations>" if notations else ""
    body = "<rest/>" if name == "r" else f"{'<chord/>' if chord else ''}{pitch(name)}"
    return f"<note>{body}<duration>{length}</duration>{more}<voice>{voice}</voice>{looks}{wrapped}</note>"


def pitch(name: str) -> str:
    """The `<pitch>` of a name such as "Bb3"."""
    step, octave, sign = name[0], name[-1], name[1:-1]
    alter = {"": "", "#": "<alter>1</alter>", "b": "<alter>-1</alter>"}[sign]
    return f"<pitch><step>{step}</step>{alter}<octave>{octave}</octave></pitch>"


def grace(name: str, *, slash: bool) -> str:
    """A grace note in eighths."""
    sign = '<grace slash="yes"/>' if slash else "<grace/>"
    return f"<note>{sign}{pitch(name)}<voice>1</voice><type>eighth</type></note>"


def notes(names: str, length: int = 4) -> str:
    """Notes of one length: "C4 D4 E4 F4"."""
    return "".join(note(name, length) for name in names.split())


def direction(inner: str, sound: str = "") -> str:
    """A `<direction>` with one type."""
    return f"<direction><direction-type>{inner}</direction-type>{sound}</direction>"


def words(text: str, sound: str = "") -> str:
    """Words above the staff."""
    return direction(f"<words>{text}</words>", sound)


def dynamic(mark: str) -> str:
    """A dynamic mark."""
    return direction(f"<dynamics><{mark}/></dynamics>")


def tempo(quarters_per_minute: float) -> str:
    """A tempo that the file says."""
    return f'<sound tempo="{quarters_per_minute}"/>'


def attributes(*, time: str = "4/4", fifths: int = 0, more: str = "") -> str:
    """Divisions, key, time and a treble clef."""
    beats, beat_type = time.split("/")
    return (
        f"<attributes><divisions>{DIVISIONS}</divisions><key><fifths>{fifths}</fifths></key>"
        f"<time><beats>{beats}</beats><beat-type>{beat_type}</beat-type></time>"
        f"<clef><sign>G</sign><line>2</line></clef>{more}</attributes>"
    )


def repeat(way: str, times: int = 0) -> str:
    """A repeat sign, "forward" or "backward"."""
    side = "left" if way == "forward" else "right"
    often = f' times="{times}"' if times else ""
    return f'<barline location="{side}"><repeat direction="{way}"{often}/></barline>'


def ending(numbers: str, kind: str, *, back: bool = False) -> str:
    """Start or stop of a volta bracket."""
    side = "left" if kind == "start" else "right"
    sign = '<repeat direction="backward"/>' if back else ""
    return f'<barline location="{side}"><ending number="{numbers}" type="{kind}"/>{sign}</barline>'


def part(*measures: str, time: str = "4/4", fifths: int = 0, more: str = "") -> list[str]:
    """Measures of a part; the first gets the attributes."""
    return [(attributes(time=time, fifths=fifths, more=more) if i == 0 else "") + m for i, m in enumerate(measures)]


def score(*parts: list[str], names: tuple[str, ...] = (), headers: tuple[str, ...] = ()) -> Notation:
    """A whole document; the first measure of a pickup is written like any other."""
    listed, bodies = "", ""
    for i, measures in enumerate(parts):
        name = names[i] if i < len(names) else "Piano"
        header = headers[i] if i < len(headers) else ""
        listed += f'<score-part id="P{i + 1}"><part-name>{name}</part-name>{header}</score-part>'
        numbered = "".join(f'<measure number="{n}">{m}</measure>' for n, m in enumerate(measures, 1))
        bodies += f'<part id="P{i + 1}">{numbered}</part>'
    return Notation(
        f'<?xml version="1.0" encoding="UTF-8"?><score-partwise version="4.0"><part-list>{listed}</part-list>'
        f"{bodies}</score-partwise>".encode()
    )

"""Damaged MusicXML is played as far as it can be, or refused; nothing else happens."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from model_runtime.engines.base import Context
from model_runtime.engines.performer import Performer
from model_runtime.errors import MusicError, UnreadableFile
from model_runtime.modality import Notation
from model_runtime.options import Options

PIECE = """
<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Harfe</part-name></score-part>
</part-list><part id="P1"><measure number="1"><attributes><divisions>2</divisions><key><fifths>3</fifths></key>
<time><beats>2</beats><beat-type>4</beat-type></time><transpose><chromatic>-2</chromatic></transpose>
</attributes><direction><direction-type><metronome><beat-unit>quarter</beat-unit><per-minute>90</per-minute>
</metronome></direction-type><offset>1</offset><sound tempo="90" dynamics="80"/></direction><direction>
<direction-type><wedge type="crescendo"/></direction-type></direction><note><grace slash="yes"/><pitch><step>C
</step><octave>5</octave></pitch></note><note><pitch><step>B</step><alter>-1</alter><octave>4</octave></pitch>
<duration>2</duration><tie type="start"/><voice>1</voice><type>quarter</type><notations><ornaments><trill-mark/>
<accidental-mark>flat</accidental-mark></ornaments></notations></note><note><chord/><pitch><step>E</step>
<octave>5</octave></pitch><duration>2</duration></note><backup><duration>2</duration></backup><note><pitch>
<step>G</step><octave>3</octave></pitch><duration>4</duration><notations><ornaments><tremolo type="start">3
</tremolo></ornaments><arpeggiate number="1"/><fermata/></notations></note><barline>
<ending number="1" type="start"/><repeat direction="backward" times="2"/></barline></measure>
<measure number="2"><direction><direction-type><pedal type="start"/></direction-type></direction><note><rest/>
<duration>1</duration></note><forward><duration>1</duration></forward><note><pitch><step>B</step><octave>4
</octave></pitch><duration>2</duration><tie type="stop"/><notations><ornaments><tremolo type="stop">3</tremolo>
</ornaments></notations></note></measure></part></score-partwise>
"""

NONSENSE = ["", "-1", "0", "1e9", "nan", "inf", "x", "0.333", "1000000", "H", "start", "yes"]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_damage_anywhere_gives_music_or_a_sentence(seed: int, deadpan: bool) -> None:
    chance = random.Random(seed)
    root = etree.fromstring(PIECE.strip())
    elements = [e for e in root.iter() if e is not root]
    for element in chance.sample(elements, 3):
        match chance.randrange(4):
            case 0:
                element.text = chance.choice(NONSENSE)
            case 1:
                for name in element.attrib:
                    element.set(name, chance.choice(NONSENSE))
            case 2:
                parent = element.getparent()
                if parent is not None:
                    parent.remove(element)
            case 3:
                element.addnext(etree.fromstring(etree.tostring(chance.choice(elements), with_tail=False)))
    try:
        played = Performer().translate(Notation(etree.tostring(root)), Options(deadpan=deadpan), Context())
    except MusicError as error:
        assert error.message.endswith(".")
    else:
        assert played.notes and played.tempo_map is not None


def test_a_note_longer_than_any_music_is_refused() -> None:
    endless = PIECE.strip().replace("<duration>4</duration>", "<duration>4000000000</duration>").encode()
    with pytest.raises(UnreadableFile, match="cannot be meant"):
        Performer().translate(Notation(endless), Options(), Context())

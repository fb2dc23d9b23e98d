"""General MIDI: names, programs and families of instruments, and how to find one from what people write.

The numbers follow the General MIDI Level 1 sound set; programs count from 0.
"""

from __future__ import annotations

import re
from functools import lru_cache

from model_runtime.errors import InvalidValue

PERCUSSION_CHANNEL = 9
PERCUSSION = "percussion"

# fmt: off
GENERAL_MIDI: tuple[str, ...] = (
    "Acoustic Grand Piano", "Bright Acoustic Piano", "Electric Grand Piano", "Honky-tonk Piano",
    "Electric Piano 1", "Electric Piano 2", "Harpsichord", "Clavinet",
    "Celesta", "Glockenspiel", "Music Box", "Vibraphone", "Marimba", "Xylophone", "Tubular Bells", "Dulcimer",
    "Drawbar Organ", "Percussive Organ", "Rock Organ", "Church Organ",
    "Reed Organ", "Accordion", "Harmonica", "Tango Accordion",
    "Acoustic Guitar (nylon)", "Acoustic Guitar (steel)", "Electric Guitar (jazz)", "Electric Guitar (clean)",
    "Electric Guitar (muted)", "Overdriven Guitar", "Distortion Guitar", "Guitar Harmonics",
    "Acoustic Bass", "Electric Bass (finger)", "Electric Bass (pick)", "Fretless Bass",
    "Slap Bass 1", "Slap Bass 2", "Synth Bass 1", "Synth Bass 2",
    "Violin", "Viola", "Cello", "Contrabass", "Tremolo Strings", "Pizzicato Strings", "Orchestral Harp", "Timpani",
    "String Ensemble 1", "String Ensemble 2", "Synth Strings 1", "Synth Strings 2",
    "Choir Aahs", "Voice Oohs", "Synth Voice", "Orchestra Hit",
    "Trumpet", "Trombone", "Tuba", "Muted Trumpet", "French Horn", "Brass Section", "Synth Brass 1", "Synth Brass 2",
    "Soprano Sax", "Alto Sax", "Tenor Sax", "Baritone Sax", "Oboe", "English Horn", "Bassoon", "Clarinet",
    "Piccolo", "Flute", "Recorder", "Pan Flute", "Blown Bottle", "Shakuhachi", "Whistle", "Ocarina",
    "Lead 1 (square)", "Lead 2 (sawtooth)", "Lead 3 (calliope)", "Lead 4 (chiff)",
    "Lead 5 (charang)", "Lead 6 (voice)", "Lead 7 (fifths)", "Lead 8 (bass + lead)",
    "Pad 1 (new age)", "Pad 2 (warm)", "Pad 3 (polysynth)", "Pad 4 (choir)",
    "Pad 5 (bowed)", "Pad 6 (metallic)", "Pad 7 (halo)", "Pad 8 (sweep)",
    "FX 1 (rain)", "FX 2 (soundtrack)", "FX 3 (crystal)", "FX 4 (atmosphere)",
    "FX 5 (brightness)", "FX 6 (goblins)", "FX 7 (echoes)", "FX 8 (sci-fi)",
    "Sitar", "Banjo", "Shamisen", "Koto", "Kalimba", "Bagpipe", "Fiddle", "Shanai",
    "Tinkle Bell", "Agogo", "Steel Drums", "Woodblock", "Taiko Drum", "Melodic Tom", "Synth Drum", "Reverse Cymbal",
    "Guitar Fret Noise", "Breath Noise", "Seashore", "Bird Tweet",
    "Telephone Ring", "Helicopter", "Applause", "Gunshot",
)

FAMILIES: tuple[str, ...] = (
    "piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass",
    "reed", "pipe", "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "sound effects",
)

# What people write in scores and on command lines: English, Italian, German, French and common abbreviations.
# Longer words are tried first, so that "bass clarinet" is not a bass.
_EVERYDAY_WORDS: dict[int, tuple[str, ...]] = {
    0: ("piano", "pianoforte", "klavier", "grand piano", "fortepiano", "pno", "pf", "keyboard", "hammerklavier"),
    4: ("electric piano", "e-piano", "rhodes"),
    5: ("fm piano",),
    6: ("harpsichord", "cembalo", "clavecin", "clavicembalo"),
    7: ("clavichord",),
    8: ("celeste",),
    9: ("campanelli", "bells"),
    11: ("vibes", "vibraphon"),
    13: ("xylophon",),
    14: ("chimes", "campane"),
    16: ("hammond organ", "hammond"),
    19: ("organ", "orgel", "organo", "orgue", "pipe organ"),
    20: ("harmonium",),
    21: ("akkordeon", "fisarmonica"),
    23: ("bandoneon",),
    24: ("guitar", "classical guitar", "acoustic guitar", "nylon guitar", "gitarre", "chitarra", "guitare", "lute",
         "ukulele", "gtr"),
    25: ("steel guitar", "mandolin"),
    27: ("electric guitar", "e-guitar"),
    32: ("double bass pizzicato", "upright bass"),
    33: ("bass guitar", "electric bass", "bass", "e-bass"),
    40: ("violin", "violino", "violine", "violon", "geige", "vln", "vl", "violini", "violinen", "violins"),
    41: ("viola", "bratsche", "alto viola", "vla", "viole", "violas", "bratschen"),
    42: ("violoncello", "violoncelle", "violoncelli", "vc", "vcl", "celli", "cellos", "viola da gamba"),
    43: ("double bass", "contrabasso", "kontrabass", "contrebasse", "string bass", "cb", "contrabasses",
         "double basses", "contrabassi"),
    45: ("pizzicato",),
    46: ("harp", "harfe", "arpa", "harpe", "hp"),
    47: ("pauken", "timbales", "timp"),
    48: ("strings", "string ensemble", "streicher", "archi", "string orchestra"),
    52: ("voice", "choir", "chor", "coro", "voices", "singer", "vocals", "vocal", "soprano", "alto", "tenor",
         "baritone", "mezzo-soprano", "mezzo", "contralto", "countertenor", "singstimme", "gesang", "canto", "chant",
         "voix", "voce", "sopran", "alt", "tenore", "bariton", "basso", "bass voice", "solo voice", "women", "men",
         "gesangstimme", "stimme", "vox"),
    56: ("tromba", "trompete", "trompette", "cornet", "flugelhorn", "tpt", "trumpets", "trombe"),
    57: ("posaune", "trombones", "bass trombone", "tbn", "tromboni", "posaunen"),
    58: ("euphonium", "sousaphone", "baritone horn"),
    60: ("horn", "corno", "cor", "waldhorn", "hn", "horns", "corni", "french horns", "horn in f"),
    61: ("brass",),
    64: ("soprano saxophone", "sopransaxophon"),
    65: ("alto saxophone", "saxophone", "sax", "altsaxophon"),
    66: ("tenor saxophone", "tenorsaxophon"),
    67: ("baritone saxophone", "baritonsaxophon"),
    68: ("hautbois", "oboi", "oboes", "ob"),
    69: ("cor anglais", "englischhorn", "corno inglese"),
    70: ("fagott", "fagotto", "basson", "contrabassoon", "bsn", "fagotti", "bassoons", "kontrafagott"),
    71: ("klarinette", "clarinetto", "clarinette", "bass clarinet", "cl", "clarinetti", "clarinets", "clarinet in b",
         "basset horn"),
    72: ("ottavino", "piccoloflöte", "petite flûte", "piccolo flute"),
    73: ("flöte", "flauto", "flûte", "fl", "flauti", "flutes", "alto flute", "traverso"),
    74: ("blockflöte", "flauto dolce"),
    80: ("square lead", "square"),
    81: ("saw lead", "sawtooth", "synth lead", "synthesizer", "synth"),
    89: ("pad", "synth pad"),
    109: ("bagpipes", "dudelsack"),
    114: ("steelpan", "steel drum"),
}
_PERCUSSION_WORDS = frozenset(
    {
        "percussion", "drumset", "drums", "drum", "drumkit", "schlagzeug", "batterie", "batteria", "perc", "snare",
        "cymbal", "cymbals", "tambourine", "triangle", "congas", "bongos", "cajon", "claves", "maracas", "cowbell",
        "shaker", "guiro", "castanets",
    }
)
# fmt: on


def _tidy(text: str) -> str:
    """Lower case, one blank between words; desk numbers and transpositions left in."""
    return re.sub(r"\s+", " ", re.sub(r"[().,:;_\[\]/]+", " ", text.lower())).strip()


def _vocabulary() -> dict[str, int]:
    words = {_tidy(name): program for program, name in enumerate(GENERAL_MIDI)}
    for program, everyday in _EVERYDAY_WORDS.items():
        words.update(dict.fromkeys((_tidy(word) for word in everyday), program))
    return words


_PROGRAM_OF_WORD = _vocabulary()
_LONGEST_FIRST = sorted(_PROGRAM_OF_WORD, key=lambda word: (-len(word), word))


def is_percussion(text: str) -> bool:
    """Whether a name means unpitched percussion, which General MIDI plays on channel 9."""
    tidy = _tidy(text)
    return tidy not in _PROGRAM_OF_WORD and not _PERCUSSION_WORDS.isdisjoint(re.split(r"[\s-]+", tidy))


@lru_cache(maxsize=1024)
def find_program(text: str) -> int | None:
    """The General MIDI program, 0 to 127, that a name or number means ("Violino II", "Klavier", "40"), else None."""
    tidy = _tidy(text)
    if tidy.isascii() and tidy.isdigit():
        return int(tidy) if int(tidy) < len(GENERAL_MIDI) else None
    if tidy in _PROGRAM_OF_WORD:
        return _PROGRAM_OF_WORD[tidy]
    for word in _LONGEST_FIRST:
        if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", tidy):
            return _PROGRAM_OF_WORD[word]
    return None


def program_number(text: str) -> int:
    """The General MIDI program, 0 to 127, of a name or number.

    Raises:
        InvalidValue: no instrument is called so.
    """
    program = find_program(text)
    if program is None:
        raise InvalidValue(
            f"There is no General MIDI instrument called {text!r}.",
            hint='Give a name such as "piano" or "violin", or a program number from 0 to 127.',
        )
    return program


def program_name(program: int) -> str:
    """The General MIDI name of a program, 0 to 127."""
    return GENERAL_MIDI[program]


def family_of(program: int) -> str:
    """The General MIDI family of a program: "piano", "strings", "brass", …"""
    return FAMILIES[program // 8]


def canonical_name(text: str) -> str:
    """One everyday name, lower case, for all ways to write an instrument; an unknown name comes back tidied.

    Every acoustic piano is "piano", every drum is "percussion": it is the name under which an engine lists the
    instruments that it is made for.
    """
    if is_percussion(text):
        return PERCUSSION
    program = find_program(text)
    if program is None:
        return _tidy(text)
    if program < 4:
        return "piano"
    everyday = _EVERYDAY_WORDS.get(program, ())
    name = _tidy(GENERAL_MIDI[program])
    return everyday[0] if everyday and (" " in name or everyday[0] in name) else name

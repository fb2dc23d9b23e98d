"""What General MIDI programs are called and how they are written: staves, clefs and drum-staff places."""

from __future__ import annotations

from model_runtime.notation.quantised import ScoreTrack

PIANO = 0

_NAMES = (
    "Piano", "Bright Piano", "Electric Grand Piano", "Honky-tonk Piano", "Electric Piano", "Electric Piano",
    "Harpsichord", "Clavinet", "Celesta", "Glockenspiel", "Music Box", "Vibraphone", "Marimba", "Xylophone",
    "Tubular Bells", "Dulcimer", "Organ", "Percussive Organ", "Rock Organ", "Church Organ", "Reed Organ", "Accordion",
    "Harmonica", "Bandoneon", "Classical Guitar", "Acoustic Guitar", "Jazz Guitar", "Electric Guitar",
    "Muted Guitar", "Overdriven Guitar", "Distortion Guitar", "Guitar Harmonics", "Acoustic Bass", "Bass Guitar",
    "Bass Guitar", "Fretless Bass", "Slap Bass", "Slap Bass", "Synth Bass", "Synth Bass", "Violin", "Viola", "Cello",
    "Contrabass", "Tremolo Strings", "Pizzicato Strings", "Harp", "Timpani", "Strings", "Slow Strings",
    "Synth Strings", "Synth Strings", "Choir", "Voice", "Synth Voice", "Orchestra Hit", "Trumpet", "Trombone", "Tuba",
    "Muted Trumpet", "Horn", "Brass", "Synth Brass", "Synth Brass", "Soprano Saxophone", "Alto Saxophone",
    "Tenor Saxophone", "Baritone Saxophone", "Oboe", "English Horn", "Bassoon", "Clarinet", "Piccolo", "Flute",
    "Recorder", "Pan Flute", "Bottle", "Shakuhachi", "Whistle", "Ocarina",
)  # fmt: skip
_FAMILIES = (
    (88, "Synth Lead"), (96, "Synth Pad"), (104, "Synth Effect"), (105, "Sitar"), (106, "Banjo"), (107, "Shamisen"),
    (108, "Koto"), (109, "Kalimba"), (110, "Bagpipe"), (111, "Fiddle"), (112, "Shanai"), (113, "Tinkle Bell"),
    (114, "Agogo"), (115, "Steel Drums"), (116, "Woodblock"), (117, "Taiko"), (118, "Melodic Tom"),
    (119, "Synth Drum"), (128, "Sound Effect"),
)  # fmt: skip

# Pianos, celesta, marimba-sized mallets, dulcimer, organs, accordions and the harp.
_GRAND_STAFF = frozenset([*range(9), 12, 15, *range(16, 22), 23, 46, *range(88, 96)])
_TREBLE_8VB = frozenset(range(24, 32))
_BASS_8VB = frozenset([*range(32, 40), 43])

# General MIDI percussion key → (step, octave on a treble staff, notehead).
_DRUMS = {
    35: ("E", 4, "normal"), 36: ("F", 4, "normal"), 37: ("C", 5, "x"), 38: ("C", 5, "normal"), 39: ("E", 5, "x"),
    40: ("C", 5, "normal"), 41: ("G", 4, "normal"), 42: ("G", 5, "x"), 43: ("A", 4, "normal"), 44: ("D", 4, "x"),
    45: ("B", 4, "normal"), 46: ("G", 5, "circle-x"), 47: ("D", 5, "normal"), 48: ("E", 5, "normal"),
    49: ("A", 5, "x"), 50: ("F", 5, "normal"), 51: ("F", 5, "x"), 52: ("B", 5, "x"), 53: ("F", 5, "diamond"),
    54: ("D", 5, "x"), 55: ("B", 5, "x"), 56: ("E", 5, "triangle"), 57: ("A", 5, "x"), 59: ("F", 5, "x"),
    60: ("D", 5, "normal"), 61: ("B", 4, "normal"), 62: ("D", 5, "x"), 63: ("D", 5, "normal"),
    64: ("B", 4, "normal"), 69: ("G", 5, "slash"), 70: ("G", 5, "slash"), 75: ("E", 5, "x"), 76: ("E", 5, "triangle"),
    77: ("C", 5, "triangle"), 80: ("A", 5, "triangle"), 81: ("A", 5, "triangle"),
}  # fmt: skip
_DRUM_NAMES = {
    35: "Acoustic Bass Drum", 36: "Bass Drum", 37: "Side Stick", 38: "Snare Drum", 39: "Hand Clap",
    40: "Electric Snare", 41: "Low Floor Tom", 42: "Closed Hi-Hat", 43: "High Floor Tom", 44: "Pedal Hi-Hat",
    45: "Low Tom", 46: "Open Hi-Hat", 47: "Low-Mid Tom", 48: "High-Mid Tom", 49: "Crash Cymbal", 50: "High Tom",
    51: "Ride Cymbal", 52: "China Cymbal", 53: "Ride Bell", 54: "Tambourine", 55: "Splash Cymbal", 56: "Cowbell",
    57: "Crash Cymbal 2", 59: "Ride Cymbal 2", 60: "High Bongo", 61: "Low Bongo", 62: "Muted Conga",
    63: "High Conga", 64: "Low Conga", 69: "Cabasa", 70: "Maracas", 75: "Claves", 76: "High Woodblock",
    77: "Low Woodblock", 80: "Muted Triangle", 81: "Open Triangle",
}  # fmt: skip


def part_name(track: ScoreTrack) -> str:
    """What stands before a part's first system."""
    if track.name.strip():
        return track.name.strip()
    if track.percussion:
        return "Drums"
    return program_name(PIANO if track.program is None else track.program)


def program_name(program: int) -> str:
    """A General MIDI program's name on a score; empty above 127."""
    if program < len(_NAMES):
        return _NAMES[program]
    return next((name for limit, name in _FAMILIES if program < limit), "")


def has_two_staves(track: ScoreTrack) -> bool:
    """Whether the instrument is written on a grand staff."""
    keyboard = track.program is None or track.program in _GRAND_STAFF
    return keyboard and not track.percussion and not track.melody


def octave_clef(track: ScoreTrack) -> int:
    """How many octaves lower than written the instrument's usual clef sounds: 1 for guitars and basses, else 0."""
    return int(track.program in _TREBLE_8VB or track.program in _BASS_8VB)


def drum_place(key: int) -> tuple[str, int, str]:
    """Step, octave and notehead of a General MIDI percussion key on a five-line drum staff."""
    return _DRUMS.get(key, ("CDEFGAB"[key % 7], 5 if key % 7 < 5 else 4, "x"))


def drum_name(key: int) -> str:
    """What a General MIDI percussion key sounds like, in words."""
    return _DRUM_NAMES.get(key, f"Percussion {key}")

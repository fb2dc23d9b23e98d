// Pitch names: MuseScore's tonal pitch classes (14 is C, one fifth up is one more) and step, alter, octave.

var STEPS = "FCGDAEB";
var STEP_PITCHES = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
var LOWEST_TPC = -1;
var HIGHEST_TPC = 33;
var TPC_OF_C = 14;
var LOWEST_FROM_KEY = -4; // in C major: from A flat to C sharp on the line of fifths

// {step, alter, octave} of a MIDI pitch with this tonal pitch class; null where the class is no name of the pitch.
function named(pitch, tpc) {
    if (!(tpc >= LOWEST_TPC && tpc <= HIGHEST_TPC)) {
        return null;
    }
    var step = STEPS.charAt((tpc + 1) % 7);
    var alter = Math.floor((tpc + 1) / 7) - 2;
    var octave = (pitch - alter - STEP_PITCHES[step]) / 12 - 1;
    return octave === Math.floor(octave) ? { step: step, alter: alter, octave: octave } : null;
}

// The tonal pitch class of a name, as in the document; null where the note has none.
function tpcOf(note) {
    if (!note.step) {
        return null;
    }
    return STEPS.indexOf(note.step) + 7 * (note.alter + 2) - 1;
}

// The tonal pitch class that lies nearest to a key, as `model_runtime/files/spelling.py` spells.
function tpcInKey(pitch, fifths) {
    var lowest = fifths + LOWEST_FROM_KEY;
    return lowest + (((7 * pitch - lowest) % 12) + 12) % 12 + TPC_OF_C;
}

// A notes document sorted into the tracks of a score: what each track has to hold, in ticks of the score.

var VOICES = 4;
var NOTES_AT_ONCE = 128; // between two looks at the clock

// Sorts a document into tracks.
//
// context  {division, tick, staff, staves}: where the document's tick 0 and its first staff go, and how many staves
//          the score has. Staves that the score lacks are folded into its last one, in other voices.
// Returns {tracks: {track: [chord]}, graceNotes: [{tick, track, order, note}], dynamics, start, end, scale, warnings,
// ties, graces, tuplets}; a chord is {tick, end, notes, tuplet, move}, exact (not rounded) where it belongs to a tuplet;
// `scale` is the score's ticks to one of the document's.
function plan(document, context) {
    var planning = planner(document, context);
    planning.next(Infinity);
    return planning.sorted;
}

// The same in slices: {next(until_ms) -> whether it is done, sorted}.
function planner(document, context) {
    var scale = context.division / (document.ticks_per_quarter || 480);
    var sorted = {
        tracks: {}, graceNotes: [], dynamics: [], start: context.tick, scale: scale, warnings: {}, ties: 0, graces: 0,
        tuplets: 0, end: context.tick + (document.length || 0) * scale
    };
    var firstStaves = firstStavesOf(document, context.staff);
    var notes = (document.notes || []).slice().sort(inOrder);
    var at = 0;
    placeDynamics(sorted, document.dynamics || [], firstStaves, context, scale);
    return {
        sorted: sorted,
        next: function (until_ms) {
            while (at < notes.length) {
                var note = notes[at++];
                if (note.grace) {
                    placeGrace(sorted, note, firstStaves[note.part || 0], context, scale);
                } else {
                    place(sorted, note, firstStaves[note.part || 0], context, scale);
                }
                if (at % NOTES_AT_ONCE === 0 && Date.now() >= until_ms) {
                    break;
                }
            }
            return at >= notes.length;
        }
    };
}

function placeDynamics(sorted, dynamics, firstStaves, context, scale) {
    for (var i = 0; i < dynamics.length; i++) {
        var staff = firstStaves[dynamics[i].part || 0] + (dynamics[i].staff || 1) - 1;
        if (staff < context.staves) {
            sorted.dynamics.push({ tick: context.tick + dynamics[i].tick * scale, staff: staff, mark: dynamics[i].mark });
        }
    }
}

function inOrder(a, b) {
    return a.tick - b.tick || (a.part || 0) - (b.part || 0) || a.staff - b.staff || a.voice - b.voice ||
        (a.order || 0) - (b.order || 0) || a.pitch - b.pitch;
}

function firstStavesOf(document, staff) {
    var first = [];
    var parts = document.parts && document.parts.length ? document.parts : [{ staves: 1 }];
    for (var i = 0; i < parts.length; i++) {
        first.push(staff);
        staff += parts[i].staves || 1;
    }
    return first;
}

function place(sorted, note, firstStaff, context, scale) {
    var staff = firstStaff + (note.staff || 1) - 1;
    var folded = Math.max(0, staff - (context.staves - 1));
    if (folded) {
        count(sorted, "staff");
        staff = context.staves - 1;
    }
    var chord = {
        tick: context.tick + note.tick * scale,
        end: context.tick + (note.tick + note.duration) * scale,
        notes: [note], tuplet: tupletOf(note, context, scale), move: folded ? 0 : note.staff_move || 0
    };
    if (chord.tuplet) {
        exact(chord, context.division);
        sorted.tuplets++;
    }
    sorted.ties += note.tie_start ? 1 : 0;
    sorted.end = Math.max(sorted.end, chord.end);
    var voice = Math.max(0, (note.voice || 1) - 1) + 2 * folded;
    for (var tries = 0; tries < VOICES; tries++) {
        if (joins(sorted, staff * VOICES + ((voice + tries) % VOICES), chord)) {
            if (tries || voice >= VOICES) {
                count(sorted, "voice");
            }
            return;
        }
    }
    count(sorted, "no_room");
}

function placeGrace(sorted, note, firstStaff, context, scale) {
    var staff = Math.min(firstStaff + (note.staff || 1) - 1, context.staves - 1);
    sorted.graces++;
    sorted.graceNotes.push({
        tick: context.tick + note.tick * scale, track: staff * VOICES + (((note.voice || 1) - 1) % VOICES),
        order: note.order || 0, note: note
    });
}

// Puts a chord (of one note) at the end of a track, or its note into the last chord; false where it does not fit.
function joins(sorted, track, chord) {
    var chords = sorted.tracks[track] || (sorted.tracks[track] = []);
    var last = chords.length ? chords[chords.length - 1] : null;
    if (!last || last.end <= chord.tick + 0.5) {
        chords.push(chord);
        return true;
    }
    if (Math.abs(last.tick - chord.tick) > 0.5 || Math.abs(last.end - chord.end) > 0.5) {
        return false;
    }
    for (var i = 0; i < last.notes.length; i++) {
        if (last.notes[i].pitch === chord.notes[0].pitch) {
            return false;
        }
    }
    last.notes.push(chord.notes[0]);
    return true;
}

function tupletOf(note, context, scale) {
    if (!note.tuplet) {
        return null;
    }
    var base = (4 * context.division) / DENOMINATORS[note.tuplet.type];
    var start = note.tuplet.tick === null || note.tuplet.tick === undefined ? null : context.tick + note.tuplet.tick * scale;
    return {
        actual: note.tuplet.actual, normal: note.tuplet.normal, base: base, start: start,
        length: base * note.tuplet.normal
    };
}

var DENOMINATORS = {
    "1024th": 1024, "512th": 512, "256th": 256, "128th": 128, "64th": 64, "32nd": 32, "16th": 16, "eighth": 8,
    "quarter": 4, "half": 2, "whole": 1, "breve": 0.5, "long": 0.25
};
var FINEST_OF_BASE = 16; // places inside a tuplet are multiples of its base over so many

// Onset and end as the tuplet means them: whole ticks are too coarse for most tuplets.
function exact(chord) {
    var tuplet = chord.tuplet;
    if (tuplet.start === null) {
        return;
    }
    var unit = (tuplet.base * tuplet.normal) / tuplet.actual / FINEST_OF_BASE;
    chord.end = tuplet.start + Math.round((chord.end - tuplet.start) / unit) * unit;
    chord.tick = tuplet.start + Math.round((chord.tick - tuplet.start) / unit) * unit;
}

function count(sorted, code) {
    sorted.warnings[code] = (sorted.warnings[code] || 0) + 1;
}

// Writes one track by cursor, and remembers what it wrote where.

var PLACEHOLDER_PITCH = 60;

// Does the steps of write_ops.js. Returns what it wrote, in order: [{tick, chord, isRest, isFirst, isLast}].
function write(api, seeker, track, steps) {
    var cursor = seeker.cursor;
    var written = [];
    var canRest = typeof cursor.addRest === "function";
    seeker.restart();
    for (var i = 0; i < steps.length; i++) {
        var step = steps[i];
        if (step.kind === "seek") {
            seeker.seek(step.tick, track);
        } else if (step.kind === "tuplet") {
            addTuplet(api, cursor, step);
        } else if (step.kind === "rest" && canRest) {
            cursor.setDuration(step.value.z, step.value.n);
            cursor.addRest();
        } else {
            written.push(addNote(cursor, step));
        }
    }
    return written;
}

function addTuplet(api, cursor, step) {
    if (typeof cursor.addTuplet !== "function") {
        throw new Error("tuplets need MuseScore 3.5");
    }
    var whole = 4 * api.division;
    cursor.addTuplet(api.fraction(step.actual, step.normal), reduced(api, step.ticks, whole));
}

function reduced(api, z, n) {
    var a = Math.round(z);
    var b = n;
    while (b) {
        var rest = a % b;
        a = b;
        b = rest;
    }
    return api.fraction(Math.round(z) / a, n / a);
}

// A chord's first note, or a note in the place of a rest, which becomes one when it is taken away.
function addNote(cursor, step) {
    var item = {
        tick: step.tick, isRest: step.kind === "rest", chord: step.chord || null, isFirst: step.isFirst,
        isLast: step.isLast
    };
    cursor.setDuration(step.value.z, step.value.n);
    cursor.addNote(item.isRest ? PLACEHOLDER_PITCH : writtenPitch(item));
    return item;
}

// The pitch that a chord is begun with: of a note that no tie begins at, else of none of its notes.
function writtenPitch(item) {
    var notes = item.chord.notes;
    for (var i = 0; i < notes.length; i++) {
        if (!isTied(item, notes[i])) {
            return notes[i].pitch;
        }
    }
    var pitch = PLACEHOLDER_PITCH;
    while (isWanted(item, pitch)) {
        pitch++;
    }
    return pitch;
}

function isWanted(item, pitch) {
    return item.chord.notes.some(function (note) { return note.pitch === pitch; });
}

function isTied(item, note) {
    return !item.isLast || note.tie_start === true;
}

// The notes of a score as the protocol's `notes` document, read by cursor.
//
//     var reading = ReadNotes.reader(root, curScore, Selection.describe(root, curScore));
//     in a Timer: var state = reading.next(30); bar.value = state.fraction; if (state.done) { … reading.document() … }
//
// `reader(api, score, range)` -> {next, document, warnings}
//   next(budget_ms) -> {done, fraction}: works for about so long; `fraction` goes from 0 to 1.
//   document()      -> the notes document, a plain object, once `done`.
//   warnings()      -> what could not be carried, as [{code, count}].
// `readNotes(api, score, range)` -> the document, in one go.
//
// It must not run while another of the plugin's commands is open, and changes nothing in the score. Before 4.6 the
// range is selected while it reads (see marks.js); what was selected before is selected again where the version can.

.import "marks.js" as Marks
.import "read_measure.js" as ReadMeasure
.import "read_signs.js" as ReadSigns
.import "selecting.js" as Selecting

var MARKS_SHARE = 0.2; // of the whole work
var NOTES_AT_ONCE = 128; // between two looks at the clock

function readNotes(api, score, range) {
    var reading = reader(api, score, range);
    while (!reading.next(1000).done) { /* until it is */ }
    return reading.document();
}

function reader(api, score, range) {
    var selecting = Selecting.hold(api, score, range);
    var gathering = Marks.gatherer(api, score);
    var walk = {
        api: api, score: score, range: range, marks: gathering.marks, warnings: {}, parts: partsOf(score, range),
        notes: [], signs: ReadSigns.empty(), pendingGraces: {}, measure: score.firstMeasure
    };
    var steps = [
        function (until_ms) { return gathering.next(until_ms) >= 1; },
        function () { selecting.release(); return true; },
        function (until_ms) { return readMeasures(walk, until_ms); },
        function () { ReadSigns.finish(walk); return true; },
        tieCloser(walk.notes)
    ];
    var at = 0;
    var document = null;
    return {
        next: function (budget_ms) {
            var until_ms = Date.now() + budget_ms;
            while (at < steps.length && steps[at](until_ms)) {
                at++;
                if (Date.now() >= until_ms) {
                    break;
                }
            }
            document = at === steps.length ? finished(walk) : null;
            return { done: document !== null, fraction: document ? 1 : progress(walk, at) };
        },
        document: function () { return document; },
        warnings: function () { return listed(walk.warnings); }
    };
}

// Reads measures until there are no more; returns whether there are none.
function readMeasures(walk, until_ms) {
    while (walk.measure) {
        walk.measure = readOne(walk, walk.measure);
        if (Date.now() >= until_ms) {
            break;
        }
    }
    return !walk.measure;
}

// Reads a measure as far as it belongs to the range; returns the next one, or null behind the range's end.
function readOne(walk, measure) {
    var following = measure.nextMeasure;
    var extent = { start: measure.firstSegment.tick };
    extent.end = following ? following.firstSegment.tick : walk.score.lastSegment.tick;
    if (extent.start >= walk.range.endTick) {
        return null;
    }
    if (extent.end > walk.range.startTick) {
        walk.position = extent.end;
        ReadSigns.readMeasure(walk, measure, extent);
        ReadMeasure.readMeasure(walk, measure, extent);
    }
    return following;
}

function progress(walk, step) {
    var length = Math.max(walk.range.endTick - walk.range.startTick, 1);
    var read = ((walk.position || walk.range.startTick) - walk.range.startTick) / length;
    return Math.min(0.99, MARKS_SHARE * Math.min(step, 1) + (1 - MARKS_SHARE) * Math.max(0, Math.min(1, read)));
}

// The selected parts, each with its first staff in the score and how many of its staves are selected.
function partsOf(score, range) {
    var parts = [];
    for (var i = 0; i < score.parts.length; i++) {
        var part = score.parts[i];
        var first = Math.max(Math.floor(part.startTrack / 4), range.startStaff);
        var end = Math.min(Math.floor(part.endTrack / 4), range.endStaff);
        if (first < end) {
            var program = part.midiProgram;
            parts.push({
                firstStaff: first,
                item: {
                    name: String(part.longName || part.partName || ""),
                    program: program >= 0 && program <= 127 && !part.hasDrumStaff ? program : null,
                    staves: end - first
                }
            });
        }
    }
    return parts;
}

function finished(walk) {
    var range = walk.range;
    for (var key in walk.pendingGraces) {
        walk.warnings.grace_after_last = (walk.warnings.grace_after_last || 0) + walk.pendingGraces[key].length;
    }
    var document = {
        format: "notes", version: 1, ticks_per_quarter: walk.api.division, title: String(walk.score.title || ""),
        pickup: walk.signs.pickup, length: range.endTick - range.startTick,
        measures: walk.signs.isRegular ? [] : walk.signs.starts,
        tempos: walk.signs.tempos, meters: walk.signs.meters, keys: walk.signs.keys,
        parts: [], notes: walk.notes, dynamics: walk.signs.dynamics
    };
    for (var i = 0; i < walk.parts.length; i++) {
        document.parts.push(walk.parts[i].item);
    }
    if (!document.parts.length) {
        document.parts.push({ name: "", program: null, staves: 1 });
    }
    return document;
}

// A step that drops the halves of ties that lead out of the range, and marks where those that stay end.
function tieCloser(notes) {
    var starts = {};
    var indexed = 0;
    var closed = 0;
    return function (until_ms) {
        while (closed < notes.length) {
            if (indexed < notes.length) {
                index(starts, notes[indexed++]);
            } else {
                close(starts, notes[closed++]);
            }
            if ((indexed + closed) % NOTES_AT_ONCE === 0 && Date.now() >= until_ms) {
                return false;
            }
        }
        return true;
    };
}

function index(starts, note) {
    if (!note.grace) {
        var key = placeKey(note, note.tick);
        (starts[key] = starts[key] || []).push(note);
    }
}

function close(starts, note) {
    if (note.tie_start && !note.grace) {
        var end = note.tick + note.duration; // rounded, in tuplets
        var ends = starts[placeKey(note, end)] || starts[placeKey(note, end + 1)] || starts[placeKey(note, end - 1)];
        note.tie_start = !!ends;
        if (ends) {
            partner(ends, note.voice).tie_stop = true;
        }
    }
}

function placeKey(note, tick) {
    return note.part + ":" + note.staff + ":" + tick + ":" + note.pitch;
}

function partner(candidates, voice) {
    for (var i = 0; i < candidates.length; i++) {
        if (candidates[i].voice === voice) {
            return candidates[i];
        }
    }
    return candidates[0];
}

function listed(counts) {
    var warnings = [];
    for (var code in counts) {
        warnings.push({ code: code, count: counts[code] });
    }
    return warnings;
}

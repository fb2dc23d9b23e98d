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

function readNotes(api, score, range) {
    var reading = reader(api, score, range);
    while (!reading.next(1000).done) { /* until it is */ }
    return reading.document();
}

function reader(api, score, range) {
    var selecting = Selecting.hold(api, score, range);
    var gathering = Marks.gatherer(api, score);
    var walk = { api: api, score: score, range: range, marks: gathering.marks, warnings: {}, parts: partsOf(score, range) };
    walk.notes = [];
    walk.signs = ReadSigns.empty();
    walk.pendingGraces = {};
    var marksFraction = 0;
    var measure = score.firstMeasure;
    var document = null;
    return {
        next: function (budget_ms) {
            var until_ms = Date.now() + budget_ms;
            if (marksFraction < 1) {
                marksFraction = gathering.next(until_ms);
                if (marksFraction >= 1) {
                    selecting.release();
                }
            }
            while (marksFraction >= 1 && measure) {
                measure = readOne(walk, measure);
                if (Date.now() >= until_ms) {
                    break;
                }
            }
            if (marksFraction >= 1 && !measure && !document) {
                document = finished(walk);
            }
            return { done: document !== null, fraction: document ? 1 : progress(walk, marksFraction) };
        },
        document: function () { return document; },
        warnings: function () { return listed(walk.warnings); }
    };
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

function progress(walk, marksFraction) {
    var length = Math.max(walk.range.endTick - walk.range.startTick, 1);
    var read = ((walk.position || walk.range.startTick) - walk.range.startTick) / length;
    return Math.min(0.99, MARKS_SHARE * marksFraction + (1 - MARKS_SHARE) * Math.max(0, Math.min(1, read)));
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
    ReadSigns.finish(walk);
    closeTies(walk.notes);
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

// Drops the halves of ties that lead out of the range, and marks where those that stay end.
function closeTies(notes) {
    var starts = {};
    var i, note, key;
    for (i = 0; i < notes.length; i++) {
        note = notes[i];
        if (!note.grace) {
            key = note.part + ":" + note.staff + ":" + note.tick + ":" + note.pitch;
            (starts[key] = starts[key] || []).push(note);
        }
    }
    for (i = 0; i < notes.length; i++) {
        note = notes[i];
        if (note.tie_start && !note.grace) {
            var ends = starts[note.part + ":" + note.staff + ":" + (note.tick + note.duration) + ":" + note.pitch];
            var end = ends ? partner(ends, note.voice) : null;
            note.tie_start = end !== null;
            if (end !== null) {
                end.tie_stop = true;
            }
        }
    }
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

// What the user has selected, and where an answer goes.
//
// `api` everywhere is the plugin's root item (`MuseScore { id: root }`), or in tests an object with the same members.
// ES5, no state: QML loads it with `import "selection.js" as Selection`, node with `require`.

var VOICES_PER_STAFF = 4;

// The selected range, or the whole score where none is selected.
//
// Returns {startTick, endTick, startStaff, endStaff, isWhole}: ticks of the score (`api.division` a quarter note),
// staves from 0; `endTick` and `endStaff` are the first that no longer belong to it.
function describe(api, score) {
    var cursor = score.newCursor();
    cursor.rewind(1);
    if (!hasRange(score, cursor)) {
        return { startTick: 0, endTick: scoreEnd(score), startStaff: 0, endStaff: score.nstaves, isWhole: true };
    }
    var range = { startTick: cursor.segment.tick, startStaff: cursor.staffIdx, isWhole: false };
    cursor.rewind(2);
    range.endTick = cursor.segment ? cursor.segment.tick : scoreEnd(score); // null: the selection reaches the end
    range.endStaff = cursor.staffIdx + 1;
    range.startTick = Math.min(range.startTick, firstSelectedTick(score, range));
    return range;
}

// Where an answer goes: the selection's beginning, the one selected element, or the score's first note.
//
// Returns {tick, staff, isChosen}; `isChosen` is false where nothing is selected.
function place(api, score) {
    var range = describe(api, score);
    if (!range.isWhole) {
        return { tick: range.startTick, staff: range.startStaff, isChosen: true };
    }
    var element = score.selection && score.selection.elements.length ? score.selection.elements[0] : null;
    var tick = element ? tickOf(element) : null;
    if (tick === null) {
        return { tick: 0, staff: 0, isChosen: false };
    }
    return { tick: tick, staff: Math.floor(element.track / VOICES_PER_STAFF), isChosen: true };
}

// Tick of the segment that an element belongs to; null where it belongs to none (titles, frames).
function tickOf(element) {
    for (var i = 0; element && i < 8; i++) {
        if (element.name === "Segment") {
            return element.tick;
        }
        element = element.parent;
    }
    return null;
}

function scoreEnd(score) {
    return score.lastSegment ? score.lastSegment.tick : 0;
}

function hasRange(score, cursor) {
    if (score.selection && score.selection.isRange !== undefined) {
        return score.selection.isRange && !!cursor.segment;
    }
    return !!cursor.segment; // up to 3.2 a cursor stays nowhere when no range is selected
}

// The cursor stops at the first voice's next chord; the selection may begin before it, in another voice or staff.
function firstSelectedTick(score, range) {
    if (score.selection && score.selection.startSegment) {
        return score.selection.startSegment.tick;
    }
    var first = range.startTick;
    var elements = score.selection ? score.selection.elements : [];
    for (var i = 0; i < elements.length; i++) {
        if (elements[i].name === "Note" || elements[i].name === "Rest") {
            var tick = tickOf(elements[i]);
            first = tick === null || tick > first ? first : tick;
        }
    }
    return first;
}

if (typeof module !== "undefined") {
    module.exports = { describe: describe, place: place, tickOf: tickOf };
}

// A score's measures: where they are, what is in them, and making more of them.

var VOICES = 4;

// [{start, end, measure}] of all measures, in ticks. The score's own end is out of date while a command changes meters.
function measuresOf(score) {
    var found = [];
    for (var measure = score.firstMeasure; measure; measure = measure.nextMeasure) {
        var start = measure.firstSegment.tick;
        if (found.length) {
            found[found.length - 1].end = start;
        }
        found.push({ start: start, end: start + measure.timesigActual.ticks, measure: measure });
    }
    return found;
}

// Adds measures at the end until the score lasts until `end`.
function lengthen(score, end) {
    for (var tries = 0; tries < 4; tries++) {
        var measures = measuresOf(score);
        var last = measures[measures.length - 1];
        if (last.end >= end - 0.5) {
            return;
        }
        score.appendMeasures(Math.ceil((end - last.end - 0.5) / Math.max(last.end - last.start, 1)));
    }
}

// Calls visit(segment, element, track) for the chords and rests of a measure in these tracks.
function visit(api, measure, tracks, visitor) {
    for (var segment = measure.firstSegment; segment; segment = segment.nextInMeasure) {
        if (Number(segment.segmentType) === api.Segment.ChordRest) {
            for (var i = 0; i < tracks.length; i++) {
                var element = segment.elementAt(tracks[i]);
                if (element) {
                    visitor(segment, element, tracks[i]);
                }
            }
        }
    }
}

// The measure that a tick lies in, as an index; the last one behind the end.
function indexAt(measures, tick) {
    var low = 0;
    var high = measures.length - 1;
    while (low < high) {
        var middle = (low + high + 1) >> 1;
        if (measures[middle].start <= tick + 0.5) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

// A cursor that goes to a tick of a track: {cursor, seek(tick, track), seekElement(tick, track), restart()}.
//
// `seek` moves in the staff's first voice, where there is always something, and only then takes the track;
// `seekElement` moves in the track, to what stands there at the tick or after it. Before 3.5 it can only go forwards
// step by step, so tracks are best written one after the other; `restart` when something else has moved a cursor.
function seeker(score) {
    var cursor = score.newCursor();
    var isPlaced = false;
    function go(tick, track) {
        cursor.track = track;
        if (typeof cursor.rewindToTick === "function") {
            cursor.rewindToTick(tick);
            return;
        }
        if (!isPlaced || !cursor.segment || cursor.tick > tick) {
            cursor.rewind(0);
            isPlaced = true;
        }
        while (cursor.segment && cursor.tick < tick) {
            cursor.next();
        }
    }
    return {
        cursor: cursor,
        restart: function () { isPlaced = false; },
        seekElement: go,
        seek: function (tick, track) {
            go(tick, Math.floor(track / VOICES) * VOICES);
            cursor.track = track;
        }
    };
}

// Emptying the place that an answer goes to, as pasting does.

.import "layout.js" as Layout

// Removes the range's chords, rests of other voices and tuplets on these staves.
//
// Returns {cleared: {track: {measure start: true}}, begins: {track: tick}}: the measures in which something was
// removed, and the tick at which each track has to be written from where something reaches into the range.
function clear(api, score, measures, range) {
    var doomed = [];
    var done = { cleared: {}, begins: {} };
    var tracks = [];
    for (var track = range.startStaff * Layout.VOICES; track < range.endStaff * Layout.VOICES; track++) {
        tracks.push(track);
        done.cleared[track] = {};
    }
    var first = Layout.indexAt(measures, range.start);
    for (var i = first; i < measures.length && measures[i].start < range.end - 0.5; i++) {
        collect(api, measures[i], tracks, range, done, doomed);
    }
    for (i = 0; i < doomed.length; i++) {
        remove(api, doomed[i]);
    }
    return done;
}

function collect(api, measure, tracks, range, done, doomed) {
    Layout.visit(api, measure.measure, tracks, function (segment, element, track) {
        var end = segment.tick + lengthOf(element);
        if (segment.tick >= range.end - 0.5 || end <= range.start + 0.5) {
            return;
        }
        if (segment.tick < range.start) {
            done.begins[track] = segment.tick;
        }
        var isFirstVoice = track % Layout.VOICES === 0;
        if (element.name !== "Rest" || !isFirstVoice || lengthOf(element) < measure.end - measure.start) {
            done.cleared[track][measure.start] = true;
        }
        if (element.name !== "Rest" || !isFirstVoice || element.tuplet) {
            doomed.push({ element: element, segment: segment, track: track });
        }
    });
}

function lengthOf(element) {
    var duration = element.actualDuration || element.duration;
    return duration.ticks;
}

// A removed chord leaves a rest; outside the first voice that goes too.
function remove(api, item) {
    var element = item.segment.elementAt(item.track);
    var tuplet = element ? element.tuplet : null;
    while (tuplet && tuplet.tuplet) {
        tuplet = tuplet.tuplet;
    }
    if (tuplet) {
        api.removeElement(tuplet);
        element = item.segment.elementAt(item.track);
    }
    if (element && element.name !== "Rest") {
        api.removeElement(element);
        element = item.segment.elementAt(item.track);
    }
    if (element && item.track % Layout.VOICES !== 0) {
        api.removeElement(element);
    }
}

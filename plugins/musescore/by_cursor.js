// Inserting a document by cursor. All of it goes into the command that is open.

.import "clear_range.js" as ClearRange
.import "finish_chords.js" as FinishChords
.import "layout.js" as Layout
.import "signatures.js" as Signatures
.import "ties.js" as Ties
.import "values.js" as Values
.import "write_ops.js" as WriteOps
.import "write_track.js" as WriteTrack

var TICK_TOLERANCE = 1.5; // a version rounds places in tuplets one way or the other

// Inserts what write_plan.js has sorted; `warnings` counts what could not be carried.
function insert(api, score, document, sorted, options, warnings) {
    var seeker = Layout.seeker(score);
    var scale = api.division / (document.ticks_per_quarter || 480);
    var values = Values.table(api.division);
    prepare(api, score, seeker, document, sorted, options, scale, warnings);
    var measures = Layout.measuresOf(score);
    var range = rangeOf(sorted);
    var emptied = ClearRange.clear(api, score, measures, range);
    var template = needsTies(sorted, measures)
        ? Ties.template(api, score, seeker, measures, sorted.tracks, values) : null;
    var written = {};
    for (var track = range.startStaff * Layout.VOICES; track < range.endStaff * Layout.VOICES; track++) {
        var spans = spansOf(measures, range, emptied, track);
        var found = WriteOps.steps(sorted.tracks[track] || [], spans, values);
        merge(warnings, found.warnings);
        if (found.steps.length) {
            written[track] = WriteTrack.write(api, seeker, track, found.steps);
        }
    }
    finish(api, measures, range, written, template, warnings);
    if (template) {
        template.join();
    }
    Signatures.addMarks(api, score, seeker, document, sorted, scale, options.signatures !== false);
}

// Makes the score long enough, and gives it the document's signatures.
function prepare(api, score, seeker, document, sorted, options, scale, warnings) {
    if (options.signatures !== false) {
        Signatures.addMeters(api, score, seeker, document, sorted, scale, warnings);
    }
    Layout.lengthen(score, sorted.end);
    if (options.signatures !== false) {
        Signatures.addKeys(api, score, seeker, document, sorted, scale, warnings);
    }
    if (sorted.ties && Layout.measuresOf(score).length < 2) {
        score.appendMeasures(1); // ties are made across a barline
    }
}

// The staves and ticks that are written.
function rangeOf(sorted) {
    return { start: sorted.start, end: sorted.end, startStaff: sorted.startStaff, endStaff: sorted.endStaff };
}

function needsTies(sorted, measures) {
    if (sorted.ties) {
        return true;
    }
    for (var track in sorted.tracks) {
        var cuts = WriteOps.cut(sorted.tracks[track], measures);
        for (var i = 0; i < cuts.length; i++) {
            if (cuts[i].pieces.some(function (piece) { return !piece.isFirst || !piece.isLast; })) {
                return true;
            }
        }
    }
    return false;
}

// The measures as one track is written: from where on, and up to where rests replace what was there.
function spansOf(measures, range, emptied, track) {
    var isFirstVoice = track % Layout.VOICES === 0;
    return measures.map(function (measure) {
        var start = measure.start;
        if (range.start > measure.start && range.start < measure.end) {
            start = emptied.begins[track] === undefined ? range.start : emptied.begins[track];
        }
        var wasEmptied = emptied.cleared[track] && emptied.cleared[track][measure.start];
        var fillTo = isFirstVoice && wasEmptied ? Math.min(measure.end, range.end) : 0;
        return { start: start, end: measure.end, fillTo: fillTo };
    });
}

// Completes the chords, and takes away the notes that stand for rests.
function finish(api, measures, range, written, template, warnings) {
    var tracks = Object.keys(written).map(Number);
    var next = {};
    var fillers = [];
    tracks.forEach(function (track) { next[track] = 0; });
    for (var i = Layout.indexAt(measures, range.start); i < measures.length && measures[i].start < range.end; i++) {
        Layout.visit(api, measures[i].measure, tracks, function (segment, element, track) {
            var list = written[track];
            while (next[track] < list.length && list[next[track]].tick < segment.tick - TICK_TOLERANCE) {
                warnings.lost = (warnings.lost || 0) + 1;
                next[track]++;
            }
            var item = list[next[track]];
            if (!item || Math.abs(item.tick - segment.tick) > TICK_TOLERANCE || element.name !== "Chord") {
                return;
            }
            next[track]++;
            if (item.isRest) {
                fillers.push(element);
            } else {
                FinishChords.finish(api, item, element, template, warnings);
            }
        });
    }
    fillers.forEach(function (element) { api.removeElement(element); });
}

function merge(counts, more) {
    for (var code in more) {
        counts[code] = (counts[code] || 0) + more[code];
    }
}

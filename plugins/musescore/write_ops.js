// The steps by which a cursor writes one track: go to a measure, begin a tuplet, write a chord or a rest of one value.

.import "values.js" as Values

// Steps for a track's chords, cut at the barlines.
//
// measures  [{start, end, fillTo}] of the score, in ticks: where writing begins in each, and up to where rests are
//           written even behind the last chord (0: nowhere).
// Returns {steps, warnings}; a step is {kind: "seek", tick} | {kind: "tuplet", tick, actual, normal, ticks} |
// {kind: "rest", tick, value} | {kind: "chord", tick, value, chord, isFirst, isLast}.
function steps(chords, measures, values) {
    var found = { steps: [], warnings: {} };
    var byMeasure = cut(chords, measures);
    for (var i = 0; i < byMeasure.length; i++) {
        if (byMeasure[i].pieces.length || byMeasure[i].fillTo > byMeasure[i].start) {
            found.steps.push({ kind: "seek", tick: byMeasure[i].start });
            writeMeasure(found, byMeasure[i], values);
        }
    }
    return found;
}

// The chords by measure; what crosses a barline in pieces.
function cut(chords, measures) {
    var cuts = [];
    var at = 0;
    for (var m = 0; m < measures.length; m++) {
        cuts.push({ start: measures[m].start, end: measures[m].end, fillTo: measures[m].fillTo || 0, pieces: [] });
    }
    for (var i = 0; i < chords.length; i++) {
        var chord = chords[i];
        while (at < cuts.length && cuts[at].end <= chord.tick + 0.5) {
            at++;
        }
        for (var k = at; k < cuts.length && cuts[k].start < chord.end - 0.5; k++) {
            cuts[k].pieces.push({
                tick: Math.max(chord.tick, cuts[k].start), end: Math.min(chord.end, cuts[k].end), chord: chord,
                isFirst: chord.tick >= cuts[k].start - 0.5, isLast: chord.end <= cuts[k].end + 0.5
            });
        }
    }
    return cuts;
}

function writeMeasure(found, measure, values) {
    var at = measure.start;
    var pieces = measure.pieces;
    for (var i = 0; i < pieces.length;) {
        var group = groupAt(pieces, i, measure, at);
        if (group) {
            rest(found, at, group.start, measure.start, values);
            writeTuplet(found, pieces, i, group, values);
            at = group.start + group.length;
            i = group.end;
        } else {
            rest(found, at, pieces[i].tick, measure.start, values);
            plain(found, pieces[i], values);
            at = Math.max(at, pieces[i].end);
            i++;
        }
    }
    rest(found, at, measure.fillTo, measure.start, values);
}

// The tuplet that begins with piece i: {start, length, end (piece after it), tuplet}; null where there is none, or
// where it does not fit into the measure.
function groupAt(pieces, i, measure, busyUntil) {
    var tuplet = pieces[i].chord.tuplet;
    if (!tuplet || !pieces[i].isFirst || !pieces[i].isLast) {
        return null;
    }
    var start = tuplet.start === null || tuplet.start < busyUntil - 0.5 ? pieces[i].tick : tuplet.start;
    if (pieces[i].end > start + tuplet.length + 0.5 || start + tuplet.length > measure.end + 0.5 || start > pieces[i].tick + 0.5) {
        return null;
    }
    var end = i;
    while (end < pieces.length && pieces[end].end <= start + tuplet.length + 0.5 && continues(tuplet, pieces[end].chord.tuplet)) {
        end++;
    }
    return { start: start, length: tuplet.length, end: end, tuplet: tuplet };
}

function continues(tuplet, other) {
    return other && other.actual === tuplet.actual && other.normal === tuplet.normal && other.base === tuplet.base &&
        (other.start === null || other.start === tuplet.start);
}

function writeTuplet(found, pieces, first, group, values) {
    var tuplet = group.tuplet;
    var stretch = tuplet.actual / tuplet.normal;
    found.steps.push({
        kind: "tuplet", tick: group.start, actual: tuplet.actual, normal: tuplet.normal, ticks: group.length
    });
    var written = 0; // in written ticks from the tuplet's start
    for (var i = first; i < group.end; i++) {
        var piece = pieces[i];
        var onset = (piece.tick - group.start) * stretch;
        inTuplet(found, group, written, onset, null, values);
        var end = (piece.end - group.start) * stretch;
        inTuplet(found, group, onset, end, piece, values);
        written = end;
    }
    inTuplet(found, group, written, tuplet.actual * tuplet.base, null, values);
}

// A chord or rest inside a tuplet, from and to its written ticks.
function inTuplet(found, group, from, to, piece, values) {
    var list = to - from < 1 ? [] : Values.parts(to - from, values);
    var at = from;
    for (var i = 0; i < list.length; i++) {
        var tick = group.start + (at * group.tuplet.normal) / group.tuplet.actual;
        found.steps.push(step(piece, tick, list[i], i === 0, i === list.length - 1));
        at += list[i].ticks;
    }
}

function plain(found, piece, values) {
    if (piece.chord.tuplet) {
        found.warnings.tuplet = (found.warnings.tuplet || 0) + 1; // cut by a barline: its length is kept as well as can be
    }
    var list = Values.parts(piece.end - piece.tick, values);
    var at = piece.tick;
    for (var i = 0; i < list.length; i++) {
        found.steps.push(step(piece, at, list[i], i === 0, i === list.length - 1));
        at += list[i].ticks;
    }
}

function step(piece, tick, value, isFirst, isLast) {
    if (!piece) {
        return { kind: "rest", tick: tick, value: value };
    }
    return {
        kind: "chord", tick: tick, value: value, chord: piece.chord,
        isFirst: isFirst && piece.isFirst, isLast: isLast && piece.isLast
    };
}

// Rests for a gap, each at a multiple of its own length in the measure, as beats are kept visible.
function rest(found, from, to, measureStart, values) {
    var at = from;
    while (to - at >= 1) {
        var value = null;
        for (var i = 0; i < values.length && !value; i++) {
            var isPlain = (values[i].z & (values[i].z - 1)) === 0;
            if (isPlain && values[i].ticks <= to - at + 0.5 && Math.abs((at - measureStart) % values[i].ticks) < 0.5) {
                value = values[i];
            }
        }
        if (!value) {
            var list = Values.parts(to - at, values);
            value = list.length ? list[0] : null;
        }
        if (!value) {
            return;
        }
        found.steps.push({ kind: "rest", tick: at, value: value });
        at += value.ticks;
    }
}

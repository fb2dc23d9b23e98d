// A document's own measures, in ticks of the score, and exact fractions of whole notes as MuseScore's format has them.

// [{start, end, length: fraction, tick (of the document), isExact}], as `model_runtime/files/notes_timeline.py` finds
// them; the last one ends with the document.
function measuresOf(sorted, document, division) {
    var scale = sorted.scale;
    var meters = (document.meters || []).slice().sort(function (a, b) { return a.tick - b.tick; });
    var given = (document.measures || []).slice().sort(function (a, b) { return a - b; });
    var hasGiven = given.length > 0;
    if (!hasGiven && document.pickup) {
        given = [0, document.pickup];
    }
    var total = (sorted.end - sorted.start) / scale;
    var measures = [];
    for (var start = 0; start < total - 0.5 / scale;) {
        var end = endOf(start, meters, given, hasGiven ? document.length || 0 : 0, (4 * division) / scale);
        end = Math.min(end, total);
        measures.push(measureOf(sorted.start, start, end, scale, division));
        start = end;
    }
    return measures;
}

function endOf(start, meters, given, givenEnd, whole) {
    var full = whole;
    var nextMeter = Infinity;
    for (var m = meters.length - 1; m >= 0; m--) {
        if (meters[m].tick <= start) {
            full = (whole * meters[m].numerator) / meters[m].denominator;
            break;
        }
        nextMeter = meters[m].tick;
    }
    for (var i = 0; i < given.length; i++) {
        if (given[i] > start) {
            return given[i];
        }
    }
    return start < givenEnd ? givenEnd : Math.min(start + full, nextMeter);
}

function measureOf(origin, start, end, scale, division) {
    var from = origin + start * scale;
    var to = origin + end * scale;
    return {
        tick: start, start: from, end: to, length: fraction(Math.round(to - from), 4 * division),
        isExact: isWhole(from) && isWhole(to)
    };
}

function isWhole(ticks) {
    return Math.abs(ticks - Math.round(ticks)) < 1e-6;
}

// Whether a sign at this tick of the document stands at the beginning of a measure.
function isAt(measure, tick, index) {
    return tick === measure.tick || (index === 0 && tick < measure.tick);
}

// The measure that a tick of the score lies in; -1 behind the end.
function indexAt(measures, tick) {
    var low = 0;
    var high = measures.length - 1;
    if (high < 0 || tick >= measures[high].end - 0.5 || tick < measures[0].start - 0.5) {
        return -1;
    }
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

// ---- fractions -----------------------------------------------------------------------------------------------------

function fraction(z, n) {
    var a = Math.abs(z);
    var b = n;
    while (b) {
        var rest = a % b;
        a = b;
        b = rest;
    }
    return { z: z / (a || 1), n: n / (a || 1) };
}

function sum(one, other) {
    return fraction(one.z * other.n + other.z * one.n, one.n * other.n);
}

function difference(one, other) {
    return fraction(one.z * other.n - other.z * one.n, one.n * other.n);
}

function textOf(one) {
    return one.z + "/" + one.n;
}

// A step to another place in the measure.
function moved(by) {
    return "<location><fractions>" + textOf(by) + "</fractions></location>";
}

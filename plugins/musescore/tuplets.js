// Tuplets out of note values and places, for versions that do not tell which tuplet a note belongs to (before 3.5).

var RATIOS = [
    [3, 2], [5, 4], [6, 4], [7, 4], [4, 3], [9, 8], [7, 8], [10, 8], [11, 8], [12, 8], [13, 8], [15, 8], [7, 6],
    [5, 3], [8, 6], [2, 3], [4, 6], [5, 6]
];
var TYPES = [
    "breve", "whole", "half", "quarter", "eighth", "16th", "32nd", "64th", "128th", "256th", "512th", "1024th"
];
var TOLERANCE_TICKS = 2; // places inside a tuplet are rounded to whole ticks

// Name of the note value that lasts so many ticks; null where none does.
function typeOf(ticks, division) {
    for (var i = 0; i < TYPES.length; i++) {
        if (Math.abs(ticks * (1 << i) - 8 * division) < 1e-6) {
            return TYPES[i];
        }
    }
    return null;
}

// The tuplet of each element of one voice in one measure, or null: [{actual, normal, type, tick}].
//
// items    chords and rests in order: {tick, nominal: its written value in ticks, next: where the voice goes on}.
// gapless  whether rests fill all gaps, as in a staff's first voice: what then lasts longer than it is written does
//          so because of a tuplet.
function infer(items, division, gapless) {
    var found = [];
    var i = 0;
    while (i < items.length) {
        var span = items[i].next - items[i].tick;
        var isPlain = gapless ? Math.abs(span - items[i].nominal) < TOLERANCE_TICKS : span > items[i].nominal - TOLERANCE_TICKS;
        var group = isPlain ? null : groupAt(items, i, division, gapless);
        for (var end = group ? group.end : i + 1; i < end; i++) {
            found.push(group ? group.tuplet : null);
        }
    }
    return found;
}

function groupAt(items, first, division, gapless) {
    for (var r = 0; r < RATIOS.length; r++) {
        var group = completed(items, first, RATIOS[r][0], RATIOS[r][1], division, gapless);
        if (group) {
            return group;
        }
    }
    return null;
}

// The shortest run of elements that fills a whole tuplet of this ratio; of mixed values rather one that fills a beat.
function completed(items, first, actual, normal, division, gapless) {
    var written = 0;
    var shortest = null;
    var isMixed = false;
    for (var i = first; i < items.length; i++) {
        var item = items[i];
        var sounding = (item.nominal * normal) / actual;
        var isLast = item.next - item.tick > sounding + TOLERANCE_TICKS; // a gap follows
        if (item.next - item.tick < sounding - TOLERANCE_TICKS || (isLast && (gapless || i === first))) {
            return shortest;
        }
        written += item.nominal;
        isMixed = isMixed || item.nominal !== items[first].nominal;
        var type = typeOf(written / actual, division);
        if (type) {
            var group = { end: i + 1, tuplet: { actual: actual, normal: normal, type: type, tick: items[first].tick } };
            var fillsBeat = (written * normal) / actual === division;
            if (!isMixed || fillsBeat) {
                return group;
            }
            shortest = shortest || group;
        }
        if (isLast || (shortest && (written * normal) / actual >= 2 * division)) {
            return shortest;
        }
    }
    return shortest;
}

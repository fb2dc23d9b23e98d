// The score's own beats for a recording that was played to them: the protocol's `tempo_map` out of a notes document.
//
// The document is one that `read_notes.js` read from the place at which the recording's first beat stands; its tick 0 is
// the result's second 0. Grace: a document without tempo marks plays at MuseScore's 120. ES5; QML and node load it.

var DEFAULT_QUARTERS_PER_MINUTE = 120;
var TAIL_QUARTERS = 4; // the map needs a second point; whatever lies beyond goes on at the same tempo

function ofDocument(document) {
    var ticks = document.ticks_per_quarter || 480;
    var marks = (document.tempos || []).slice().sort(function (a, b) { return a.tick - b.tick; });
    if (!marks.length || marks[0].tick > 0) {
        marks.unshift({ tick: 0, quarters_per_minute: DEFAULT_QUARTERS_PER_MINUTE });
    }
    var points = [[0, 0]];
    for (var i = 1; i < marks.length; i++) {
        if (marks[i].tick > marks[i - 1].tick) {
            points.push(after(points[points.length - 1], marks[i].tick / ticks, marks[i - 1].quarters_per_minute));
        }
    }
    var last = points[points.length - 1];
    points.push(after(last, last[1] + TAIL_QUARTERS, marks[marks.length - 1].quarters_per_minute));
    return {
        points: points,
        meters: (document.meters || []).map(function (meter) {
            return { quarter: meter.tick / ticks, numerator: meter.numerator, denominator: meter.denominator };
        }),
        keys: (document.keys || []).map(function (key) {
            return { quarter: key.tick / ticks, fifths: key.fifths, mode: key.mode || "" };
        })
    };
}

function after(point, quarter, quarters_per_minute) {
    return [point[0] + (quarter - point[1]) * 60 / quarters_per_minute, quarter];
}

if (typeof module !== "undefined") {
    module.exports = { ofDocument: ofDocument };
}

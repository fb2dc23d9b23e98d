// Time signatures, tempo marks and dynamics, and key signatures where a version lets a plugin make them (4.6).

.import "layout.js" as Layout
.import "symbols.js" as Symbols

var SAME_TEMPO = 0.1; // quarter notes a minute

// Adds the time signatures at which the document differs from the score, and behind the range the score's own again.
function addMeters(api, score, seeker, document, sorted, scale, warnings) {
    var meters = document.meters || [];
    var ownEnd = endOf(Layout.measuresOf(score));
    for (var i = 0; i < meters.length; i++) {
        var tick = sorted.start + meters[i].tick * scale;
        Layout.lengthen(score, tick + 1);
        var measures = Layout.measuresOf(score);
        var measure = measures[Layout.indexAt(measures, tick)];
        var nominal = measure.measure.timesigNominal;
        if (nominal.numerator === meters[i].numerator && nominal.denominator === meters[i].denominator) {
            continue;
        }
        if (Math.abs(measure.start - tick) > 0.5) {
            warnings.meter = (warnings.meter || 0) + 1; // within a measure of the score
            continue;
        }
        var next = measures[Layout.indexAt(measures, sorted.end)].start;
        if (next > sorted.end - 0.5 && next > tick && next < ownEnd) {
            addMeter(api, score, seeker, next, nominal.numerator, nominal.denominator);
        }
        addMeter(api, score, seeker, tick, meters[i].numerator, meters[i].denominator);
    }
}

function endOf(measures) {
    return measures[measures.length - 1].end;
}

// MuseScore 3 drops the last measure with a time signature if that was appended in the same command and has no end yet.
function addSpareMeasure(score) {
    if (score.lastSegment.tick < endOf(Layout.measuresOf(score)) - 0.5) {
        score.appendMeasures(1);
    }
}

function addMeter(api, score, seeker, tick, numerator, denominator) {
    addSpareMeasure(score);
    var signature = api.newElement(api.Element.TIMESIG);
    signature.timesig = api.fraction(numerator, denominator);
    seeker.restart();
    seeker.seek(tick, 0);
    seeker.cursor.add(signature);
    seeker.restart();
}

// Adds the document's key signatures where the version can; elsewhere they are counted as not carried.
function addKeys(api, score, seeker, document, sorted, scale, warnings) {
    var keys = document.keys || [];
    for (var i = 0; i < keys.length; i++) {
        var tick = sorted.start + keys[i].tick * scale;
        seeker.restart();
        seeker.seek(tick, 0);
        if (seeker.cursor.keySignature === keys[i].fifths) {
            continue;
        }
        var probe = api.newElement(api.Element.KEYSIG);
        if (probe.concertKey === undefined) {
            warnings.key = (warnings.key || 0) + 1;
            continue;
        }
        for (var staff = 0; staff < score.nstaves; staff++) {
            var signature = api.newElement(api.Element.KEYSIG);
            signature.concertKey = keys[i].fifths;
            signature.actualKey = keys[i].fifths;
            seeker.restart();
            seeker.seek(tick, staff * Layout.VOICES);
            seeker.cursor.add(signature);
        }
    }
}

// Tempo marks, dynamics and fermatas, at the chord or rest that stands at their tick or after it.
function addMarks(api, score, seeker, document, sorted, scale, withTempos) {
    var marks = sorted.dynamics.map(function (dynamic) {
        return { tick: dynamic.tick, track: trackAt(sorted, dynamic), add: dynamicMark(api, dynamic.mark) };
    });
    if (withTempos) {
        (document.tempos || []).forEach(function (tempo) {
            marks.push({ tick: sorted.start + tempo.tick * scale, track: 0, add: tempoMark(api, tempo.quarters_per_minute) });
        });
    }
    marks = marks.concat(fermatas(api, sorted));
    marks.sort(function (a, b) { return a.track - b.track || a.tick - b.tick; });
    for (var i = 0; i < marks.length; i++) {
        if (i === 0 || marks[i].track !== marks[i - 1].track) {
            seeker.restart();
        }
        seeker.seekElement(Math.round(marks[i].tick), marks[i].track);
        if (seeker.cursor.segment) {
            marks[i].add(seeker.cursor);
        }
    }
}

// A track of the staff in which something begins where the dynamic stands; else its first.
function trackAt(sorted, dynamic) {
    for (var voice = 0; voice < Layout.VOICES; voice++) {
        var track = dynamic.staff * Layout.VOICES + voice;
        var begins = (sorted.tracks[track] || []).some(function (chord) {
            return Math.abs(chord.tick - dynamic.tick) < 1;
        });
        if (begins) {
            return track;
        }
    }
    return dynamic.staff * Layout.VOICES;
}

function fermatas(api, sorted) {
    var marks = [];
    var symbol = Symbols.symbolOf(api, "fermata");
    for (var track in sorted.tracks) {
        sorted.tracks[track].forEach(function (chord) {
            var has = chord.notes.some(function (note) { return (note.articulations || []).indexOf("fermata") >= 0; });
            if (has && symbol !== null) {
                marks.push({ tick: chord.tick, track: Number(track), add: fermata(api, symbol) });
            }
        });
    }
    return marks;
}

function fermata(api, symbol) {
    return function (cursor) {
        var element = api.newElement(api.Element.FERMATA);
        element.symbol = symbol;
        cursor.add(element);
    };
}

function dynamicMark(api, mark) {
    return function (cursor) {
        var element = api.newElement(api.Element.DYNAMIC);
        var number = DYNAMIC_TYPES.indexOf(mark);
        if (number > 0 && api.mscoreVersion < 40000) {
            element.subtype = number;
        }
        element.text = Symbols.dynamicText(mark);
        cursor.add(element);
        if (element.velocity !== undefined) {
            element.velocity = Symbols.DYNAMIC_VELOCITIES[mark];
        }
    };
}

// MuseScore 3's numbers of dynamics are the places in this list.
var DYNAMIC_TYPES = ["", "pppppp", "ppppp", "pppp", "ppp", "pp", "p", "mp", "mf", "f", "ff", "fff", "ffff"];

function tempoMark(api, quarters_per_minute) {
    return function (cursor) {
        if (Math.abs(cursor.tempo * 60 - quarters_per_minute) < SAME_TEMPO) {
            return;
        }
        var element = api.newElement(api.Element.TEMPO_TEXT);
        element.text = "<sym>metNoteQuarterUp</sym> = " + Math.round(quarters_per_minute * 10) / 10;
        cursor.add(element);
        element.tempo = quarters_per_minute / 60; // 3.2 crashes on it before the mark has a place
    };
}

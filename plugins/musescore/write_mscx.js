// A planned document as MuseScore 3's own format (.mscx, version 3.01, or 3.02 from 3.6 on): opened for pasting, without the check against
// a schema that MusicXML goes through there.
//
//     var writing = WriteMscx.writer(api, sorted, document, {signatures: true});
//     while (!writing.next(until_ms)) { … }
//     if (writing.isWhole()) { … writing.text() … }
//
// `sorted` is what write_plan.js made of the document. One part holds all its staves; its first measure begins where the
// document does. `isWhole()` is false where this format cannot say the document: lengths that no note values make.

.import "mscx_measures.js" as MscxMeasures
.import "mscx_tracks.js" as MscxTracks
.import "symbols.js" as Symbols

var VOICES = 4;

function writer(api, sorted, document, options) {
    var work = {
        division: api.division, sorted: sorted, document: document, isWhole: true, tracks: {}, marks: {},
        withTempos: options.signatures !== false, canMordent: api.mscoreVersion < 30300,
        measures: MscxMeasures.measuresOf(sorted, document, api.division)
    };
    var waiting = tracksOf(sorted);
    var staves = stavesOf(sorted);
    var measures = work.measures.length;
    var texts = [];
    work.isWhole = work.measures.every(function (measure) { return measure.isExact; });
    function step() {
        if (waiting.length) {
            var track = waiting.shift();
            work.tracks[track] = MscxTracks.elements(work, track);
        } else {
            if (!texts.length) {
                MscxTracks.join(work);
                placeMarks(work);
            }
            texts.push(measureText(work, Math.floor(texts.length / measures), texts.length % measures));
        }
    }
    return {
        next: function (until_ms) {
            while (texts.length < staves * measures) {
                step();
                if (Date.now() >= until_ms) {
                    break;
                }
            }
            return texts.length === staves * measures;
        },
        isWhole: function () { return work.isWhole; },
        text: function () { return head(api, staves) + texts.join("") + "</Score></museScore>\n"; }
    };
}

function stavesOf(sorted) {
    return sorted.endStaff - sorted.startStaff;
}

// Every staff's first voice, and the other voices that have something.
function tracksOf(sorted) {
    var tracks = [];
    for (var track = sorted.startStaff * VOICES; track < sorted.endStaff * VOICES; track++) {
        if (track % VOICES === 0 || sorted.tracks[track]) {
            tracks.push(track);
        }
    }
    return tracks;
}

// 3.6 asks its user what to do with scores of older versions; what is written here is the same in both.
function head(api, staves) {
    var version = api.mscoreVersion >= 30600 ? "3.02" : "3.01";
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<museScore version=\"" + version + "\"><Score><Division>480</Division><Part>";
    for (var staff = 1; staff <= staves; staff++) {
        text += "<Staff id=\"" + staff + "\"><StaffType group=\"pitched\"><name>stdNormal</name></StaffType></Staff>";
    }
    return text + "<Instrument><Channel><program value=\"0\"/></Channel></Instrument></Part>\n";
}

// One measure of one staff; the first and the last one begin and end the staff.
function measureText(work, staff, index) {
    var measure = work.measures[index];
    var signs = meters(work.document, measure, index) + placed(work.marks[staff] && work.marks[staff][index]);
    return (index ? "" : "<Staff id=\"" + (staff + 1) + "\">\n") +
        "<Measure len=\"" + MscxMeasures.textOf(measure.length) + "\">" +
        voices(work, (work.sorted.startStaff + staff) * VOICES, index, signs) + "</Measure>\n" +
        (index === work.measures.length - 1 ? "</Staff>\n" : "");
}

function voices(work, firstTrack, index, signs) {
    var texts = [];
    var used = 1;
    for (var voice = 0; voice < VOICES; voice++) {
        texts.push(MscxTracks.measureText(work, firstTrack + voice, index));
        used = texts[voice] ? voice + 1 : used;
    }
    texts[0] = signs + texts[0];
    return texts.slice(0, used).map(function (text) { return "<voice>" + text + "</voice>"; }).join("");
}

function meters(document, measure, index) {
    return (document.meters || []).map(function (meter) {
        return !MscxMeasures.isAt(measure, meter.tick, index) ? "" :
            "<TimeSig><sigN>" + meter.numerator + "</sigN><sigD>" + meter.denominator + "</sigD></TimeSig>";
    }).join("");
}

// Dynamics, and on the first staff tempo marks, into `work.marks`: staff -> measure -> [{at, text}], `at` a fraction of a
// whole note.
function placeMarks(work) {
    if (work.withTempos) {
        (work.document.tempos || []).forEach(function (tempo) {
            placeMark(work, 0, work.sorted.start + tempo.tick * work.sorted.scale, "<Tempo><tempo>" +
                tempo.quarters_per_minute / 60 + "</tempo><followText>1</followText><text><sym>metNoteQuarterUp</sym> = " +
                Math.round(tempo.quarters_per_minute * 10) / 10 + "</text></Tempo>");
        });
    }
    work.sorted.dynamics.forEach(function (dynamic) {
        placeMark(work, dynamic.staff - work.sorted.startStaff, dynamic.tick, "<Dynamic><subtype>" + dynamic.mark +
            "</subtype><velocity>" + Symbols.DYNAMIC_VELOCITIES[dynamic.mark] + "</velocity></Dynamic>");
    });
}

// A mark at the chord or rest that stands at its tick or before it.
function placeMark(work, staff, tick, text) {
    var index = MscxMeasures.indexAt(work.measures, tick);
    if (index >= 0) {
        var at = null;
        for (var place = Math.round(tick); !at && place > work.measures[index].start; place--) {
            at = startAt(work, staff, place);
        }
        var ofStaff = work.marks[staff] || (work.marks[staff] = {});
        (ofStaff[index] || (ofStaff[index] = [])).push({ at: at || { z: 0, n: 1 }, text: text });
    }
}

// Where in its measure something begins at this tick; null where nothing does.
function startAt(work, staff, tick) {
    for (var voice = 0; voice < VOICES; voice++) {
        var held = work.tracks[(work.sorted.startStaff + staff) * VOICES + voice];
        if (held && held.starts[tick]) {
            return held.starts[tick];
        }
    }
    return null;
}

// Marks at a measure's beginning, each with a step to its place and back.
function placed(marks) {
    return (marks || []).map(function (mark) {
        return mark.at.z === 0 ? mark.text : MscxMeasures.moved(mark.at) + mark.text +
            MscxMeasures.moved({ z: -mark.at.z, n: mark.at.n });
    }).join("");
}

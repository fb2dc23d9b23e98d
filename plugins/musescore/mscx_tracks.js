// The chords and rests of one voice as MuseScore's format has them, with their ties and grace notes.

.import "mscx_measures.js" as MscxMeasures
.import "spelling.js" as Spelling
.import "symbols.js" as Symbols
.import "tuplets.js" as Tuplets
.import "values.js" as Values
.import "write_ops.js" as WriteOps

var VOICES = 4;
var LONGEST_WHOLES = 4; // a long; this format has no maxima
var TICK_TOLERANCE = 1.5;
var GRACES = { quarter: "grace4", "16th": "grace16", "32nd": "grace32" };
// 3.2's names of the signs; later versions have called them otherwise.
var MORDENTS = { "mordent": "ornamentMordentInverted", "inverted-mordent": "ornamentMordent" };

// What a track holds: {items: measure -> [text, or a chord's record], chords: [record], starts: tick -> at}; a record is
// {track, measure, at, tick, end, value, chord, notes, isFirst, isLast}, `at` a fraction of a whole note in its measure.
function elements(work, track) {
    var isFirstVoice = track % VOICES === 0;
    var chords = work.sorted.tracks[track] || [];
    var cuts = WriteOps.cut(chords, work.measures);
    var spans = cuts.map(function (cut) {
        return { start: cut.start, end: cut.end, fillTo: isFirstVoice || cut.pieces.length ? cut.end : 0 };
    });
    var values = work.values || (work.values = valuesOf(work.division));
    var walk = { work: work, track: track, measure: -1, at: null, tuplet: null, held: { items: {}, chords: [], starts: {} } };
    WriteOps.steps(chords, spans, values).steps.forEach(function (step) { take(walk, step); });
    endMeasure(walk);
    cuts.forEach(function (cut, index) {
        if (isFirstVoice && !cut.pieces.length) {
            walk.held.items[index] = ["<Rest><durationType>measure</durationType><duration>" +
                MscxMeasures.textOf(work.measures[index].length) + "</duration></Rest>"];
        }
    });
    return walk.held;
}

// Note values with their names and dots.
function valuesOf(division) {
    return Values.table(division).filter(function (value) {
        for (value.dots = 0; value.dots <= Values.MOST_DOTS; value.dots++) {
            var base = value.ticks / (2 - Math.pow(2, -value.dots));
            value.type = base === 4 * 4 * division ? "long" : Tuplets.typeOf(base, division);
            if (value.type !== null && base <= LONGEST_WHOLES * 4 * division) {
                return true;
            }
        }
        return false;
    });
}

function take(walk, step) {
    if (step.kind === "seek") {
        endMeasure(walk);
        walk.measure = MscxMeasures.indexAt(walk.work.measures, step.tick);
        walk.at = { z: 0, n: 1 };
        walk.items = walk.held.items[walk.measure] = [];
        return;
    }
    if (walk.tuplet && (step.kind === "tuplet" || step.tick > walk.tuplet.end - 0.5)) {
        endTuplet(walk);
    }
    if (step.kind === "tuplet") {
        beginTuplet(walk, step);
    } else {
        takeValue(walk, step);
    }
}

function beginTuplet(walk, step) {
    var type = Tuplets.typeOf(step.ticks / step.normal, walk.work.division);
    walk.work.isWhole = walk.work.isWhole && type !== null;
    walk.tuplet = {
        end: step.tick + step.ticks, actual: step.actual, normal: step.normal,
        until: MscxMeasures.sum(walk.at, MscxMeasures.fraction(Math.round(step.ticks * 64), 4 * walk.work.division * 64))
    };
    walk.items.push("<Tuplet><normalNotes>" + step.normal + "</normalNotes><actualNotes>" + step.actual +
        "</actualNotes><baseNote>" + type + "</baseNote><Number><style>Tuplet</style><text>" + step.actual +
        "</text></Number></Tuplet>");
}

function takeValue(walk, step) {
    var length = MscxMeasures.fraction(step.value.z, step.value.n);
    if (walk.tuplet) {
        length = MscxMeasures.fraction(length.z * walk.tuplet.normal, length.n * walk.tuplet.actual);
    }
    walk.held.starts[Math.round(step.tick)] = walk.at;
    if (step.kind === "rest") {
        walk.items.push("<Rest>" + look(step.value) + "</Rest>");
    } else {
        var record = {
            track: walk.track, measure: walk.measure, at: walk.at, tick: step.tick, value: step.value, chord: step.chord,
            notes: step.chord.notes.slice().sort(function (a, b) { return a.pitch - b.pitch; }), isFirst: step.isFirst, isLast: step.isLast, end: step.tick + (4 * walk.work.division * length.z) / length.n
        };
        walk.items.push(record);
        walk.held.chords.push(record);
    }
    walk.at = MscxMeasures.sum(walk.at, length);
}

function endTuplet(walk) {
    walk.items.push("<endTuplet/>");
    insist(walk, walk.tuplet.until);
    walk.tuplet = null;
}

function endMeasure(walk) {
    if (walk.tuplet) {
        endTuplet(walk);
    }
    if (walk.measure >= 0) {
        insist(walk, walk.work.measures[walk.measure].length);
    }
}

// A measure or tuplet that is not exactly full would not be opened.
function insist(walk, until) {
    walk.work.isWhole = walk.work.isWhole && MscxMeasures.difference(walk.at, until).z === 0;
}

function look(value) {
    return (value.dots ? "<dots>" + value.dots + "</dots>" : "") + "<durationType>" + value.type + "</durationType>";
}

// ---- chords --------------------------------------------------------------------------------------------------------

// Joins the records of all tracks, when all have theirs: ties may go from voice to voice.
function join(work) {
    var byPlace = {};
    eachChord(work, function (record) {
        var key = placeOf(record, Math.round(record.tick));
        (byPlace[key] || (byPlace[key] = [])).push(record);
    });
    giveGraces(work, byPlace);
    eachChord(work, function (record) { tie(record, byPlace); });
}

// The text of one measure in a track; "" where it has none. `join` comes before it.
function measureText(work, track, measure) {
    var held = work.tracks[track];
    return !held || !held.items[measure] ? "" : held.items[measure].map(function (item) {
        return typeof item === "string" ? item : chordText(work, item);
    }).join("");
}

function eachChord(work, visitor) {
    for (var track in work.tracks) {
        work.tracks[track].chords.forEach(visitor);
    }
}

function placeOf(record, tick) {
    return Math.floor(record.track / VOICES) + " " + tick;
}

// The records of a staff that begin at this tick, which may have been rounded; those of the same track first.
function at(byPlace, record, tick) {
    var found = [];
    for (var near = Math.round(tick) - 1; near <= Math.round(tick) + 1; near++) {
        found = found.concat(byPlace[placeOf(record, near)] || []);
    }
    return found.filter(function (other) { return Math.abs(other.tick - tick) < TICK_TOLERANCE; })
        .sort(function (a, b) { return Math.abs(a.track - record.track) - Math.abs(b.track - record.track); });
}

// Finds where the ties that begin at a chord's notes end; at most one ends at a note.
function tie(record, byPlace) {
    var others = null;
    record.notes.forEach(function (note) {
        if (record.isLast && !note.tie_start) {
            return;
        }
        others = others || at(byPlace, record, record.end);
        for (var i = 0; i < others.length; i++) {
            var back = others[i].back || (others[i].back = {});
            if (others[i] !== record && !back[note.pitch] && indexOf(others[i], note.pitch) >= 0) {
                (record.on || (record.on = {}))[note.pitch] = others[i];
                back[note.pitch] = record;
                return;
            }
        }
    });
}

// The place of a pitch among a chord's notes, from the lowest; -1 where it is none of them.
function indexOf(record, pitch) {
    for (var i = 0; i < record.notes.length; i++) {
        if (record.notes[i].pitch === pitch) {
            return i;
        }
    }
    return -1;
}

// Gives the grace notes to the chords before which they stand; where there is none, to the voice's next one.
function giveGraces(work, byPlace) {
    work.sorted.graceNotes.forEach(function (grace) {
        var record = at(byPlace, grace, grace.tick).filter(function (other) { return other.isFirst; })[0];
        var chords = (work.tracks[grace.track] || { chords: [] }).chords;
        for (var i = 0; i < chords.length && !record; i++) {
            record = chords[i].isFirst && chords[i].tick > grace.tick ? chords[i] : null;
        }
        if (!record) {
            work.isWhole = false;
            return;
        }
        var graces = record.graces || (record.graces = []);
        var last = graces[graces.length - 1];
        if (last && last.order === grace.order && last.tick === grace.tick && last.track === grace.track) {
            last.notes.push(grace.note);
        } else {
            graces.push({ order: grace.order, tick: grace.tick, track: grace.track, notes: [grace.note] });
        }
    });
}

function chordText(work, record) {
    var notes = record.notes;
    var text = (record.graces || []).map(function (grace) { return graceText(work, grace.notes); }).join("");
    if (record.isFirst && has(notes, "fermata")) {
        text += "<Fermata><subtype>fermataAbove</subtype></Fermata>";
    }
    text += "<Chord>" + (record.chord.move ? "<staffMove>" + record.chord.move + "</staffMove>" : "") + look(record.value);
    text += record.isFirst ? lyrics(notes) + articulations(work, notes) : "";
    return text + notes.map(function (note) { return noteText(work, note, ties(record, note)); }).join("") + "</Chord>";
}

function graceText(work, notes) {
    var value = Values.nearest(notes[0].duration * work.sorted.scale, work.values);
    var kind = notes[0].grace === "acciaccatura" ? "acciaccatura" : GRACES[value.type] || "appoggiatura";
    var move = notes[0].staff_move ? "<staffMove>" + notes[0].staff_move + "</staffMove>" : "";
    return "<Chord>" + move + look(value) + "<" + kind + "/>" + lyrics(notes) + articulations(work, notes) +
        notes.map(function (note) { return noteText(work, note, ""); }).join("") + "</Chord>";
}

function noteText(work, note, before) {
    var tpc = Spelling.tpcOf(note);
    tpc = tpc === null ? Spelling.tpcInKey(note.pitch, fifthsAt(work.document, note.tick)) : tpc;
    return "<Note>" + before + "<pitch>" + note.pitch + "</pitch><tpc>" + tpc + "</tpc>" +
        (note.velocity ? "<velocity>" + note.velocity + "</velocity><veloType>user</veloType>" : "") + "</Note>";
}

function fifthsAt(document, tick) {
    var latest = { tick: -1, fifths: 0 };
    (document.keys || []).forEach(function (key) {
        latest = key.tick <= tick && key.tick >= latest.tick ? key : latest;
    });
    return latest.fifths;
}

function ties(record, note) {
    var on = record.on && record.on[note.pitch];
    var back = record.back && record.back[note.pitch];
    return (on ? "<Spanner type=\"Tie\"><Tie></Tie><next>" + way(record, on, note.pitch) + "</next></Spanner>" : "") +
        (back ? "<Spanner type=\"Tie\"><prev>" + way(record, back, note.pitch) + "</prev></Spanner>" : "");
}

// The way from a note of one chord to the one of this pitch in another.
function way(from, to, pitch) {
    var by = MscxMeasures.difference(to.at, from.at);
    return "<location>" + step("voices", to.track - from.track) + step("measures", to.measure - from.measure) +
        (by.z ? "<fractions>" + MscxMeasures.textOf(by) + "</fractions>" : "") +
        step("notes", indexOf(to, pitch) - indexOf(from, pitch)) + "</location>";
}

function step(name, by) {
    return by ? "<" + name + ">" + by + "</" + name + ">" : "";
}

function has(notes, articulation) {
    return notes.some(function (note) { return (note.articulations || []).indexOf(articulation) >= 0; });
}

function articulations(work, notes) {
    var text = "";
    for (var name in Symbols.ARTICULATIONS) {
        if (has(notes, name)) {
            work.isWhole = work.isWhole && (!MORDENTS[name] || work.canMordent);
            text += "<Articulation><subtype>" + (MORDENTS[name] || Symbols.ARTICULATIONS[name][0]) + "</subtype></Articulation>";
        }
    }
    return text;
}

function lyrics(notes) {
    var text = "";
    notes.forEach(function (note) {
        (note.lyrics || []).forEach(function (lyric) {
            text += "<Lyrics>" + (lyric.verse > 1 ? "<no>" + (lyric.verse - 1) + "</no>" : "") + "<syllabic>" +
                (lyric.syllabic || "single") + "</syllabic><text>" + plainAscii(Symbols.rich(lyric.text)) + "</text></Lyrics>";
        });
    });
    return text;
}

// Text that any 8-bit coding writes alike, which is what MuseScore's FileIO takes; what XML forbids is left out.
function plainAscii(text) {
    return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "")
        .replace(/[\ud800-\udbff][\udc00-\udfff]/g, function (pair) {
            return "&#" + ((pair.charCodeAt(0) - 0xd800) * 0x400 + pair.charCodeAt(1) - 0xdc00 + 0x10000) + ";";
        })
        .replace(/[\u0080-\ud7ff\ue000-\ufffd]/g, function (sign) { return "&#" + sign.charCodeAt(0) + ";"; });
}

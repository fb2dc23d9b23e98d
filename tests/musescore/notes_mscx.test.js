// A document as MuseScore 3's own format: what is full, what is joined, and what cannot be said.
"use strict";

const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./qml_script.js");

const ByPaste = load("by_paste.js");
const WriteMscx = load("write_mscx.js");
const WriteNotes = load("write_notes.js");
const WritePlan = load("write_plan.js");
const { FakeScore, rootOf } = require("./fake_score.js");

function note(tick, duration, pitch, more) {
    return { tick, duration, pitch, part: 0, staff: 1, voice: 1, ...more };
}

function writing(notes, { document = {}, tick = 0, staves = 1, version = 30203, options = {} } = {}) {
    const whole = { ticks_per_quarter: 480, parts: [{ staves }], length: 1920, notes, ...document };
    const sorted = WritePlan.plan(whole, { division: 480, tick, staff: 0, staves });
    Object.assign(sorted, { startStaff: 0, endStaff: staves });
    return WriteMscx.writer({ division: 480, mscoreVersion: version }, sorted, whole, options);
}

function textOf(notes, more) {
    const work = writing(notes, more);
    while (!work.next(0)) { /* in the smallest slices */ }
    assert.equal(work.isWhole(), true);
    return work.text();
}

function all(text, pattern) {
    return [...text.matchAll(pattern)].map((match) => match.slice(1).join(" "));
}

const DURATIONS = /<(?:Chord|Rest)>(?:<dots>(\d)<\/dots>)?<durationType>(\w+)</g;

test("every measure is full, and empty ones are rests of a measure", () => {
    const text = textOf([note(720, 240, 60)], { document: { length: 3840 } });
    assert.deepEqual(all(text, DURATIONS), [" quarter", " eighth", " eighth", " half", " measure"]);
    assert.deepEqual(all(text, /<Measure len="(.+?)">/g), ["1/1", "1/1"]);
});

test("measures are the document's own: an upbeat, a change of meter, and an end within a measure", () => {
    const meters = [{ tick: 0, numerator: 3, denominator: 4 }, { tick: 1920, numerator: 6, denominator: 8 }];
    const text = textOf([note(0, 480, 60)], { document: { pickup: 480, length: 1920 + 1440 + 480, meters }, tick: 960 });
    assert.deepEqual(all(text, /<Measure len="(.+?)">/g), ["1/4", "3/4", "3/4", "1/4"]);
    assert.deepEqual(all(text, /<sigN>(\d+)<\/sigN><sigD>(\d+)</g), ["3 4", "6 8"]);
});

test("a note across a barline is tied, by the way from one to the other", () => {
    const text = textOf([note(1440, 960, 60)], { document: { length: 3840 } });
    assert.deepEqual(all(text, /<next><location>(.+?)<\/location>/g), ["<measures>1</measures><fractions>-3/4</fractions>"]);
    assert.deepEqual(all(text, /<prev><location>(.+?)<\/location>/g), ["<measures>-1</measures><fractions>3/4</fractions>"]);
});

test("ties lead from note to note of two chords, from tuplets, and to another voice", () => {
    const tuplet = { actual: 3, normal: 2, type: "eighth", tick: 0 };
    const text = textOf([
        note(0, 320, 67, { tuplet }), note(320, 160, 60, { tuplet, tie_start: true }), note(480, 480, 55),
        note(480, 480, 60, { tie_start: true }), note(960, 960, 60, { voice: 2 }), note(960, 960, 72)
    ]);
    assert.deepEqual(all(text, /<next><location>(.+?)<\/location>/g), [
        "<fractions>1/12</fractions><notes>1</notes>", "<voices>1</voices><fractions>1/4</fractions><notes>-1</notes>"
    ]);
});

test("tuplets are closed before what follows, and filled where notes are missing", () => {
    const tuplet = { actual: 3, normal: 2, type: "quarter", tick: 0 };
    const text = textOf([note(320, 320, 60, { tuplet }), note(960, 960, 62)]);
    const signs = all(text, /<(Tuplet|endTuplet|Chord|Rest)[>/]/g);
    assert.deepEqual(signs, ["Tuplet", "Rest", "Chord", "Rest", "endTuplet", "Chord"]);
    assert.match(text, /<normalNotes>2<\/normalNotes><actualNotes>3<\/actualNotes><baseNote>quarter</);
});

test("grace notes stand before their chord, in their order, chords of them together", () => {
    const grace = (pitch, order, more) => note(0, 240, pitch, { grace: "acciaccatura", order, ...more });
    const text = textOf([note(0, 1920, 72), grace(64, 1), grace(60, 0), grace(67, 1), grace(50, 2, { grace: "appoggiatura", duration: 120 })]);
    const chords = text.split("<Chord>").slice(1).map((chord) => [
        all(chord, /<pitch>(\d+)</g).join(), all(chord, /<(acciaccatura|appoggiatura|grace\d+)\/>/g).join()
    ]);
    assert.deepEqual(chords, [["60", "acciaccatura"], ["64,67", "acciaccatura"], ["50", "grace16"], ["72", ""]]);
});

test("notes without a name are called as the key has it", () => {
    const keys = [{ tick: 0, fifths: -4 }, { tick: 960, fifths: 4 }];
    const text = textOf([note(0, 960, 61), note(960, 960, 61), note(960, 960, 66, { step: "G", alter: -1, octave: 4 })],
        { document: { keys } });
    assert.deepEqual(all(text, /<tpc>(-?\d+)</g), ["9", "21", "8"]);
});

test("voices keep their numbers, and staves theirs", () => {
    const text = textOf([note(0, 1920, 60, { voice: 3 }), note(0, 1920, 40, { staff: 2 })], { staves: 2 });
    const staves = text.split(/<Staff id="\d">\n/).slice(1);
    assert.equal(staves.length, 2);
    assert.deepEqual(staves.map((staff) => staff.split("<voice>").length - 1), [3, 1]);
});

test("dynamics stand at what sounds there; tempo marks come with the signatures alone", () => {
    const document = {
        tempos: [{ tick: 0, quarters_per_minute: 90 }], parts: [{ staves: 1 }], length: 1920,
        dynamics: [{ tick: 1000, part: 0, staff: 1, mark: "mf" }]
    };
    const notes = [note(0, 960, 60), note(960, 960, 62)];
    assert.match(textOf(notes, { document }), /<tempo>1.5<\/tempo>.*<fractions>1\/2<\/fractions><\/location><Dynamic><subtype>mf</s);
    assert.doesNotMatch(textOf(notes, { document, options: { signatures: false } }), /<Tempo>/);
});

test("words survive any coding of files, and are no tags", () => {
    const text = textOf([note(0, 1920, 60, { lyrics: [{ text: "<ü\u0007𝄞&", verse: 2, syllabic: "begin" }] })]);
    assert.match(text, /<no>1<\/no><syllabic>begin<\/syllabic><text>&lt;&#252;&#119070;&amp;<\/text>/);
});

test("lengths that no note values make are not said", () => {
    const work = writing([note(0, 481, 60)]);
    while (!work.next(Infinity)) { /* until it is */ }
    assert.equal(work.isWhole(), false);
});

test("signs whose names have changed since 3.2 are not said to later versions", () => {
    const trills = [note(0, 1920, 60, { articulations: ["mordent"] })];
    assert.match(textOf(trills), /ornamentMordentInverted/);
    const work = writing(trills, { version: 30600 });
    while (!work.next(Infinity)) { /* until it is */ }
    assert.equal(work.isWhole(), false);
});

test("the format has the version of the program that opens it", () => {
    const versions = [30203, 30500, 30600].map((version) => all(textOf([], { version }), /<museScore version="(.+?)"/g)[0]);
    assert.deepEqual(versions, ["3.01", "3.01", "3.02"]);
});

// What the writer opens for pasting, with these notes and this MusicXML beside them.
function opened(notes, musicxml) {
    const score = new FakeScore("3.2");
    const files = [];
    const root = rootOf(score);
    root.readScore = (path) => { files.push(path); return null; };
    const options = {
        musicxml: musicxml === null ? "" : "/answer.musicxml",
        files: { read: () => musicxml, write: () => "/made.mscx", remove: (path) => files.push("removed " + path) }
    };
    const document = { ticks_per_quarter: 480, parts: [{ staves: 1 }], length: 1920, notes };
    assert.throws(() => WriteNotes.writeNotes(root, score, document, { tick: 0, staff: 0 }, options), /cannot open/);
    return files;
}

test("notes are pasted from MuseScore's own format, and the file is taken away", () => {
    const notes = [note(0, 480, 60), note(0, 240, 62, { grace: "acciaccatura" })];
    assert.deepEqual(opened(notes, "<note></note>"), ["/made.mscx", "removed /made.mscx"]);
    assert.deepEqual(opened(notes, null), ["/made.mscx", "removed /made.mscx"]);
});

test("MusicXML is pasted where it has more signs, or where the other format cannot say the notes", () => {
    const notes = [note(0, 480, 60), note(0, 240, 62, { grace: "acciaccatura" })];
    assert.deepEqual(opened(notes, "<notations><slur number='1'/></notations>"), ["/answer.musicxml"]);
    assert.deepEqual(opened([...notes, note(960, 481, 62)], "<note></note>"), ["/answer.musicxml"]);
    assert.equal(ByPaste.hasMore("<slurred/>"), false);
});

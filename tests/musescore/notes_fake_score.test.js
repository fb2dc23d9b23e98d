// Inserting and reading notes in a score that keeps the rules of MuseScore 3.2, 3.6, 4.5 and 4.6.
"use strict";

const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./qml_script.js");
const { FakeScore, rootOf, dump, VERSIONS } = require("./fake_score.js");

const ReadNotes = load("read_notes.js");
const Selection = load("selection.js");
const WriteNotes = load("write_notes.js");
const HAVE_TUPLETS = Object.keys(VERSIONS).filter((version) => VERSIONS[version].addTuplet);

function note(tick, duration, pitch, more) {
    return {
        tick, duration, pitch, step: null, alter: 0, octave: null, velocity: null, part: 0, staff: 1, staff_move: 0,
        voice: 1, tie_start: false, tie_stop: false, tuplet: null, grace: "", order: 0, articulations: [], lyrics: [],
        ...more
    };
}

function documentOf(notes, more) {
    return {
        format: "notes", version: 1, ticks_per_quarter: 480, pickup: 0, length: 1920, measures: [], tempos: [], meters: [],
        keys: [], parts: [{ name: "", program: null, staves: 2 }], notes, dynamics: [], ...more
    };
}

function inserted(version, notes, { place = { tick: 0, staff: 0 }, score = new FakeScore(version), more } = {}) {
    const warnings = WriteNotes.writeNotes(rootOf(score), score, documentOf(notes, more), place, {});
    return { score, warnings };
}

function readBack(score) {
    const root = rootOf(score);
    return ReadNotes.readNotes(root, score, Selection.describe(root, score)).notes;
}

const PLACE = (n) => [n.tick, n.duration, n.pitch, n.staff, n.voice, n.tie_start, n.tie_stop, n.tuplet && n.tuplet.actual];

function cameBack(version, notes, options) {
    const { score, warnings } = inserted(version, notes, options);
    assert.deepEqual(warnings, []);
    assert.equal(score.undoSteps, 1, "one undo step");
    assert.equal(score.isOpen, false);
    const order = (a, b) => String(a).localeCompare(String(b));
    assert.deepEqual(readBack(score).map(PLACE).sort(order), notes.map(PLACE).sort(order));
}

for (const version of Object.keys(VERSIONS)) {
    test(`${version}: chords, voices and two staves come back`, () => {
        cameBack(version, [
            note(0, 480, 60), note(0, 480, 64), note(480, 960, 65), note(0, 1920, 55, { voice: 2 }),
            note(960, 480, 40, { staff: 2 }), note(2400, 240, 70)
        ], { more: { length: 3840 } });
    });

    test(`${version}: ties within a measure, in chords and across the barline come back`, () => {
        cameBack(version, [
            note(960, 480, 60, { tie_start: true }), note(960, 480, 64), note(1440, 480, 60, { tie_start: true, tie_stop: true }),
            note(1920, 480, 60, { tie_stop: true }), note(0, 480, 50, { staff: 2, tie_start: true }),
            note(480, 480, 50, { staff: 2, tie_stop: true })
        ], { more: { length: 3840 } });
    });

    test(`${version}: the score grows when it is too short`, () => {
        const { score } = inserted(version, [note(5 * 1920, 480, 60)], { more: { length: 6 * 1920 } });
        assert.equal(score.measures.length, 6);
        assert.deepEqual(readBack(score).map((n) => n.tick), [5 * 1920]);
    });

    test(`${version}: a note longer than its measure is tied across the barline`, () => {
        const { score } = inserted(version, [note(960, 1920, 60)], { more: { length: 3840 } });
        assert.deepEqual(readBack(score).map((n) => [n.tick, n.duration, n.tie_start, n.tie_stop]),
            [[960, 960, true, false], [1920, 960, false, true]]);
    });

    test(`${version}: what stood there is replaced, what stands beside it stays`, () => {
        const score = new FakeScore(version);
        inserted(version, [note(0, 480, 60), note(2400, 480, 61), note(3840, 1920, 62), note(0, 960, 40, { voice: 2 })],
            { score, more: { length: 5760 } });
        inserted(version, [note(0, 960, 70)], { score, place: { tick: 1920, staff: 0 } });
        assert.deepEqual(readBack(score).map((n) => [n.tick, n.pitch]), [[0, 60], [0, 40], [1920, 70], [3840, 62]]);
        assert.equal(score.undoSteps, 2);
    });

    test(`${version}: time signatures that differ are inserted`, () => {
        const meters = [{ tick: 0, numerator: 4, denominator: 4 }, { tick: 1920, numerator: 3, denominator: 4 }];
        const { score } = inserted(version, [note(0, 1920, 60), note(1920, 1440, 62)], { more: { length: 3360, meters } });
        assert.deepEqual(score.measures.slice(0, 3).map((m) => m.length), [1920, 1440, 1440]);
        assert.deepEqual(readBack(score).map((n) => [n.tick, n.duration]), [[0, 1920], [1920, 1440]]);
    });

    test(`${version}: an upbeat stands before the barline`, () => {
        const { score } = inserted(version, [note(0, 480, 60), note(480, 480, 62)], { more: { pickup: 480, length: 2400 } });
        assert.deepEqual(readBack(score).map((n) => n.tick), [1440, 1920]);
    });

    test(`${version}: an error in the middle leaves the score as it was`, () => {
        const score = new FakeScore(version);
        const before = JSON.stringify(dump(score));
        assert.throws(() => inserted(version, [note(0, 480, 60), note(480, 480, 200)], { score }), /pitch 200/);
        assert.equal(JSON.stringify(dump(score)), before);
        assert.equal(score.isOpen, false);
        assert.equal(score.undoSteps, 0);
    });

    test(`${version}: reading goes in slices and changes nothing`, () => {
        const { score } = inserted(version, Array.from({ length: 64 }, (_, i) => note(i * 480, 480, 60 + (i % 12))),
            { more: { length: 16 * 1920 } });
        const before = JSON.stringify(dump(score));
        const root = rootOf(score);
        const reading = ReadNotes.reader(root, score, Selection.describe(root, score));
        let slices = 0;
        let fraction = 0;
        for (let state = reading.next(0); !state.done; state = reading.next(0)) {
            assert.ok(state.fraction >= fraction && state.fraction < 1);
            fraction = state.fraction;
            slices++;
        }
        assert.ok(slices > 16, `${slices} slices`);
        assert.equal(reading.document().notes.length, 64);
        assert.equal(JSON.stringify(dump(score)), before);
        assert.deepEqual(score.selected, []);
    });
}

for (const version of HAVE_TUPLETS) {
    test(`${version}: tuplets come back, with rests and ties in them`, () => {
        const triplet = { actual: 3, normal: 2, type: "eighth", tick: 480 };
        const five = { actual: 5, normal: 4, type: "16th", tick: 0 };
        cameBack(version, [
            note(480, 160, 60, { tuplet: triplet }), note(800, 160, 62, { tuplet: triplet, tie_start: true }),
            note(960, 480, 62, { tie_stop: true }),
            ...[0, 96, 192, 288, 384].map((tick) => note(tick, 96, 50 + tick / 96, { staff: 2, voice: 2, tuplet: five }))
        ]);
    });

    test(`${version}: a tuplet that stood there is replaced`, () => {
        const triplet = { actual: 3, normal: 2, type: "quarter", tick: 0 };
        const score = new FakeScore(version);
        inserted(version, [0, 320, 640].map((tick) => note(tick, 320, 60, { tuplet: triplet })), { score });
        inserted(version, [note(0, 480, 70)], { score });
        assert.deepEqual(readBack(score).map((n) => [n.tick, n.duration, n.pitch]), [[0, 480, 70]]);
    });
}

test("3.2: tuplets need MusicXML where the cursor cannot make them, and nothing is changed", () => {
    const score = new FakeScore("3.2");
    const root = rootOf(score);
    root.readScore = () => null;
    const triplet = { actual: 3, normal: 2, type: "eighth", tick: 0 };
    const document = documentOf([note(0, 160, 60, { tuplet: triplet })]);
    assert.throws(() => WriteNotes.writeNotes(root, score, document, { tick: 0, staff: 0 }, {}),
        (error) => error.code === "needs_musicxml");
    assert.equal(score.undoSteps, 0);
});

for (const version of ["3.2", "3.6", "4.5"]) {
    test(`${version}: grace notes that cannot be pasted are counted as not carried`, () => {
        const score = new FakeScore(version);
        const root = rootOf(score);
        root.readScore = () => null;
        const document = documentOf([note(0, 480, 60), note(0, 240, 62, { grace: "acciaccatura" })]);
        const warnings = WriteNotes.writeNotes(root, score, document, { tick: 0, staff: 0 }, {});
        assert.deepEqual(warnings, [{ code: "grace", count: 1 }]);
        assert.deepEqual(readBack(score).map((n) => n.pitch), [60]);
    });
}

test("spelling, articulations and lyrics reach the chord", () => {
    const { score } = inserted("4.5", [
        note(0, 480, 61, { step: "D", alter: -1, octave: 4, articulations: ["staccato"], lyrics: [{ text: "a<b", verse: 2, syllabic: "begin" }] })
    ]);
    const chord = score.at(0, 0);
    assert.equal(chord.notes[0].tpc, 9);
    assert.equal(chord.articulations[0].symbol, 1);
    assert.deepEqual([chord.lyrics[0].text, chord.lyrics[0].verse, chord.lyrics[0].syllabic], ["a&lt;b", 1, 1]);
});

for (const version of ["3.6", "4.6"]) {
    test(`${version}: articulations are read`, () => {
        const { score } = inserted(version, [note(0, 480, 61, { articulations: ["staccato", "accent"] }), note(480, 480, 62)]);
        assert.deepEqual(readBack(score).map((n) => n.articulations.sort()), [["accent", "staccato"], []]);
    });
}

test("4.6: under an octave line notes are read as they sound", () => {
    const { score } = inserted("4.6", [note(0, 480, 60), note(480, 480, 62)]);
    score.ottava = 480;
    assert.deepEqual(readBack(score).map((n) => [n.pitch, n.octave]), [[60, 4], [74, 5]]);
});

test("a selection that reaches the end of the score ends with it", () => {
    const score = new FakeScore("3.2");
    score.range = { start: 1920, end: null, startStaff: 0, endStaff: 1 };
    const selection = Selection.describe(rootOf(score), Object.assign(score, { selected: [{ name: "Rest", parent: { name: "Segment", tick: 1920 } }] }));
    assert.deepEqual(selection, { startTick: 1920, startStaff: 0, isWhole: false, endTick: 4 * 1920, endStaff: 1 });
});

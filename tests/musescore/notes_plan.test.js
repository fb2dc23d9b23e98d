// A document sorted into tracks, and the steps by which a cursor writes one.
"use strict";

const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./qml_script.js");

const WritePlan = load("write_plan.js");
const WriteOps = load("write_ops.js");
const Values = load("values.js");

const VALUES = Values.table(480);
const MEASURES = [0, 1920, 3840].map((start) => ({ start, end: start + 1920 }));

function note(tick, duration, pitch, more) {
    return { tick, duration, pitch, part: 0, staff: 1, voice: 1, ...more };
}

function planned(notes, more) {
    const document = { ticks_per_quarter: 480, parts: [{ staves: 2 }], length: 1920, notes };
    return WritePlan.plan(document, { division: 480, tick: 0, staff: 0, staves: 2, ...more });
}

function stepsOf(notes, more) {
    const steps = WriteOps.steps(planned(notes, more).tracks[0], MEASURES, VALUES).steps;
    return steps.map((s) => [s.kind, s.tick, s.value ? s.value.ticks : s.ticks]);
}

test("notes that begin and end together are one chord", () => {
    const tracks = planned([note(0, 480, 64), note(0, 480, 60), note(480, 480, 62)]).tracks;
    assert.deepEqual(tracks[0].map((c) => c.notes.map((n) => n.pitch)), [[60, 64], [62]]);
});

test("every staff and voice has its track", () => {
    const tracks = planned([note(0, 480, 64, { voice: 2 }), note(0, 480, 40, { staff: 2 })]).tracks;
    assert.deepEqual(Object.keys(tracks), ["1", "4"]);
});

test("what overlaps in one voice goes to another, and nothing is lost", () => {
    const sorted = planned([note(0, 960, 60), note(480, 960, 64)]);
    assert.deepEqual([sorted.tracks[0].length, sorted.tracks[1].length], [1, 1]);
    assert.equal(sorted.warnings.voice, 1);
});

test("a staff that the score lacks is folded into its last one", () => {
    const sorted = planned([note(0, 480, 60), note(0, 480, 40, { staff: 2 })], { staves: 1 });
    assert.deepEqual(Object.keys(sorted.tracks), ["0", "2"]);
    assert.equal(sorted.warnings.staff, 1);
});

test("ticks of another division are converted", () => {
    const sorted = WritePlan.plan({ ticks_per_quarter: 24, parts: [{ staves: 1 }], notes: [note(24, 12, 60)] },
        { division: 480, tick: 1920, staff: 0, staves: 1 });
    assert.deepEqual([sorted.tracks[0][0].tick, sorted.tracks[0][0].end], [2400, 2640]);
});

test("gaps are filled with rests that keep the beats visible", () => {
    assert.deepEqual(stepsOf([note(1200, 240, 60)]), [
        ["seek", 0, undefined], ["rest", 0, 960], ["rest", 960, 240], ["chord", 1200, 240]
    ]);
});

test("a note across a barline is two", () => {
    const notes = stepsOf([note(1440, 960, 60)]).filter(([kind]) => kind === "chord");
    assert.deepEqual(notes, [["chord", 1440, 480], ["chord", 1920, 480]]);
});

test("a length that no single note has is put together", () => {
    const notes = stepsOf([note(0, 1200, 60)]).filter(([kind]) => kind === "chord");
    assert.deepEqual(notes.map(([, , ticks]) => ticks), [960, 240]);
});

test("a tuplet is begun once, and filled with rests where notes are missing", () => {
    const tuplet = { actual: 3, normal: 2, type: "eighth", tick: 480 };
    assert.deepEqual(stepsOf([note(480, 160, 60, { tuplet }), note(800, 160, 62, { tuplet })]), [
        ["seek", 0, undefined], ["rest", 0, 480], ["tuplet", 480, 480], ["chord", 480, 240], ["rest", 640, 240],
        ["chord", 800, 240]
    ]);
});

test("septuplets are written at their exact places whatever the ticks say", () => {
    const tuplet = { actual: 7, normal: 4, type: "16th", tick: 0 };
    const seven = [0, 69, 137, 206, 274, 343, 411].map((tick) => note(tick, 69, 60, { tuplet }));
    const steps = stepsOf(seven);
    assert.deepEqual(steps.map(([kind]) => kind), ["seek", "tuplet", ...new Array(7).fill("chord")]);
    assert.ok(steps.slice(2).every(([, , ticks]) => ticks === 120));
});

test("every length down to a 512th is made of note values that add up", () => {
    for (let ticks = 4; ticks <= 4 * 1920; ticks += 3.75) {
        const sum = Values.parts(ticks, VALUES).reduce((total, value) => total + value.ticks, 0);
        assert.ok(Math.abs(sum - ticks) < 3.75, `${ticks}: ${sum}`);
    }
});

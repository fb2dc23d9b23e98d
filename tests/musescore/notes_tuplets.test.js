// Tuplets out of note values and places.
"use strict";

const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./qml_script.js");

const Tuplets = load("tuplets.js");
const EIGHTH = 240;

// [[tick, written ticks]] and where the voice ends -> what `infer` is given.
function items(list, end) {
    return list.map(([tick, nominal], i) => ({ tick, nominal, next: i + 1 < list.length ? list[i + 1][0] : end }));
}

test("plain notes belong to no tuplet", () => {
    assert.deepEqual(Tuplets.infer(items([[0, 480], [480, 240], [720, 240]], 960), 480, true), [null, null, null]);
});

test("three eighths in the time of two are a triplet that begins at the first", () => {
    const triplet = { actual: 3, normal: 2, type: "eighth", tick: 960 };
    const found = Tuplets.infer(items([[0, 960], [960, 240], [1120, 240], [1280, 240], [1440, 480]], 1920), 480, true);
    assert.deepEqual(found, [null, triplet, triplet, triplet, null]);
});

test("a quarter and an eighth make a whole triplet of eighths", () => {
    const found = Tuplets.infer(items([[0, 480], [320, EIGHTH]], 480), 480, true);
    assert.deepEqual(found.map((t) => [t.actual, t.type, t.tick]), [[3, "eighth", 0], [3, "eighth", 0]]);
});

test("values that are mixed within a beat are one tuplet, not two shorter ones", () => {
    const found = Tuplets.infer(items([[0, 240], [160, 120], [240, 120], [320, 240]], 480), 480, true);
    assert.deepEqual(found.map((t) => [t.type, t.tick]), [["eighth", 0], ["eighth", 0], ["eighth", 0], ["eighth", 0]]);
});

test("two triplets that follow each other are two", () => {
    const six = [0, 160, 320, 480, 640, 800].map((tick) => [tick, EIGHTH]);
    assert.deepEqual(Tuplets.infer(items(six, 960), 480, true).map((t) => t.tick), [0, 0, 0, 480, 480, 480]);
});

test("septuplets are found although their places are rounded", () => {
    const seven = [0, 103, 206, 309, 411, 514, 617].map((tick) => [tick, 120]);
    const found = Tuplets.infer(items(seven, 720), 480, true);
    assert.deepEqual(found.map((t) => [t.actual, t.normal, t.type]), new Array(7).fill([7, 6, "16th"]));
});

test("duplets in compound time last longer than they are written", () => {
    const found = Tuplets.infer(items([[0, 240], [360, 240]], 720), 480, true);
    assert.deepEqual(found.map((t) => [t.actual, t.normal]), [[2, 3], [2, 3]]);
});

test("a gap behind a note of another voice is no tuplet", () => {
    assert.deepEqual(Tuplets.infer(items([[0, 240], [960, 240]], 1920), 480, false), [null, null]);
});

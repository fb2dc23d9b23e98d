// A score as MuseScore 4.4 hands it to plugins, stricter than that: what it does not have cannot even be asked for,
// nothing can be changed outside a command, and nothing is read while one is open.
//
// An expression for Qt's JavaScript engine: (function (notes) { … return score; }), notes [[tick, ticks, pitch, track]] in
// 4/4 at 96, two staves, all chords of one note; `score.selectRange(start, end, firstStaff, endStaff)` selects.
(function (notes) {
    "use strict";
    const TPC = [14, 21, 16, 23, 18, 13, 20, 15, 22, 17, 24, 19];
    const MEASURE = 1920;
    const end = Math.ceil(Math.max.apply(null, notes.map((note) => note[0] + note[1])) / MEASURE) * MEASURE;
    const state = { isOpen: false, range: null };

    // An object that throws when asked for what it does not have; `absent` may be asked for and is undefined.
    function strict(name, members, absent) {
        return new Proxy(members, {
            get: (target, key) => {
                if (typeof key === "symbol" || key in target || key === "toJSON" || key === "then") { return target[key]; }
                if ((absent || []).includes(key)) { return undefined; }
                throw new Error(name + " has no " + key);
            },
            set: (target, key, value) => {
                if (!(key in target) || typeof target[key] === "function") { throw new Error(name + "." + key + " cannot be set"); }
                target[key] = value;
                return true;
            }
        });
    }

    const fraction = (ticks) => strict("Fraction", { numerator: ticks / 480, denominator: 4, ticks: ticks });
    const segments = [];
    for (const tick of Array.from(new Set(notes.map((note) => note[0]).concat(0))).sort((a, b) => a - b)) {
        segments.push(segmentAt(tick));
    }
    function segmentAt(tick) {
        const here = notes.filter((note) => note[0] === tick);
        const segment = strict("Segment", {
            name: "Segment", tick: tick, segmentType: 512, annotations: tick ? [] : [tempo()], nextInMeasure: null, next: null,
            elementAt: (track) => {
                const found = here.find((note) => note[3] === track);
                return found ? chord(found, segment) : null;
            }
        });
        return segment;
    }
    function tempo() {
        return strict("TempoText", { name: "TempoText", tempo: 96 / 60, track: 0 });
    }
    function chord(note, segment) {
        const members = {
            name: "Chord", duration: fraction(note[1]), tuplet: null, graceNotes: [], notes: [], lyrics: [], track: note[3],
            parent: segment, staffMove: 0, noteType: 0
        };
        const made = strict("Chord", members, ["articulations"]);
        const tpc = TPC[note[2] % 12];
        members.notes.push(strict("Note", { name: "Note", pitch: note[2], tpc: tpc, tpc1: tpc, tpc2: tpc, tieForward: null, parent: made }));
        return made;
    }
    for (let i = 0; i + 1 < segments.length; i++) {
        segments[i].next = segments[i + 1];
        segments[i].nextInMeasure = Math.floor(segments[i + 1].tick / MEASURE) === Math.floor(segments[i].tick / MEASURE) ? segments[i + 1] : null;
    }
    const measures = [];
    for (let tick = 0; tick < end; tick += MEASURE) {
        const first = segments.find((segment) => segment.tick >= tick && segment.tick < tick + MEASURE);
        measures.push(strict("Measure", { firstSegment: first, nextMeasure: null, timesigNominal: strict("Fraction", { numerator: 4, denominator: 4, ticks: MEASURE }) }));
    }
    measures.forEach((measure, i) => { measure.nextMeasure = measures[i + 1] || null; });

    function cursor() {
        const made = strict("Cursor", {
            segment: null, tick: 0, staffIdx: 0, track: 0, voice: 0, filter: 0, tempo: 96 / 60, keySignature: 0,
            rewind: (where) => {
                if (state.isOpen) { throw new Error("a cursor is rewound while a command is open"); }
                const range = state.range;
                if (where === 0) { move(segments[0]); }
                if (where === 1) { if (range) { move(segments.find((one) => one.tick >= range.start)); made.staffIdx = range.firstStaff; } else { move(null); } }
                if (where === 2) { if (range) { move(segments.find((one) => one.tick >= range.end) || null); made.staffIdx = range.endStaff - 1; } else { move(null); } }
            },
            next: () => { move(made.filter === 512 || made.filter === 0 ? made.segment.next : null); return !!made.segment; },
            nextMeasure: () => {
                move(segments.find((one) => one.tick >= (Math.floor(made.tick / MEASURE) + 1) * MEASURE) || null);
                return !!made.segment;
            }
        });
        function move(segment) {
            made.segment = segment;
            made.tick = segment ? segment.tick : 0;
        }
        return made;
    }

    const selection = strict("Selection", { elements: [], isRange: false, startSegment: null, clear: () => true, select: () => true });
    const score = strict("Score", {
        scoreName: "strict", title: "Strict", nstaves: 2, nmeasures: measures.length, firstMeasure: measures[0], lastSegment: strict("Segment", { tick: end }),
        parts: [strict("Part", { startTrack: 0, endTrack: 8, midiProgram: 0, hasDrumStaff: false, longName: "Piano", partName: "Piano" })],
        selection: selection, newCursor: cursor,
        startCmd: () => {
            if (state.isOpen) { throw new Error("a command is open already"); }
            state.isOpen = true;
        },
        endCmd: () => {
            if (!state.isOpen) { throw new Error("no command is open"); }
            state.isOpen = false;
        },
        is: (other) => other.scoreName === "strict",
        selectRange: (start, stop, firstStaff, endStaff) => {
            state.range = { start: start, end: stop, firstStaff: firstStaff, endStaff: endStaff };
            selection.isRange = true;
            selection.startSegment = segments.find((one) => one.tick >= start);
        }
    });
    return score;
})

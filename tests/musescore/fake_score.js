// A score that keeps MuseScore's rules for plugins, and complains where MuseScore would crash or keep silent.
//
// It knows measures, voices, chords, rests, tuplets and ties. `features` says what the version that it stands for has:
// {version, addTuplet, addRest, rewindToTick, tieForward, tuplet}. Stricter than MuseScore: changing anything outside a
// command, note values that no single note has, a cursor that is nowhere, elements used twice or after they were
// removed, and places at which nothing stands are errors.
"use strict";

const DIVISION = 480;
const WHOLE = 4 * DIVISION;
const VOICES = 4;
const CHORD_REST = 512;
const KEY_SIG = 4;
const EPSILON = 1e-6;
const VALUES = [];
for (let n = 0.5; n <= 512; n *= 2) {
    for (const dots of [1, 1.5, 1.75]) {
        VALUES.push((WHOLE / n) * dots);
    }
}
VALUES.sort((a, b) => b - a);

const VERSIONS = {
    "3.2": { version: 30203 },
    "3.6": { version: 30602, addTuplet: true, addRest: true, rewindToTick: true, tieForward: true, tuplet: true },
    "4.5": { version: 40500, addTuplet: true, addRest: true, rewindToTick: true, tieForward: true, tuplet: true },
    "4.6": {
        version: 40600, addTuplet: true, addRest: true, rewindToTick: true, tieForward: true, tuplet: true,
        articulations: true
    }
};

function insist(condition, message) {
    if (!condition) {
        throw new Error("MuseScore: " + message);
    }
}

function same(a, b) {
    return Math.abs(a - b) < EPSILON;
}

function parts(ticks) {
    const found = [];
    for (const value of VALUES) {
        while (value <= ticks + EPSILON && !same(value, 0) && VALUES.includes(value)) {
            found.push(value);
            ticks -= value;
        }
    }
    insist(ticks < EPSILON, "no notes last " + ticks + " ticks");
    return found;
}

class FakeScore {
    constructor(version, { meters = [[4, 4]], measures = 4, staves = 2 } = {}) {
        this.features = VERSIONS[version];
        this.nstaves = staves;
        this.ntracks = staves * VOICES;
        this.scoreName = "fake";
        this.title = "";
        this.undoSteps = 0;
        this.isOpen = false;
        this.input = { tick: 0, track: 0, duration: DIVISION };
        this.measures = [];
        this.tracks = Array.from({ length: this.ntracks }, () => []);
        this.marks = [];
        this.selected = [];
        for (let i = 0; i < measures; i++) {
            this.addMeasure(meters[Math.min(i, meters.length - 1)]);
        }
    }

    addMeasure([numerator, denominator]) {
        const last = this.measures[this.measures.length - 1];
        const start = last ? last.start + last.length : 0;
        const length = (WHOLE * numerator) / denominator;
        this.measures.push({ start, length, nominal: { numerator, denominator } });
        for (let track = 0; track < this.ntracks; track += VOICES) {
            this.put(track, { kind: "Rest", tick: start, nominal: length, isMeasure: true });
        }
    }

    // ---- the inside ----

    measureAt(tick) {
        return this.measures.find((m) => tick >= m.start - EPSILON && tick < m.start + m.length - EPSILON);
    }

    lengthOf(element) {
        return element.tuplet ? (element.nominal * element.tuplet.normal) / element.tuplet.actual : element.nominal;
    }

    at(track, tick) {
        return this.tracks[track].find((e) => same(e.tick, tick));
    }

    put(track, element) {
        const list = this.tracks[track];
        const clash = list.find((e) => e.tick < element.tick + this.lengthOf(element) - EPSILON &&
            element.tick < e.tick + this.lengthOf(e) - EPSILON);
        insist(!clash, "two elements at one place of track " + track + " at " + element.tick);
        list.push(element);
        list.sort((a, b) => a.tick - b.tick);
        element.track = track;
    }

    take(element) {
        const list = this.tracks[element.track];
        insist(list.includes(element), "an element that is not in the score");
        list.splice(list.indexOf(element), 1);
        element.isGone = true;
    }

    expandVoice(track, tick) {
        const measure = this.measureAt(tick);
        const inside = this.tracks[track].some((e) => e.tick >= measure.start - EPSILON && e.tick < measure.start + measure.length - EPSILON);
        if (inside) {
            return;
        }
        this.rests(track, measure.start, tick - measure.start, null);
        this.rests(track, tick, measure.start + measure.length - tick, null);
    }

    rests(track, tick, length, tuplet) {
        for (const value of length > EPSILON ? parts(tuplet ? (length * tuplet.actual) / tuplet.normal : length) : []) {
            const rest = { kind: "Rest", tick, nominal: value, tuplet };
            this.put(track, rest);
            tick += this.lengthOf(rest);
        }
    }

    // Frees a place; returns its length in time, which ends with the measure or the tuplet.
    makeGap(track, tick, wanted, tuplet) {
        const measure = this.measureAt(tick);
        const limit = tuplet ? tuplet.start + tuplet.length : measure.start + measure.length;
        const end = Math.min(tick + wanted, limit);
        for (const element of this.tracks[track].filter((e) => e.tick < end - EPSILON && e.tick + this.lengthOf(e) > tick + EPSILON)) {
            insist(element.tick >= tick - EPSILON, "a note that began before is cut");
            insist(element.tuplet === tuplet || !tuplet, "a tuplet is torn");
            const rest = element.tick + this.lengthOf(element) - end;
            this.take(element);
            if (rest > EPSILON) {
                this.rests(track, end, rest, tuplet);
            }
        }
        return end - tick;
    }

    write(pitch) {
        const { track, duration } = this.input;
        let tick = this.input.tick;
        insist(this.isOpen, "a change outside a command");
        insist(tick !== null, "the cursor is nowhere");
        let last = null;
        let isTied = false;
        if (track % VOICES) {
            this.expandVoice(track, tick);
        }
        let tuplet = (this.at(track, tick) || {}).tuplet || null;
        insist(this.at(track, tick), "nothing stands at tick " + tick + " of track " + track);
        let left = tuplet ? (duration * tuplet.normal) / tuplet.actual : duration;
        while (left > EPSILON) {
            const gap = this.makeGap(track, tick, left, tuplet);
            for (const value of parts(tuplet ? (gap * tuplet.actual) / tuplet.normal : gap)) {
                const element = { kind: pitch === null ? "Rest" : "Chord", tick, nominal: value, tuplet };
                this.put(track, element);
                if (pitch !== null) {
                    element.notes = [{ pitch, tpc: defaultTpc(pitch), tie: null, chord: element }];
                    if (last) {
                        last.notes[0].tie = { end: element.notes[0] };
                        isTied = true;
                    }
                    last = element;
                }
                tick += this.lengthOf(element);
            }
            left -= gap;
            if (left > EPSILON) {
                insist(this.measureAt(tick), "the score ends");
                if (track % VOICES) {
                    this.expandVoice(track, tick);
                }
                tuplet = (this.at(track, tick) || {}).tuplet || null;
            }
        }
        this.input.tick = this.measureAt(tick) ? tick : null;
        if (isTied) {
            this.connectTies();
        }
        this.lastWritten = last;
    }

    connectTies() {
        this.tracks.forEach((list) => list.forEach((chord, i) => {
            for (const note of chord.notes || []) {
                if (note.tie && !note.tie.end) {
                    const next = list[i + 1];
                    const end = next && next.notes && next.notes.find((n) => n.pitch === note.pitch);
                    note.tie = end ? { end } : null;
                }
            }
        }));
    }

    // ---- what plugins see ----

    get firstMeasure() {
        return wrapMeasure(this, 0);
    }

    get lastSegment() {
        const last = this.measures[this.measures.length - 1];
        return { tick: last.start + last.length };
    }

    get parts() {
        return [{ startTrack: 0, endTrack: this.ntracks, longName: "Piano", partName: "Piano", midiProgram: 0, hasDrumStaff: false }];
    }

    get spanners() {
        insist(this.features.version >= 40600, "no spanners before 4.6");
        return [{ name: "Ottava", track: 0, ottavaType: 0, spannerTick: fractionOf(this.ottava || 0),
            spannerTicks: fractionOf(this.ottava === undefined ? 0 : DIVISION) }];
    }

    get selection() {
        const score = this;
        return {
            get elements() { return score.selected; },
            isRange: score.selected.length > 0,
            clear() { score.selected = []; },
            select(element, add) { score.selected = add ? [...score.selected, element] : [element]; }
        };
    }

    newCursor() {
        return new FakeCursor(this);
    }

    startCmd() {
        insist(!this.isOpen, "a command is open already");
        this.isOpen = true;
        this.before = JSON.stringify(dump(this));
        this.kept = { measures: this.measures.slice(), tracks: this.tracks.map((list) => list.map(copyOf)) };
    }

    endCmd(rollback) {
        insist(this.isOpen, "no command is open");
        this.isOpen = false;
        if (rollback) {
            this.measures = this.kept.measures;
            this.tracks = this.kept.tracks;
        } else {
            this.undoSteps++;
        }
    }

    appendMeasures(count) {
        insist(this.isOpen, "a change outside a command");
        const { numerator, denominator } = this.measures[this.measures.length - 1].nominal;
        for (let i = 0; i < count; i++) {
            this.addMeasure([numerator, denominator]);
        }
    }
}

function copyOf(element) {
    return { ...element, notes: element.notes && element.notes.map((n) => ({ ...n })) };
}

function defaultTpc(pitch) {
    return [14, 21, 16, 11, 18, 13, 20, 15, 22, 17, 12, 19][pitch % 12];
}

class FakeCursor {
    constructor(score) {
        this.host = score;
        this.place = null;
        this.isSynchronous = !!score.features.rewindToTick; // from 3.5 a cursor and the score's input are one
        this.filter = CHORD_REST;
        this.ownTrack = 0;
        const features = score.features;
        if (features.addRest) {
            this.addRest = () => score.write(null);
        }
        if (features.addTuplet) {
            this.addTuplet = (ratio, length) => this.makeTuplet(ratio, length);
        }
        if (features.rewindToTick) {
            this.rewindToTick = (tick) => this.moveTo(tick);
        }
    }

    get tick() { return this.position === null ? 0 : Math.round(this.position); }
    get position() { return this.isSynchronous ? this.host.input.tick : this.place; }
    set position(tick) {
        this.place = tick;
        this.host.input.tick = tick;
        this.host.input.track = this.ownTrack;
    }

    get segment() { return this.position === null ? null : { tick: Math.round(this.position) }; }
    get element() { return this.position === null ? null : wrapElement(this.host, this.host.at(this.ownTrack, this.position)); }
    get track() { return this.ownTrack; }
    set track(track) {
        insist(track >= 0 && track < this.host.ntracks, "no track " + track);
        this.ownTrack = track;
        this.host.input.track = track;
    }

    get staffIdx() { return Math.floor(this.ownTrack / VOICES); }
    get keySignature() { return 0; }
    get tempo() { return 2; }

    stops() {
        if (this.filter === KEY_SIG) {
            return [0];
        }
        return this.host.tracks[this.ownTrack].map((e) => e.tick);
    }

    moveTo(tick) {
        const stop = this.stops().find((at) => at >= tick - 1);
        this.position = stop === undefined ? null : stop;
    }

    rewind(mode) {
        if (mode === 0) {
            this.moveTo(0);
        } else if (this.host.range) {
            this.position = mode === 1 ? this.host.range.start : this.host.range.end;
            this.track = mode === 1 ? this.host.range.startStaff * VOICES : this.host.range.endStaff * VOICES - 1;
        }
    }

    next() {
        const stop = this.stops().find((at) => at > this.position + EPSILON);
        this.position = stop === undefined ? null : stop;
        return this.position !== null;
    }

    nextMeasure() {
        const measure = this.host.measureAt(this.position);
        const next = this.host.measures[this.host.measures.indexOf(measure) + 1];
        this.position = next ? next.start : null;
        return !!next;
    }

    setDuration(z, n) {
        insist(VALUES.some((value) => same(value, (WHOLE * z) / n)), z + "/" + n + " is no note value");
        this.host.input.duration = (WHOLE * z) / n;
    }

    addNote(pitch) {
        insist(pitch >= 0 && pitch <= 127, "pitch " + pitch);
        this.host.write(pitch);
    }

    makeTuplet(ratio, length) {
        const score = this.host;
        const { track, tick } = score.input;
        insist(score.isOpen, "a change outside a command");
        const measure = score.measureAt(tick);
        const ticks = (WHOLE * length.numerator) / length.denominator;
        insist(tick + ticks <= measure.start + measure.length + EPSILON, "a tuplet across a barline");
        const base = ticks / ratio.denominator;
        insist(VALUES.includes(base) || VALUES.some((v) => same(v, base)), "a tuplet of " + base + " ticks");
        if (track % VOICES) {
            score.expandVoice(track, tick);
        }
        insist(score.at(track, tick) && !score.at(track, tick).tuplet, "no place for a tuplet");
        score.makeGap(track, tick, ticks, null);
        const tuplet = { actual: ratio.numerator, normal: ratio.denominator, start: tick, length: ticks, base, track };
        for (let i = 0; i < ratio.numerator; i++) {
            score.put(track, { kind: "Rest", tick: tick + (i * ticks) / ratio.numerator, nominal: base, tuplet });
        }
        score.input.duration = base;
    }

    add(element) {
        insist(this.host.isOpen, "a change outside a command");
        insist(this.position !== null, "the cursor is nowhere");
        insist(!element.isOwned, "an element that is part of a score already");
        element.isOwned = true;
        if (element.kind === "TIMESIG") {
            addMeter(this.host, this.position, element.timesig);
        } else {
            this.host.marks.push({ tick: this.position, track: this.ownTrack, element });
        }
    }
}

// Measures from here on get the meter; as in MuseScore only empty ones are asked for here.
function addMeter(score, tick, { numerator, denominator }) {
    const index = score.measures.findIndex((m) => same(m.start, tick));
    insist(index >= 0, "a time signature within a measure");
    const end = score.lastSegment.tick;
    insist(score.tracks.every((list) => list.every((e) => e.tick < tick || e.isMeasure)), "notes would be written anew");
    score.measures.splice(index);
    score.tracks = score.tracks.map((list) => list.filter((e) => e.tick < tick));
    while (score.measures.length === index || score.lastSegment.tick < end) {
        score.addMeasure([numerator, denominator]);
    }
}

function fractionOf(ticks) {
    const n = WHOLE * 16;
    let [a, b] = [Math.round(ticks * 16), n];
    while (b) {
        [a, b] = [b, a % b];
    }
    return { ticks: Math.round(ticks), numerator: Math.round(ticks * 16) / a, denominator: n / a };
}

function wrapMeasure(score, index) {
    const measure = score.measures[index];
    if (!measure) {
        return null;
    }
    return {
        timesigNominal: measure.nominal,
        timesigActual: fractionOf(measure.length),
        get nextMeasure() { return wrapMeasure(score, index + 1); },
        get firstSegment() { return wrapSegment(score, measure, measure.start); }
    };
}

function wrapSegment(score, measure, tick) {
    return {
        name: "Segment", tick: Math.round(tick), segmentType: CHORD_REST,
        elementAt(track) { return wrapElement(score, score.at(track, tick)); },
        get annotations() {
            return score.marks.filter((m) => same(m.tick, tick)).map((m) => ({
                name: { DYNAMIC: "Dynamic", FERMATA: "Fermata", TEMPO_TEXT: "Tempo" }[m.element.kind],
                track: m.track, text: m.element.text, tempo: m.element.tempo
            }));
        },
        get nextInMeasure() {
            const ticks = score.tracks.flat().map((e) => e.tick);
            const later = ticks.filter((at) => at > tick + EPSILON && at < measure.start + measure.length - EPSILON);
            return later.length ? wrapSegment(score, measure, Math.min(...later)) : null;
        }
    };
}

function wrapElement(score, element) {
    if (!element) {
        return null;
    }
    const wrapped = {
        inner: element, name: element.kind, track: element.track, duration: fractionOf(element.nominal),
        get parent() { return wrapSegment(score, score.measureAt(element.tick), element.tick); }
    };
    if (score.features.tuplet) {
        wrapped.tuplet = element.tuplet ? wrapTuplet(score, element.tuplet) : null;
        wrapped.actualDuration = fractionOf(score.lengthOf(element));
    }
    if (element.kind !== "Chord") {
        return wrapped;
    }
    Object.defineProperty(wrapped, "notes", { get: () => element.notes.map((note) => wrapNote(score, note)) });
    wrapped.graceNotes = [];
    wrapped.lyrics = element.lyrics || [];
    if (score.features.articulations) {
        wrapped.articulations = element.articulations || [];
    }
    Object.defineProperty(wrapped, "staffMove", {
        get: () => element.staffMove || 0, set: (move) => { element.staffMove = move; }
    });
    wrapped.add = (added) => addToChord(score, element, added);
    wrapped.remove = (note) => {
        insist(element.notes.length > 1, "the last note of a chord is removed");
        element.notes = element.notes.filter((n) => n !== note.inner);
    };
    return wrapped;
}

function addToChord(score, chord, added) {
    insist(score.isOpen, "a change outside a command");
    insist(!chord.isGone, "a chord that is gone");
    insist(!added.isOwned, "an element that is part of a score already");
    added.isOwned = true;
    if (added.kind === "NOTE") {
        insist(!chord.notes.some((n) => n.pitch === added.pitch), "two notes of one pitch in a chord");
        chord.notes.push({ pitch: added.pitch, tpc: defaultTpc(added.pitch), tie: added.tie || null, chord });
        chord.notes.sort((a, b) => a.pitch - b.pitch);
    } else if (added.kind === "LYRICS") {
        insist(added.track === chord.track, "lyrics need their track");
        chord.lyrics = [...(chord.lyrics || []), added];
    } else {
        insist(added.kind === "ARTICULATION" && added.symbol !== undefined, "a chord cannot hold " + added.kind);
        chord.articulations = [...(chord.articulations || []), added];
    }
}

function wrapTuplet(score, tuplet) {
    return {
        inner: tuplet, name: "Tuplet", actualNotes: tuplet.actual, normalNotes: tuplet.normal, tuplet: null,
        duration: fractionOf(tuplet.length),
        get elements() {
            return score.tracks[tuplet.track].filter((e) => e.tuplet === tuplet).map((e) => wrapElement(score, e));
        }
    };
}

function wrapNote(score, note) {
    const wrapped = {
        inner: note, name: "Note",
        get parent() { return wrapElement(score, note.chord); },
        get pitch() { return note.pitch; },
        get tpc1() { return note.tpc; }, set tpc1(tpc) { note.tpc = tpc; },
        get tpc2() { return note.tpc; }, set tpc2(tpc) { note.tpc = tpc; },
        get tpc() { return note.tpc; },
        clone() { return { kind: "NOTE", pitch: note.pitch, tie: note.tie ? { end: null } : null }; }
    };
    if (score.features.tieForward) {
        wrapped.tieForward = note.tie ? { name: "Tie" } : null;
    }
    return wrapped;
}

// The plugin's root item.
function rootOf(score) {
    const Element = { NOTE: "NOTE", ARTICULATION: "ARTICULATION", LYRICS: "LYRICS", DYNAMIC: "DYNAMIC",
        TEMPO_TEXT: "TEMPO_TEXT", TIMESIG: "TIMESIG", KEYSIG: "KEYSIG", FERMATA: "FERMATA" };
    const root = {
        division: DIVISION, mscoreVersion: score.features.version, curScore: score, Element,
        Segment: { ChordRest: CHORD_REST, KeySig: KEY_SIG },
        fraction: (numerator, denominator) => ({ numerator, denominator }),
        newElement(kind) {
            insist(Object.values(Element).includes(kind), "newElement(" + kind + ")");
            const made = { kind };
            if (kind === "TEMPO_TEXT") {
                let tempo;
                Object.defineProperty(made, "tempo", {
                    get: () => tempo,
                    set(value) { insist(made.isOwned, "3.2 crashes: a tempo before it has a place"); tempo = value; }
                });
            }
            return made;
        },
        removeElement(element) { remove(score, element); },
        cmd(name) {
            insist(["select-all", "escape"].includes(name), "cmd " + name);
            insist(!score.isOpen, "cmd() inside a command ends it");
            insist(score.features.version < 40600, "the user's selection is not touched without need");
            score.selected = name === "select-all" ? everything(score) : [];
        }
    };
    if (score.features.version >= 30500) {
        root.SymId = { articStaccatoAbove: 1, articStaccatoBelow: 2, articAccentAbove: 3, fermataAbove: 9 };
    }
    return root;
}

function remove(score, wrapped) {
    insist(score.isOpen, "a change outside a command");
    const inner = wrapped.inner;
    if (wrapped.name === "Tuplet") {
        score.tracks[inner.track].filter((e) => e.tuplet === inner).forEach((e) => score.take(e));
        score.rests(inner.track, inner.start, inner.length, null);
        return;
    }
    insist(!inner.isGone, "an element that is gone");
    insist(inner.kind === "Chord" || inner.track % VOICES, "a rest of the first voice is removed");
    score.take(inner);
    if (inner.kind === "Chord") {
        const measure = score.measureAt(inner.tick);
        const isMeasure = same(inner.tick, measure.start) && same(inner.nominal, measure.length);
        score.put(inner.track, { kind: "Rest", tick: inner.tick, nominal: inner.nominal, tuplet: inner.tuplet, isMeasure });
    }
}

function everything(score) {
    const found = [];
    score.tracks.forEach((list) => list.forEach((chord) => {
        found.push({ ...wrapElement(score, chord) });
        for (const note of chord.notes || []) {
            found.push(wrapNote(score, note));
            if (note.tie) {
                found.push({ name: "Tie", track: chord.track, parent: wrapNote(score, note) });
            }
        }
        for (const articulation of chord.articulations || []) {
            found.push({ name: "Articulation", track: chord.track, symbol: articulation.symbol, parent: wrapElement(score, chord) });
        }
    }));
    return found;
}

// What stands in the score, for comparing: [track, tick, value, pitches, ties, tuplet].
function dump(score) {
    return score.tracks.flatMap((list, track) => list.map((e) => [
        track, Math.round(e.tick), e.nominal, (e.notes || []).map((n) => n.pitch), (e.notes || []).map((n) => !!n.tie),
        e.tuplet ? [e.tuplet.actual, e.tuplet.normal] : null
    ]));
}

module.exports = { FakeScore, rootOf, dump, VERSIONS };

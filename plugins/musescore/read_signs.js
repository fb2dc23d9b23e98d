// What holds for whole measures: their lengths, meters, keys, tempos and dynamics.

.import "symbols.js" as Symbols

var KEY_WINDOW = 4096; // a key signature is looked for at most so often

function empty() {
    return { starts: [], isRegular: true, pickup: 0, meters: [], keys: [], tempos: [], dynamics: [], lastLength: 0 };
}

// Takes over a measure's length and meter, and what stands on its segments.
function readMeasure(walk, measure, extent) {
    var signs = walk.signs;
    var range = walk.range;
    var start = Math.max(extent.start, range.startTick) - range.startTick;
    var end = Math.min(extent.end, range.endTick) - range.startTick;
    var nominal = measure.timesigNominal;
    var full = (nominal.numerator * 4 * walk.api.division) / nominal.denominator;
    var before = signs.meters.length ? signs.meters[signs.meters.length - 1] : null;
    if (!before || before.numerator !== nominal.numerator || before.denominator !== nominal.denominator) {
        signs.meters.push({ tick: start, numerator: nominal.numerator, denominator: nominal.denominator });
    }
    if (!signs.starts.length && end - start < full) {
        signs.pickup = end - start;
    } else if (end - start !== full && !(end - start < full && extent.end >= range.endTick && extent.end > range.endTick)) {
        signs.isRegular = false;
    }
    signs.starts.push(start);
    for (var segment = measure.firstSegment; segment; segment = segment.nextInMeasure) {
        if (segment.tick >= range.startTick && segment.tick < range.endTick) {
            readAnnotations(walk, segment);
        }
    }
}

function readAnnotations(walk, segment) {
    var annotations = segment.annotations;
    for (var i = 0; i < annotations.length; i++) {
        var element = annotations[i];
        var tick = segment.tick - walk.range.startTick;
        if (element.name === "Dynamic") {
            addDynamic(walk, element, tick);
        } else if (element.name === "Tempo" || element.name === "TempoText") {
            addTempo(walk, tick, element.tempo * 60);
        }
    }
}

function addDynamic(walk, element, tick) {
    var staff = Math.floor(element.track / 4);
    var place = placeOf(walk, staff);
    var mark = place ? Symbols.dynamicOf(element.text) : null;
    if (mark) {
        walk.signs.dynamics.push({ tick: tick, mark: mark, part: place.part, staff: place.staff });
    } else if (place) {
        walk.warnings.dynamic = (walk.warnings.dynamic || 0) + 1;
    }
}

function addTempo(walk, tick, quarters_per_minute) {
    var tempos = walk.signs.tempos;
    if (quarters_per_minute >= 1 && quarters_per_minute <= 10000 && !(tempos.length && tempos[tempos.length - 1].tick === tick)) {
        tempos.push({ tick: tick, quarters_per_minute: Math.round(quarters_per_minute * 1000) / 1000 });
    }
}

// Part and staff, as the document counts them, of a staff of the score; null where it is not selected.
function placeOf(walk, staff) {
    for (var i = 0; i < walk.parts.length; i++) {
        var part = walk.parts[i];
        if (staff >= part.firstStaff && staff < part.firstStaff + part.item.staves) {
            return { part: i, staff: staff - part.firstStaff + 1 };
        }
    }
    return null;
}

// The keys, and the tempo that is in force where the range begins.
function finish(walk) {
    var cursor = walk.score.newCursor();
    cursor.filter = walk.api.Segment.KeySig;
    cursor.track = walk.range.startStaff * 4;
    cursor.rewind(0);
    var shift = transposition(walk);
    var keys = walk.signs.keys;
    for (var i = 0; cursor.segment && cursor.tick < walk.range.endTick && i < KEY_WINDOW; i++) {
        var tick = Math.max(0, cursor.tick - walk.range.startTick);
        var fifths = concertKey(cursor.keySignature - shift);
        if (keys.length && keys[keys.length - 1].tick === tick) {
            keys.pop();
        }
        if (!keys.length || keys[keys.length - 1].fifths !== fifths) { // what says nothing new is left out
            keys.push({ tick: tick, fifths: fifths, mode: "" });
        }
        cursor.next();
    }
    if (!keys.length || keys[0].tick > 0) {
        keys.unshift({ tick: 0, fifths: concertKey(-shift), mode: "" }); // without a key signature
    }
    if (!walk.signs.tempos.length || walk.signs.tempos[0].tick > 0) {
        walk.signs.tempos.unshift({ tick: 0, quarters_per_minute: Math.round(tempoAtStart(walk) * 1000) / 1000 });
    }
}

function tempoAtStart(walk) {
    var cursor = walk.score.newCursor();
    cursor.rewind(0);
    var quarters_per_minute = cursor.tempo * 60;
    while (cursor.segment && cursor.tick <= walk.range.startTick) {
        quarters_per_minute = cursor.tempo * 60;
        if (!cursor.nextMeasure()) {
            break;
        }
    }
    return quarters_per_minute >= 1 ? quarters_per_minute : 120;
}

// Fifths that the first staff's written key is above its sounding one.
function transposition(walk) {
    return walk.fifthsUp || 0;
}

function concertKey(fifths) {
    return fifths > 7 ? fifths - 12 : fifths < -7 ? fifths + 12 : fifths;
}

// What hangs on notes but cannot be reached from them in every version: ties, articulations and octave lines.
//
// A cursor reaches chords, rests and what stands on segments. Before 4.6 the way to articulations, and before 3.3 the
// way to ties, is the list of selected elements; so is the way to octave lines in all versions.

.import "symbols.js" as Symbols

var OTTAVA_SEMITONES = [12, -12, 24, -24, 36, -36]; // by MuseScore's `ottavaType`

// Gathers the marks of the selection, or of the score, in slices: {next(until_ms), marks}.
//
// marks.ties          {key: true} of the notes that a tie begins at
// marks.articulations {key of a chord: [protocol names]}
// marks.ottavas       [{staff, start, end, semitones}]
function gatherer(api, score) {
    var elements = api.mscoreVersion >= 40600 ? score.spanners : score.selection ? score.selection.elements : [];
    var count = elements.length;
    var at = 0;
    var marks = { ties: {}, articulations: {}, ottavas: [], count: count };
    return {
        marks: marks,
        next: function (until_ms) {
            while (at < count) {
                gather(api, elements[at], marks);
                at++;
                if (at % 64 === 0 && Date.now() >= until_ms) {
                    break;
                }
            }
            return count ? at / count : 1;
        }
    };
}

function gather(api, element, marks) {
    var kind = element.name;
    if (kind === "Tie" && element.parent && element.parent.name === "Note") {
        var chord = element.parent.parent;
        if (chord && chord.parent && chord.parent.name === "Segment") {
            marks.ties[noteKey(chord.parent.tick, chord.track, element.parent.pitch)] = true;
        }
    } else if (kind === "Articulation" || kind === "Ornament") {
        addArticulation(api, element, marks);
    } else if (kind === "Ottava" && OTTAVA_SEMITONES[element.ottavaType] !== undefined) {
        marks.ottavas.push({
            staff: Math.floor(element.track / 4),
            start: ticksOf(element.spannerTick),
            end: ticksOf(element.spannerTick) + ticksOf(element.spannerTicks),
            semitones: OTTAVA_SEMITONES[element.ottavaType]
        });
    }
}

function addArticulation(api, element, marks) {
    var chord = element.parent;
    if (!chord || !chord.parent || chord.parent.name !== "Segment") {
        return; // of a grace note
    }
    var key = chordKey(chord.parent.tick, chord.track);
    marks.articulations[key] = (marks.articulations[key] || []).concat(Symbols.articulationsOf(api, element.symbol));
}

// Semitones that octave lines add to what is written at this place.
function ottavaAt(marks, staff, tick) {
    for (var i = 0; i < marks.ottavas.length; i++) {
        var line = marks.ottavas[i];
        if (line.staff === staff && line.start <= tick && tick < line.end) {
            return line.semitones;
        }
    }
    return 0;
}

function chordKey(tick, track) {
    return tick + ":" + track;
}

function noteKey(tick, track, pitch) {
    return tick + ":" + track + ":" + pitch;
}

function ticksOf(fraction) {
    return fraction && fraction.ticks !== undefined ? fraction.ticks : Number(fraction) || 0;
}

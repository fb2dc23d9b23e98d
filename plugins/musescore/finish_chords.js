// What a chord gets after its first note: the other notes, ties, spelling, articulations and lyrics.

.import "spelling.js" as Spelling
.import "symbols.js" as Symbols
.import "write_track.js" as WriteTrack

var SYLLABIC = { single: 0, begin: 1, end: 2, middle: 3 };
var ORNAMENTS = ["trill-mark", "turn", "inverted-turn", "mordent", "inverted-mordent"];
var USER_VELOCITY = 1; // MuseScore's number of "velocity as it is given"

// Completes the chord that stands where `item` of write_track.js was written.
function finish(api, item, element, template, warnings) {
    addNotes(api, item, element, template, warnings);
    if (item.chord.move) {
        element.staffMove = item.chord.move;
    }
    if (item.isFirst) {
        addArticulations(api, item, element, warnings);
        addLyrics(api, item, element);
    }
}

function addNotes(api, item, element, template, warnings) {
    var notes = item.chord.notes;
    var writtenPitch = WriteTrack.writtenPitch(item);
    for (var i = 0; i < notes.length; i++) {
        var isTied = WriteTrack.isTied(item, notes[i]);
        if (isTied && !template) {
            warnings.tie = (warnings.tie || 0) + 1;
        }
        if (notes[i].pitch !== writtenPitch) {
            var note = isTied && template ? template.note() : api.newElement(api.Element.NOTE);
            note.pitch = notes[i].pitch;
            element.add(note);
        }
        dress(withPitch(element, notes[i].pitch), notes[i]);
    }
    if (!WriteTrack.isWanted(item, writtenPitch)) {
        element.remove(withPitch(element, writtenPitch));
    }
}

function withPitch(element, pitch) {
    for (var i = 0; i < element.notes.length; i++) {
        if (element.notes[i].pitch === pitch) {
            return element.notes[i];
        }
    }
    return null;
}

// Spelling and velocity.
function dress(note, item) {
    var tpc = Spelling.tpcOf(item);
    if (note && tpc !== null && note.tpc1 !== tpc) {
        var up = note.tpc2 - note.tpc1; // of a transposing instrument
        note.tpc1 = tpc;
        if (tpc + up >= Spelling.LOWEST_TPC && tpc + up <= Spelling.HIGHEST_TPC) {
            note.tpc2 = tpc + up;
        }
    }
    if (note && item.velocity && note.veloOffset !== undefined) {
        note.veloType = USER_VELOCITY;
        note.veloOffset = item.velocity;
    }
}

function addArticulations(api, item, element, warnings) {
    var names = [];
    item.chord.notes.forEach(function (note) {
        (note.articulations || []).forEach(function (name) {
            if (names.indexOf(name) < 0 && name !== "fermata") {
                names.push(name);
            }
        });
    });
    names.forEach(function (name) {
        var symbol = Symbols.symbolOf(api, name);
        if (symbol === null) {
            warnings.articulation = (warnings.articulation || 0) + 1;
            return;
        }
        var isOrnament = ORNAMENTS.indexOf(name) >= 0 && api.Element.ORNAMENT !== undefined; // 4.2 tells them apart
        var articulation = api.newElement(isOrnament ? api.Element.ORNAMENT : api.Element.ARTICULATION);
        articulation.symbol = symbol;
        articulation.track = element.track;
        element.add(articulation);
    });
}

function addLyrics(api, item, element) {
    item.chord.notes.forEach(function (note) {
        (note.lyrics || []).forEach(function (lyric) {
            var element_ = api.newElement(api.Element.LYRICS);
            element_.text = Symbols.rich(lyric.text);
            element_.verse = (lyric.verse || 1) - 1;
            element_.syllabic = SYLLABIC[lyric.syllabic] || 0;
            element_.track = element.track;
            element.add(element_);
        });
    });
}

// The notes of one measure: chords, grace notes and tuplets of every voice.

.import "marks.js" as Marks
.import "read_signs.js" as ReadSigns
.import "spelling.js" as Spelling
.import "symbols.js" as Symbols
.import "tuplets.js" as Tuplets

var VOICES = 4;
var ACCIACCATURA = 1;
var FIRST_GRACE_AFTER = 32; // `noteType` of grace notes that follow their chord
var SYLLABIC = ["single", "begin", "end", "middle"]; // by MuseScore's number
var VERSES = 99;

function readMeasure(walk, measure, extent) {
    var tracks = chordsByTrack(walk, measure);
    for (var track in tracks) {
        readVoice(walk, tracks[track], Number(track), extent);
    }
}

// {track: [{element, tick}]} of the range's chords and rests.
function chordsByTrack(walk, measure) {
    var first = walk.range.startStaff * VOICES;
    var end = walk.range.endStaff * VOICES;
    var tracks = {};
    for (var segment = measure.firstSegment; segment; segment = segment.nextInMeasure) {
        if (Number(segment.segmentType) !== walk.api.Segment.ChordRest) {
            continue;
        }
        for (var track = first; track < end; track++) {
            var element = segment.elementAt(track);
            if (element) {
                (tracks[track] = tracks[track] || []).push({ element: element, segment: segment, tick: segment.tick });
            }
        }
    }
    return tracks;
}

function readVoice(walk, items, track, extent) {
    var i;
    for (i = 0; i < items.length; i++) {
        items[i].nominal = Marks.ticksOf(items[i].element.duration);
        items[i].next = i + 1 < items.length ? items[i + 1].tick : extent.end;
    }
    var hasTuplets = items[0].element.tuplet !== undefined;
    var tuplets = hasTuplets ? null : Tuplets.infer(items, walk.api.division, track % VOICES === 0);
    for (i = 0; i < items.length; i++) {
        var item = items[i];
        if (item.tick < walk.range.startTick || item.tick >= walk.range.endTick) {
            continue;
        }
        item.tuplet = hasTuplets ? toldTuplet(walk, item) : tuplets[i];
        if (item.element.name === "Chord") {
            readChord(walk, item, track);
        } else {
            giveGraces(walk, item.tick, track);
        }
    }
}

// The tuplet as the version tells it; tuplets inside tuplets become one, of the product of their ratios.
function toldTuplet(walk, item) {
    var inner = item.element.tuplet;
    if (!inner) {
        return null;
    }
    var actual = 1;
    var normal = 1;
    for (var tuplet = inner; tuplet; tuplet = tuplet.tuplet) {
        actual *= tuplet.actualNotes;
        normal *= tuplet.normalNotes;
    }
    if (actual !== inner.actualNotes) {
        walk.warnings.nested_tuplet = (walk.warnings.nested_tuplet || 0) + 1;
    }
    var type = Tuplets.typeOf(Marks.ticksOf(inner.duration) / inner.normalNotes, walk.api.division);
    return type === null ? null : { actual: actual, normal: normal, type: type, tick: firstTick(inner) };
}

function firstTick(tuplet) {
    var element = tuplet.elements[0];
    while (element.elements && element.name === "Tuplet") {
        element = element.elements[0];
    }
    return element.parent.tick;
}

function readChord(walk, item, track) {
    var chord = item.element;
    var graces = chord.graceNotes;
    var later = [];
    var i;
    for (i = 0; i < graces.length; i++) {
        var kind = Number(graces[i].noteType);
        (kind >= FIRST_GRACE_AFTER ? later : pendingAt(walk, track)).push(graces[i]);
    }
    giveGraces(walk, item.tick, track);
    var common = commonOf(walk, item, track);
    var articulations = articulationsOf(walk, item, track);
    var lyrics = lyricsOf(walk, chord);
    for (i = 0; i < chord.notes.length; i++) {
        var note = noteOf(walk, chord.notes[i], item.tick, track, common);
        note.articulations = i === 0 ? articulations : [];
        note.lyrics = i === 0 ? lyrics : [];
        note.tie_start = isTied(walk, chord.notes[i], item.tick, track);
        walk.notes.push(note);
    }
    for (i = 0; i < later.length; i++) {
        pendingAt(walk, track).push(later[i]); // they stand before whatever comes next
    }
}

function pendingAt(walk, track) {
    return walk.pendingGraces[track] || (walk.pendingGraces[track] = []);
}

// Puts the grace notes that wait in this voice before the chord or rest at `tick`.
function giveGraces(walk, tick, track) {
    var graces = walk.pendingGraces[track];
    delete walk.pendingGraces[track];
    for (var order = 0; graces && order < graces.length; order++) {
        var chord = graces[order];
        var common = commonOf(walk, { element: chord, tick: tick, tuplet: null, nominal: Marks.ticksOf(chord.duration) }, track);
        common.grace = Number(chord.noteType) === ACCIACCATURA ? "acciaccatura" : "appoggiatura";
        common.order = Math.min(order, 99);
        for (var i = 0; i < chord.notes.length; i++) {
            walk.notes.push(noteOf(walk, chord.notes[i], tick, track, common));
        }
    }
}

function commonOf(walk, item, track) {
    var staff = Math.floor(track / VOICES);
    var place = ReadSigns.placeOf(walk, staff);
    var tuplet = item.tuplet;
    var end = item.tick + item.nominal;
    if (tuplet) {
        end = item.tick + Math.round((item.nominal * tuplet.normal) / tuplet.actual);
    }
    var common = {
        tick: item.tick - walk.range.startTick,
        duration: Math.max(1, end - item.tick),
        part: place.part, staff: place.staff, staff_move: staffMove(walk, item.element, place),
        voice: (track % VOICES) + 1, grace: "", order: 0, tuplet: null
    };
    if (tuplet) {
        common.tuplet = {
            actual: tuplet.actual, normal: tuplet.normal, type: tuplet.type,
            tick: Math.max(0, tuplet.tick - walk.range.startTick)
        };
    }
    return common;
}

// How many staves below its own a chord is drawn, where that staff is selected too.
function staffMove(walk, chord, place) {
    var move = Number(chord.staffMove) || 0;
    var shown = place.staff + move;
    return shown >= 1 && shown <= walk.parts[place.part].item.staves ? move : 0;
}

function noteOf(walk, note, tick, track, common) {
    var semitones = Marks.ottavaAt(walk.marks, Math.floor(track / VOICES), tick);
    var pitch = note.pitch;
    var name = Spelling.named(pitch, note.tpc1);
    if (walk.fifthsUp === undefined && Math.floor(track / VOICES) === walk.range.startStaff) {
        walk.fifthsUp = note.tpc === note.tpc1 ? 0 : note.tpc2 - note.tpc1;
    }
    var item = {
        pitch: Math.max(0, Math.min(127, pitch + semitones)), step: null, alter: 0, octave: null,
        velocity: null, tie_start: false, tie_stop: false, articulations: [], lyrics: []
    };
    for (var key in common) {
        item[key] = common[key];
    }
    if (name && Math.abs(name.alter) <= 2) {
        item.step = name.step;
        item.alter = name.alter;
        item.octave = name.octave + semitones / 12;
    }
    return item;
}

function isTied(walk, note, tick, track) {
    if (note.tieForward !== undefined) {
        return note.tieForward !== null && note.tieForward.name === "Tie";
    }
    return walk.marks.ties[Marks.noteKey(tick, track, note.pitch)] === true;
}

function articulationsOf(walk, item, track) {
    var found = (walk.marks.articulations[Marks.chordKey(item.tick, track)] || []).slice();
    var told = item.element.articulations; // from 4.6 on
    for (var i = 0; told && i < told.length; i++) {
        found = found.concat(Symbols.articulationsOf(walk.api, told[i].symbol));
    }
    var annotations = item.segment.annotations;
    for (var k = 0; k < annotations.length; k++) {
        if (annotations[k].name === "Fermata" && annotations[k].track === track) {
            found.push("fermata");
        }
    }
    return found.filter(function (name, at) { return found.indexOf(name) === at; });
}

function lyricsOf(walk, chord) {
    var lyrics = [];
    for (var i = 0; chord.lyrics && i < chord.lyrics.length; i++) {
        var text = Symbols.plain(chord.lyrics[i].text);
        var verse = (Number(chord.lyrics[i].verse) || 0) + 1;
        if (text && verse <= VERSES) {
            lyrics.push({ text: text, verse: verse, syllabic: SYLLABIC[Number(chord.lyrics[i].syllabic)] || "single" });
        }
    }
    return lyrics;
}

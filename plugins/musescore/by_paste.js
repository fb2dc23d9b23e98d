// Inserting a file by the clipboard, in MuseScore 3: what its cursor cannot make comes along, and from MusicXML so do
// slurs, hairpins and the like. Pasting ends the open command, so all is still one undo step if it comes last.

.import "layout.js" as Layout
.import "signatures.js" as Signatures
.import "tuplets.js" as Tuplets

var MOST_TABS = 64;
var MARKER_PITCH = 60;
var MORE = /<(slur|wedge|dashes|pedal|harmony|words|arpeggiate|non-arpeggiate|tremolo|glissando|slide|fingering|rehearsal)\b/;

// Whether these notes come out better this way: grace notes, and what the cursor cannot do at all.
function isBetter(api, score, sorted) {
    return isPossible(api) && (sorted.graces > 0 || isNeeded(api, score, sorted));
}

// Whether the cursor fails at these notes: tuplets before 3.5, to write or to replace.
function isNeeded(api, score, sorted) {
    return isPossible(api) && typeof score.newCursor().addTuplet !== "function" &&
        (sorted.tuplets > 0 || hasTuplets(api, score, sorted));
}

function isPossible(api) {
    return api.mscoreVersion < 40000 && typeof api.readScore === "function";
}

// Whether there are tuplets in the place that is written to.
function hasTuplets(api, score, sorted) {
    var measures = Layout.measuresOf(score);
    var found = false;
    for (var i = Layout.indexAt(measures, sorted.start); i < measures.length && measures[i].start < sorted.end; i++) {
        for (var track = sorted.startStaff * Layout.VOICES; track < sorted.endStaff * Layout.VOICES; track++) {
            found = found || trackHasTuplets(api, measures[i], track);
        }
    }
    return found;
}

function trackHasTuplets(api, measure, track) {
    var items = [];
    Layout.visit(api, measure.measure, [track], function (segment, element) {
        if (items.length) {
            items[items.length - 1].next = segment.tick;
        }
        items.push({ tick: segment.tick, nominal: element.duration.ticks, next: measure.end });
    });
    return Tuplets.infer(items, api.division, track % Layout.VOICES === 0).some(function (tuplet) { return tuplet; });
}

// Whether MusicXML has signs that can be pasted, and that a notes document has not.
function hasMore(musicxml) {
    return MORE.test(musicxml);
}

// Puts the whole score of a file on the clipboard. Throws an Error where it cannot be opened.
function copy(api, score, path) {
    var own = score.scoreName;
    var source = api.readScore(path, true);
    if (!source) {
        throw new Error("MuseScore cannot open " + path);
    }
    var name = source.scoreName;
    if (tabsOf(api, name) > 1) {
        api.closeScore(source);
        throw new Error("A score called " + name + " is open already; close it and try again.");
    }
    show(api, name);
    api.cmd("select-all");
    api.cmd("copy");
    api.closeScore(source);
    show(api, own);
    return true;
}

function tabsOf(api, name) {
    var count = 0;
    for (var i = 0; i < api.scores.length; i++) {
        count += api.scores[i].scoreName === name ? 1 : 0;
    }
    return count;
}

// Brings the tab of a score to the front.
function show(api, name) {
    for (var i = 0; i < MOST_TABS && api.curScore.scoreName !== name; i++) {
        api.cmd("next-score");
    }
    if (api.curScore.scoreName !== name) {
        throw new Error("MuseScore does not show the score " + name);
    }
}

// Pastes what `copy` has put on the clipboard. The command is closed then.
function insert(api, score, document, sorted, options, warnings) {
    var seeker = Layout.seeker(score);
    var scale = api.division / (document.ticks_per_quarter || 480);
    if (options.signatures !== false) {
        Signatures.addMeters(api, score, seeker, document, sorted, scale, warnings);
    }
    Layout.lengthen(score, sorted.end);
    if (options.signatures !== false) {
        Signatures.addKeys(api, score, seeker, document, sorted, scale, warnings);
    }
    seeker.restart();
    seeker.seek(sorted.start, sorted.startStaff * Layout.VOICES);
    seeker.cursor.setDuration(1, 64); // short enough to lie in one measure
    seeker.cursor.addNote(MARKER_PITCH); // what was added last is selected, and pasting goes there
    api.cmd("paste");
}

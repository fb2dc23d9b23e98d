// Inserting a `notes` document into a score, as one undo step.
//
//     var writing = WriteNotes.writer(root, curScore, document, Selection.place(root, curScore), {musicxml: path});
//     in a Timer: var state = writing.next(30); …
//
// `writer(api, score, document, place, options)` -> {next, warnings}
//   next(budget_ms) -> {done, fraction, stage}: `stage` is "preparing", then "writing", then "done". The call that
//                      finds the stage "writing" inserts everything at once, because a command that stays open
//                      between two ticks would be ended by whatever the user does meanwhile. So show "writing"
//                      before calling `next` again. If anything goes wrong there, the command is rolled back and
//                      `next` throws an Error: the score is as it was. The Error's `code` is "needs_musicxml" where
//                      this version can insert such notes from MusicXML alone and `options.musicxml` was not given.
//   warnings()      -> what could not be carried, as [{code, count}].
// `writeNotes(api, score, document, place, options)` -> warnings, in one go.
//
// place   {tick, staff} as `Selection.place` gives it: the document's tick 0, and the staff of its first part.
// options {signatures: true}: also insert the document's time and key signatures and its tempo marks.
//         {files: {read(path) -> text, write(text) -> path, remove(path)}}: `write` makes a file that MuseScore can open.
//         MuseScore 3 pastes from there what its cursor cannot make: tuplets before 3.5, grace notes in all of 3.x
//         (which are left out without it). 4.x does not use it.
//         {musicxml: path}: the same notes as MusicXML, which are pasted instead where they have signs that a document
//         has not (slurs, hairpins, pedal), or where there is no `files`. MuseScore takes long to open MusicXML.

.import "by_cursor.js" as ByCursor
.import "by_paste.js" as ByPaste
.import "layout.js" as Layout
.import "write_mscx.js" as WriteMscx
.import "write_plan.js" as WritePlan

function writeNotes(api, score, document, place, options) {
    var writing = writer(api, score, document, place, options);
    while (!writing.next(1000).done) { /* until it is */ }
    return writing.warnings();
}

function writer(api, score, document, place, options) {
    var work = {
        api: api, score: score, document: document, place: place, options: options || {}, warnings: {}, stage: "preparing"
    };
    return {
        next: function (budget_ms) {
            if (work.stage === "preparing") {
                work.stage = prepare(work, Date.now() + budget_ms) ? "writing" : "preparing";
            } else if (work.stage === "writing") {
                write(work);
                work.stage = "done";
            }
            return {
                done: work.stage === "done", stage: work.stage,
                fraction: work.stage === "done" ? 1 : work.stage === "writing" ? 0.2 : 0
            };
        },
        warnings: function () { return listed(work.warnings); }
    };
}

// Sorts the document into tracks of this score, and where they are pasted makes the text; returns whether that is done.
function prepare(work, until_ms) {
    if (!work.isPlanned && !plan(work, until_ms)) {
        return false;
    }
    if (!work.mscx) {
        return true;
    }
    if (!work.mscx.next(until_ms)) {
        return false;
    }
    work.mscx = work.mscx.isWhole() ? work.mscx : null;
    return true;
}

function plan(work, until_ms) {
    work.planning = work.planning || WritePlan.planner(work.document, contextOf(work));
    if (!work.planning.next(until_ms)) {
        return false;
    }
    work.sorted = work.planning.sorted;
    work.sorted.startStaff = work.place.staff;
    work.sorted.endStaff = Math.min(work.place.staff + stavesOf(work.document), work.score.nstaves);
    for (var code in work.sorted.warnings) {
        work.warnings[code] = work.sorted.warnings[code];
    }
    work.isPlanned = true;
    if (work.options.files && ByPaste.isBetter(work.api, work.score, work.sorted) && !hasMore(work)) {
        work.mscx = WriteMscx.writer(work.api, work.sorted, work.document, work.options);
    }
    return Date.now() < until_ms;
}

// Whether the MusicXML has signs that a document has not.
function hasMore(work) {
    return !!work.options.musicxml && ByPaste.hasMore(work.options.files.read(work.options.musicxml));
}

// Where the document goes: its barlines on the score's where its first measure is not full.
function contextOf(work) {
    var document = work.document;
    var scale = work.api.division / (document.ticks_per_quarter || 480);
    var context = {
        division: work.api.division, tick: work.place.tick, staff: work.place.staff, staves: work.score.nstaves
    };
    var measures = Layout.measuresOf(work.score);
    var measure = measures[Layout.indexAt(measures, context.tick)];
    var left = measure.end - context.tick;
    if (document.pickup && context.tick === measure.start && left > document.pickup * scale) {
        context.tick += left - document.pickup * scale;
    }
    return context;
}

function stavesOf(document) {
    var staves = 0;
    for (var i = 0; i < (document.parts || []).length; i++) {
        staves += document.parts[i].staves || 1;
    }
    return Math.max(staves, 1);
}

function write(work) {
    var pastes = isPasted(work);
    if (!pastes && ByPaste.isNeeded(work.api, work.score, work.sorted)) {
        var error = new Error("These notes can only be inserted from MusicXML in this version of MuseScore.");
        error.code = "needs_musicxml";
        throw error;
    }
    var copied = pastes ? copy(work) : null;
    work.score.startCmd();
    try {
        if (copied) {
            ByPaste.insert(work.api, work.score, work.document, work.sorted, work.options, work.warnings);
        } else {
            if (work.sorted.graces) {
                work.warnings.grace = work.sorted.graces;
            }
            ByCursor.insert(work.api, work.score, work.document, work.sorted, work.options, work.warnings);
        }
    } catch (error_) {
        work.score.endCmd(true);
        throw error_;
    }
    work.score.endCmd();
}

function isPasted(work) {
    return !!work.mscx || (!!work.options.musicxml && ByPaste.isBetter(work.api, work.score, work.sorted));
}

// Puts the notes on the clipboard, from a file of MuseScore's own format or from MusicXML.
function copy(work) {
    var made = work.mscx ? work.options.files.write(work.mscx.text()) : "";
    try {
        return ByPaste.copy(work.api, work.score, made || work.options.musicxml);
    } finally {
        if (made) {
            work.options.files.remove(made);
        }
    }
}

function listed(counts) {
    var warnings = [];
    for (var code in counts) {
        warnings.push({ code: code, count: counts[code] });
    }
    return warnings;
}

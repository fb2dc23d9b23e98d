// What the dialog says about selections, results and what was left out. ES5; QML and node load it.

// The first tick of every measure, in order: one walk over the score for all that is said about it.
function measureTicks(score) {
    var ticks = [];
    for (var measure = score.firstMeasure; measure; measure = measure.nextMeasure) {
        ticks.push(measure.firstSegment ? measure.firstSegment.tick : 0);
    }
    return ticks;
}

// The measure's number (from 1) at a tick, 0 where the score has no measures.
function measureAt(ticks, tick) {
    var low = 0;
    var high = ticks.length;
    while (low < high) {
        var middle = (low + high) >> 1;
        if (ticks[middle] <= tick) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// "Measures 3–6, staff 1" of what `Selection.describe` gives.
function rangeSentence(ticks, range) {
    var first = measureAt(ticks, range.startTick);
    var last = measureAt(ticks, Math.max(range.startTick, range.endTick - 1));
    if (range.isWhole) {
        return qsTr("The whole score (nothing is selected), %1 measures").arg(last);
    }
    var measures = first === last ? qsTr("Measure %1").arg(first) : qsTr("Measures %1–%2").arg(first).arg(last);
    var lastStaff = range.endStaff;
    var staves = range.startStaff + 1 >= lastStaff ? qsTr("staff %1").arg(range.startStaff + 1) :
        qsTr("staves %1–%2").arg(range.startStaff + 1).arg(lastStaff);
    return measures + ", " + staves;
}

// "from measure 3, staff 1" of what `Selection.place` gives.
function placeSentence(ticks, place) {
    return qsTr("from measure %1, staff %2").arg(Math.max(1, measureAt(ticks, place.tick))).arg(place.staff + 1);
}

function seconds(duration_s) {
    if (duration_s < 60) {
        return qsTr("%1 s").arg(duration_s < 10 ? duration_s.toFixed(1) : Math.round(duration_s));
    }
    return qsTr("%1 min %2 s").arg(Math.floor(duration_s / 60)).arg(Math.round(duration_s % 60));
}

// "Done in 1.2 s by performer → fluidsynth."
function resultSentence(done) {
    var line = done.engine ? qsTr("Done in %1 by %2.").arg(seconds(done.elapsed_s)).arg(done.engine) :
        qsTr("Done in %1.").arg(seconds(done.elapsed_s));
    if (done.noteCount === null) {
        return line;
    }
    var notes = done.noteCount === 1 ? qsTr("1 note is in the score.") : qsTr("%1 notes are in the score.").arg(done.noteCount);
    return notes + " " + line;
}

// What reading and writing by cursor left out or changed; a code that is not here is shown in its own words.
function leftOut() {
    return {
        articulation: qsTr("Articulations that this MuseScore does not let plugins write: %1"),
        dynamic: qsTr("Dynamics that ScoreBridge does not know, left out: %1"),
        grace: qsTr("Grace notes that this MuseScore does not let plugins write: %1"),
        grace_after_last: qsTr("Grace notes behind the last note, left out: %1"),
        lost: qsTr("Notes that are not in the score although they were written: %1"),
        key: qsTr("Key signatures that this MuseScore does not let plugins write: %1"),
        meter: qsTr("Time signatures that do not fall on a barline of the score, left out: %1"),
        nested_tuplet: qsTr("Notes in tuplets within tuplets, read as one tuplet: %1"),
        no_room: qsTr("Notes that found no free voice, left out: %1"),
        staff: qsTr("Notes of a staff that the score lacks, put into its last one: %1"),
        tie: qsTr("Ties that could not be made: %1"),
        tuplet: qsTr("Tuplets across a barline, written as plain notes: %1"),
        voice: qsTr("Notes that went into another voice: %1")
    };
}

// Warnings as sentences: the daemon's own, and [{code, count}] of the cursor's.
function warningSentences(warnings) {
    var words = leftOut();
    return warnings.map(function (warning) {
        if (typeof warning === "string") {
            return warning;
        }
        var sentence = words[warning.code] || qsTr("Not carried over: %1 (%2×)").arg(warning.code.replace(/[_-]/g, " ")).replace("%2", "%1");
        return sentence.arg(warning.count);
    });
}

if (typeof module !== "undefined") {
    require("./qt_words.js");
    module.exports = {
        measureTicks: measureTicks, measureAt: measureAt, rangeSentence: rangeSentence, placeSentence: placeSentence, seconds: seconds,
        resultSentence: resultSentence, leftOut: leftOut, warningSentences: warningSentences
    };
}

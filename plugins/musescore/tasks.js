// What the dialog can do: one entry a task. A new task is a new entry here; a new kind of source or delivery is a
// function of that name in session.js's tables.
//
// id          stable name
// title, about  what the user reads
// source      where the music comes from: "selection" (read by cursor), "file" (a path) or "live" (a session's last bars)
// from, to    the direction, in the words of `welcome.directions`
// targets     formats to ask the daemon for; the first is delivered
// delivery    what is done with the result: "file" (play, open) or "score" (inserted, or a new score)
// engines     steps whose engines the user may choose among, as [from, to]
// prefers     the engine that does it where the user chooses none, if it is ready; else the daemon chooses
// options     names of the protocol's options that matter here, the most asked-for first
// action      the start button's text
// ES5; QML and node load it.

function tasks() {
    return [
        {
            id: "listen", title: qsTr("Hear it"), about: qsTr("The selection as sound"), action: qsTr("Make the sound"),
            source: "selection", from: "notation", to: "audio", targets: ["wav"], delivery: "file", isHeard: true,
            engines: [["performance", "audio"]],
            options: ["instrument", "deadpan", "swing", "loudness", "soundfont", "sample_rate"]
        },
        {
            id: "transcribe", title: qsTr("Write down a recording"), about: qsTr("Sound into notes"),
            action: qsTr("Write it down"), source: "file", fileTitle: qsTr("Recording"),
            from: "audio", to: "notation", targets: ["notes", "musicxml"], delivery: "score", hasBeats: true,
            engines: [["audio", "performance"], ["performance", "notation"]],
            options: ["instrument", "quantise", "split_point", "onset_threshold", "minimum_note", "frame_threshold"]
        },
        {
            id: "read", title: qsTr("Read a page"), about: qsTr("A picture or PDF into notes"), action: qsTr("Read it"),
            source: "file", fileTitle: qsTr("Picture or PDF"),
            from: "image", to: "notation", targets: ["notes", "musicxml"], delivery: "score",
            engines: [["image", "notation"]],
            options: []
        },
        {
            id: "perform", title: qsTr("Play it like a human"), about: qsTr("The selection as expressive MIDI"),
            action: qsTr("Make the MIDI file"),
            source: "selection", from: "notation", to: "performance", targets: ["mid"], delivery: "file", isHeard: true,
            engines: [["notation", "performance"]], prefers: "unified-performer",
            options: ["instrument", "swing", "pedal", "quantise_strength", "quantise"]
        },
        {
            id: "live", title: qsTr("Insert what was just played"), about: qsTr("The last bars of a live session"),
            action: qsTr("Insert it"), source: "live",
            from: "performance", to: "notation", targets: ["notes", "musicxml"], delivery: "score",
            engines: [["performance", "notation"]],
            options: ["last_measures", "quantise", "instrument", "split_point"]
        }
    ];
}

// Whether the daemon can do a task: {isReady, message, hint}, with the daemon's own sentence where it cannot.
function readiness(task, welcome) {
    var direction = directionOf(task.from, task.to, welcome);
    if (!direction) {
        return { isReady: true, message: "", hint: "" }; // not said: the daemon answers when it is asked
    }
    return { isReady: direction.ready, message: direction.reason || "", hint: direction.hint || "" };
}

// Engines that are ready for the steps of a task: [{name, summary}], where there is a choice.
function engineChoices(task, welcome) {
    var found = [];
    task.engines.forEach(function (step) {
        var direction = directionOf(step[0], step[1], welcome);
        var ready = (direction ? direction.engines : []).filter(function (engine) { return engine.ready; });
        if (ready.length > 1) {
            found = found.concat(ready);
        }
    });
    return found;
}

// The options, with the engine that the task prefers where the user chose none and it is ready.
function withPreference(task, welcome, options) {
    var preferred = engineChoices(task, welcome).filter(function (engine) { return engine.name === task.prefers; });
    if (preferred.length && !options.engine) {
        options.engine = task.prefers;
    }
    return options;
}

// Endings of the files that a task can begin with.
function endings(task, welcome) {
    var formats = welcome && welcome.formats ? welcome.formats[task.from] : null;
    return (formats && formats.read) || [];
}

function directionOf(from, to, welcome) {
    var directions = (welcome && welcome.directions) || [];
    for (var i = 0; i < directions.length; i++) {
        if (directions[i].source === from && directions[i].target === to) {
            return directions[i];
        }
    }
    return null;
}

if (typeof module !== "undefined") {
    require("./qt_words.js");
    module.exports = {
        tasks: tasks, readiness: readiness, engineChoices: engineChoices, withPreference: withPreference,
        endings: endings
    };
}

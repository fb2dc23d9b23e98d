// Starting the daemon from within MuseScore, whichever `QProcess` that version has.
//
// `scorebridge plugins install musescore` writes `scorebridge.json` beside the plugin: {client, python, starter,
// connection}. `starter` is a script without arguments that runs `scorebridge serve --detach`, because:
//   3.x      start(line): one command line, split at spaces outside double quotes
//   4.0-4.2  start(program): the line is the program's name, never split
//   4.3+     startWithArgs(program, arguments)
// ES5; QML and node load it.

// Start it; returns "" or a sentence that says why that cannot be.
function start(newProcess, marker, majorVersion) {
    var program = marker.starter || marker.client;
    var words = marker.starter ? [] : ["serve", "--detach"];
    if (!program) {
        return qsTr("The plugin does not know where ScoreBridge is installed.");
    }
    var process = newProcess();
    if (!process) {
        return qsTr("This MuseScore does not let plugins start programs.");
    }
    if (typeof process.startWithArgs === "function") {
        process.startWithArgs(program, words);
    } else if (majorVersion >= 4) {
        process.start(program);
    } else {
        process.start([program].concat(words).map(quoted).join(" "));
    }
    return "";
}

function quoted(word) {
    return '"' + word.replace(/"/g, '"""') + '"';
}

// What the installer wrote beside the plugin; {} where it is missing or broken.
function markerOf(text) {
    try {
        var marker = JSON.parse(text);
        return marker && typeof marker === "object" ? marker : {};
    } catch (error) {
        return {};
    }
}

// Where the connection file may lie: where the installer saw it, and at the daemon's fixed place under the home folder.
function connectionPaths(marker, home) {
    return [marker.connection || "", home + "/.scorebridge/connection.json"];
}

// What the user can do by hand.
function byHand(marker) {
    return qsTr("In a terminal: %1 serve --detach").arg(marker.client || "scorebridge");
}

if (typeof module !== "undefined") {
    require("./qt_words.js");
    module.exports = { start: start, markerOf: markerOf, connectionPaths: connectionPaths, byHand: byHand };
}

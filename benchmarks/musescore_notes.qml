// Reads or writes a score's notes with the plugin's own scripts, in a MuseScore 3 without a window.
//
// request.json  {task: "read" | "write", document, place, options, slice_ms}
// reply.json    {error} or {seconds, cpu_seconds, longest_slice_ms, warnings, document (of reading)}
// score.musicxml is what MuseScore exports then; undone.musicxml what one undo leaves of it.
import QtQuick 2.9
import MuseScore 3.0
import FileIO 3.0
import "@PLUGIN@/read_notes.js" as ReadNotes
import "@PLUGIN@/selection.js" as Selection
import "@PLUGIN@/write_notes.js" as WriteNotes

MuseScore {
    id: root
    version: "1.0"
    description: "ScoreBridge's notes"
    menuPath: "Plugins.ScoreBridge notes"

    FileIO { id: request; source: "@FOLDER@/request.json" }
    FileIO { id: statistics; source: "/proc/self/stat" }
    FileIO { id: reply; source: "@FOLDER@/reply.json" }

    FileIO { id: file }

    onRun: {
        try {
            curScore.endCmd(); // the one that MuseScore has opened around a plugin without a window
            var asked = JSON.parse(request.read());
            var answer = asked.task === "read" ? readAll(asked) : writeAll(asked);
            reply.write(JSON.stringify(answer));
        } catch (error) {
            reply.write(JSON.stringify({ error: String(error) + " " + error.fileName + ":" + error.lineNumber }));
        }
        Qt.quit();
    }

    function readAll(asked) {
        var clocks = running();
        var reading = ReadNotes.reader(root, curScore, asked.range || Selection.describe(root, curScore));
        var longest_slice_ms = inSlices(reading, asked.slice_ms);
        var answer = clocks.stopped();
        answer.longest_slice_ms = longest_slice_ms;
        answer.warnings = reading.warnings();
        answer.document = reading.document();
        writeScore(curScore, "@FOLDER@/score", "musicxml");
        return answer;
    }

    function writeAll(asked) {
        var clocks = running();
        asked.options.files = { read: readText, write: writeScoreText, remove: removeFile };
        var writing = WriteNotes.writer(root, curScore, asked.document, asked.place, asked.options);
        inSlices(writing, asked.slice_ms);
        var answer = clocks.stopped();
        answer.warnings = writing.warnings();
        writeScore(curScore, "@FOLDER@/score", "musicxml");
        cmd("undo");
        writeScore(curScore, "@FOLDER@/undone", "musicxml");
        return answer;
    }

    function readText(path) {
        file.source = path;
        return file.read();
    }

    function writeScoreText(text) {
        file.source = "@FOLDER@/scorebridge.mscx";
        return file.write(text) ? file.source : "";
    }

    function removeFile(path) {
        file.source = path;
        file.remove();
    }

    // Time on the wall, and time of the processor: what others do on the machine does not count in that.
    function running() {
        var started = Date.now();
        var spent = cpuSeconds();
        return {
            stopped: function () {
                return { seconds: (Date.now() - started) / 1000, cpu_seconds: cpuSeconds() - spent };
            }
        };
    }

    function cpuSeconds() {
        var fields = statistics.read().replace(/^.*\) /, "").split(" ");
        return (Number(fields[11]) + Number(fields[12])) / 100;
    }

    function inSlices(work, slice_ms) {
        var longest = 0;
        var state;
        do {
            var begun = Date.now();
            state = work.next(slice_ms);
            longest = Math.max(longest, Date.now() - begun);
        } while (!state.done);
        return longest;
    }
}

// ScoreBridge's dialog, for MuseScore 3.2 and later and for MuseScore 4.
//
// This file only shows; what happens is in the scripts beside it. The header is read as text by 4.4 and later: one
// property a line, before anything with a brace of its own; lines that begin "//4.4 " are for those versions alone.
import QtQuick 2.9
import QtQuick.Layouts 1.3
import QtQuick.Window 2.2
import MuseScore 3.0
import FileIO 3.0
import "client.js" as Client
import "files.js" as Files
import "link.js" as Link
import "options.js" as Options
import "read_notes.js" as ReadNotes
import "selection.js" as Selection
import "sentences.js" as Sentences
import "session.js" as Session
import "starter.js" as Starter
import "tasks.js" as Tasks
import "tempo_map.js" as TempoMap
import "write_notes.js" as WriteNotes
import "ui"

MuseScore {
    //4.4 title: "ScoreBridge"
    //4.4 categoryCode: "composing-arranging-tools"
    version: "0.1.0"
    description: qsTr("Translates between score images, notation, performances and recordings.")
    pluginType: "dialog"
    requiresScore: false
    menuPath: "Plugins.ScoreBridge"

    id: root
    width: 820
    height: 620

    property var talk: null
    property var link: null
    property var view: idleView()
    property var welcome: null
    property var marker: Starter.markerOf("")
    property var tasks: Tasks.tasks()
    property var task: tasks[Math.max(0, taskList.currentIndex)]
    property var fields: Options.fields(welcome ? welcome.options : null, task.options, Tasks.engineChoices(task, welcome))
    property var readiness: Tasks.readiness(task, welcome)
    property var began: null // the score that the job is for
    property double clicked_ms: 0
    property double ticked_ms: 0
    property double longestWait_ms: 0 // that the window could not answer: while others work, and while the score is worked on
    property double longestWork_ms: 0
    property string inputProblem: ""
    property bool hasScore: false // `curScore` tells nobody when it changes
    readonly property bool isShown: Window.window ? Window.window.visible : false
    readonly property bool isInFront: Window.active

    onRun: open()
    onTaskChanged: {
        form.entered = {};
        inputProblem = "";
    }
    onIsShownChanged: {
        if (!isShown && talk) {
            talk.close();
            clock.stop();
        }
    }
    onIsInFrontChanged: {
        if (isInFront && talk && !view.isBusy) {
            describeSelection(); // it may have changed meanwhile
        }
    }
    Component.onCompleted: {
        if (mscoreMajorVersion >= 4) {
            root.title = "ScoreBridge";
            root.categoryCode = "composing-arranging-tools";
        }
    }
    Component.onDestruction: {
        if (talk) {
            talk.close();
        }
    }

    // ---- what the scripts need of MuseScore ------------------------------------------------------------------------

    function open() {
        marker = Starter.markerOf(readText(Files.pathOf(Qt.resolvedUrl("scorebridge.json"))));
        var client = Client.client(function () { return new XMLHttpRequest(); }, Date.now);
        var paths = Starter.connectionPaths(marker, file.homePath());
        var host = {
            client: client,
            findConnection: function () { return Client.readConnection(paths, readText); },
            launchDaemon: function () { return Starter.start(newProcess, marker, mscoreMajorVersion); },
            byHand: function () { return Starter.byHand(marker); },
            range: function () { return curScore ? Selection.describe(root, curScore) : null; },
            place: function () { return curScore ? Selection.place(root, curScore) : null; },
            reader: function (range) { return ReadNotes.reader(root, curScore, range); },
            writer: function (notes, place, musicxml) {
                return WriteNotes.writer(root, curScore, notes, place, {
                    signatures: destination.withSignatures, musicxml: musicxml ? musicxml.path : "",
                    files: { read: readText, write: writeScoreText, remove: removeFile }
                });
            },
            restOf: function (place) {
                return {
                    startTick: place.tick, endTick: curScore.lastSegment.tick,
                    startStaff: place.staff, endStaff: place.staff + 1, isWhole: false
                };
            },
            tempoMap: TempoMap.ofDocument,
            openScore: openScore,
            sameScore: function () { return sameScore(began); },
            newId: Client.newId,
            now: Date.now,
            log: log
        };
        link = Link.link(host);
        host.link = link;
        talk = Session.session(host);
        describeSelection();
        taskList.forceActiveFocus();
        clock.start();
    }

    function readText(path) {
        file.source = path;
        return file.exists() ? file.read() : "";
    }

    // Its path; "" where it could not be written.
    function writeScoreText(text) {
        var path = file.tempPath() + "/" + "scorebridge-" + Date.now() + ".mscx";
        file.source = path;
        return file.write(text) ? path : "";
    }

    function removeFile(path) {
        file.source = path;
        file.remove();
    }

    function newProcess() {
        try {
            return Qt.createQmlObject("import MuseScore 3.0; QProcess {}", root);
        } catch (error) {
            return null;
        }
    }

    function openScore(path) {
        try {
            return typeof readScore === "function" && !!readScore(path);
        } catch (error) {
            return false; // declared, but not there, in several 4.x versions
        }
    }

    function sameScore(score) {
        if (!curScore || !score) {
            return false;
        }
        return typeof curScore.is === "function" ? curScore.is(score) : curScore.scoreName === score.scoreName;
    }

    function log(text) {
        var since = clicked_ms ? " +" + Math.round(Date.now() - clicked_ms) + " ms" : "";
        console.log("ScoreBridge" + since + ": " + text);
    }

    function idleView() {
        return {
            link: "connecting", linkProblem: null, welcome: null, isBusy: false, phase: "idle", stage: "", fraction: -1,
            problem: null, result: null
        };
    }

    // ---- what the user does ----------------------------------------------------------------------------------------

    function act() {
        refresh(); // what is shown may be a tick old
        if (view.isBusy) {
            return;
        }
        if (view.link === "absent") {
            link.start();
        } else if (footer.canStart) {
            begin();
        }
    }

    function begin() {
        var chosen = Options.chosen(fields, form.entered);
        inputProblem = chosen.problem;
        if (chosen.problem) {
            return;
        }
        clicked_ms = Date.now();
        longestWait_ms = 0;
        longestWork_ms = 0;
        began = curScore;
        hasScore = !!curScore;
        log("begin " + task.id);
        pane.forceActiveFocus(); // what had the keyboard is locked now; Escape must reach us
        talk.begin(task, {
            path: Files.typedPath(source.path, file.homePath()),
            options: Tasks.withPreference(task, welcome, chosen.options),
            destination: hasScore && destination.isIntoScore ? "selection" : "score",
            beats: destination.beats
        });
        refresh();
    }

    function choose(index) {
        if (!view.isBusy && index < tasks.length) {
            taskList.currentIndex = index;
            taskList.forceActiveFocus();
        }
    }

    function leave() {
        if (view.isBusy) {
            talk.cancel();
        } else {
            talk.close();
            (typeof quit === "undefined" ? Qt.quit : quit)();
        }
    }

    function refresh() {
        var now = Date.now();
        var gap_ms = view.isBusy && ticked_ms ? now - ticked_ms - clock.interval : 0;
        var wasWorking = view.phase === "reading" || view.phase === "inserting";
        var changed = talk.tick();
        gap_ms = Math.max(gap_ms, Date.now() - now);
        if (wasWorking) {
            longestWork_ms = Math.max(longestWork_ms, gap_ms);
        } else {
            longestWait_ms = Math.max(longestWait_ms, gap_ms);
        }
        ticked_ms = Date.now();
        if (!changed) {
            return;
        }
        var before = view;
        view = talk.view();
        if (view.welcome !== welcome) {
            welcome = view.welcome;
        }
        if (before.phase !== view.phase) {
            takeKeyboard();
        }
        if (before.isBusy && !view.isBusy) {
            ended();
        }
    }

    // Commands that read or write the score leave the keyboard with MuseScore's own window.
    function takeKeyboard() {
        if (Window.window && Qt.application.active) {
            Window.window.requestActivate();
        }
    }

    function ended() {
        log("the window was blocked for " + Math.round(longestWait_ms) + " ms at most while waiting, " +
            Math.round(longestWork_ms) + " ms by reading or writing the score");
        log("shows: " + status.shown().join(" | "));
        describeSelection();
        if (!status.focusResult()) {
            taskList.forceActiveFocus();
        }
    }

    function describeSelection() {
        hasScore = !!curScore;
        var ticks = hasScore ? Sentences.measureTicks(curScore) : [];
        source.selection = hasScore ? Sentences.rangeSentence(ticks, Selection.describe(root, curScore)) : qsTr("No score is open.");
        destination.place = hasScore ? Sentences.placeSentence(ticks, Selection.place(root, curScore)) : "";
    }

    Timer {
        id: clock
        interval: root.view.isBusy || root.view.link !== "ready" ? 40 : 120
        repeat: true
        onTriggered: root.refresh()
    }
    FileIO { id: file }
    FilePicker {
        id: picker
        Component.onCompleted: picked.connect(function (path) { source.path = path; })
        onMissing: root.inputProblem = qsTr("This MuseScore has no file picker for plugins: type the path.")
    }

    // ---- what is shown ---------------------------------------------------------------------------------------------

    Rectangle {
        id: pane
        anchors.fill: parent
        color: look.window
        focus: true
        Keys.onEscapePressed: root.leave()
        Keys.onReturnPressed: root.act()
        Keys.onEnterPressed: root.act()
        // Outside text fields digits choose a task.
        Keys.onDigit1Pressed: root.choose(0)
        Keys.onDigit2Pressed: root.choose(1)
        Keys.onDigit3Pressed: root.choose(2)
        Keys.onDigit4Pressed: root.choose(3)
        Keys.onDigit5Pressed: root.choose(4)
        Look { id: look }

        DropArea {
            anchors.fill: parent
            enabled: root.task.source === "file" && !root.view.isBusy
            // Connected, not onDropped: Qt 6 hands handlers no named arguments, Qt 5.9 knows no function as a handler.
            Component.onCompleted: dropped.connect(function (drop) {
                source.path = Files.pathOf(drop.hasUrls ? drop.urls[0] : drop.text);
            })
        }

        RowLayout {
            anchors.fill: parent
            anchors.margins: look.size
            anchors.bottomMargin: footer.height + look.size
            spacing: look.size

            TaskList {
                id: taskList
                Layout.preferredWidth: look.size * 15
                Layout.fillHeight: true
                model: root.tasks
                currentIndex: 0
                isLocked: root.view.isBusy
                onAccepted: root.act()
            }
            Rectangle {
                Layout.preferredWidth: 1
                Layout.fillHeight: true
                color: look.line
            }
            ColumnLayout {
                Layout.fillWidth: true
                Layout.fillHeight: true
                spacing: look.gap

                Text {
                    Layout.fillWidth: true
                    text: root.task.title
                    color: look.text
                    font.pixelSize: Math.round(look.size * 1.4)
                    font.bold: true
                }

                SourceRows {
                    id: source
                    Layout.fillWidth: true
                    task: root.task
                    isLocked: root.view.isBusy
                    hasScore: root.hasScore
                    onBrowse: picker.open(Files.pickerFilters(root.task.fileTitle, Tasks.endings(root.task, root.welcome)))
                    onAccepted: root.act()
                }
                DestinationRows {
                    id: destination
                    Layout.fillWidth: true
                    task: root.task
                    isLocked: root.view.isBusy
                    hasScore: root.hasScore
                }
                OptionForm {
                    id: form
                    Layout.fillWidth: true
                    Layout.fillHeight: true
                    fields: root.fields
                    isLocked: root.view.isBusy
                    onTouched: root.inputProblem = ""
                    onAccepted: root.act()
                }
                StatusArea {
                    id: status
                    Layout.fillWidth: true
                    view: root.view
                    readiness: root.readiness
                    inputProblem: root.inputProblem
                }
            }
        }

        Footer {
            id: footer
            anchors.left: parent.left
            anchors.right: parent.right
            anchors.bottom: parent.bottom
            link: root.view.link
            server: root.welcome ? root.welcome.server : ""
            action: root.task.action
            isBusy: root.view.isBusy
            canAct: root.readiness.isReady && (root.task.source === "live" ||
                                               (root.task.source === "file" ? source.path !== "" : root.hasScore))
            onAct: root.act()
            onLeave: root.leave()
        }
    }
}

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
    property var entered: ({}) // option name → what was typed, of the present task
    property var readiness: Tasks.readiness(task, welcome)
    property var picker: null
    property var player: null
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
        entered = {};
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
                    signatures: signatures.checked, musicxml: musicxml ? musicxml.path : "",
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
        } else if (view.link === "ready" && startButton.enabled) {
            begin();
        }
    }

    function begin() {
        var chosen = Options.chosen(fields, entered);
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
            path: Files.typedPath(pathBox.text, file.homePath()),
            options: chosen.options,
            destination: hasScore && intoScore.checked ? "selection" : "score",
            beats: beats.value
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
        log("shows: " + shown().join(" | "));
        describeSelection();
        if (view.result && playButton.visible) {
            playButton.forceActiveFocus();
        } else if (view.result && openButton.visible) {
            openButton.forceActiveFocus();
        } else {
            taskList.forceActiveFocus();
        }
    }

    // The sentences that can be seen of how it went.
    function shown() {
        var sentences = [];
        for (var i = 0; i < status.children.length; i++) {
            var notice = status.children[i];
            if (notice.visible && notice.message) {
                sentences.push(notice.hint ? notice.message + " " + notice.hint : notice.message);
            }
        }
        return sentences;
    }

    function describeSelection() {
        hasScore = !!curScore;
        var ticks = hasScore ? Sentences.measureTicks(curScore) : [];
        rangeText.text = hasScore ? Sentences.rangeSentence(ticks, Selection.describe(root, curScore)) : qsTr("No score is open.");
        placeText.text = hasScore ? Sentences.placeSentence(ticks, Selection.place(root, curScore)) : "";
    }

    function browse() {
        picker = picker || newPicker();
        if (picker) {
            picker.nameFilters = Files.pickerFilters(task.fileTitle, Tasks.endings(task, welcome));
            picker.open();
        }
    }

    // Whichever file picker this version has; where there is none, the path can be typed.
    function newPicker() {
        var kinds = ["import QtQuick.Dialogs 1.2", "import QtQuick.Dialogs", "import Qt.labs.platform 1.0"];
        for (var i = 0; i < kinds.length; i++) {
            try {
                var made = Qt.createQmlObject(kinds[i] + "; FileDialog {}", root);
                made.accepted.connect(function () { pathBox.text = Files.pathOf(picked(made)); });
                return made;
            } catch (error) {
                made = null;
            }
        }
        inputProblem = qsTr("This MuseScore has no file picker for plugins: type the path.");
        return null;
    }

    function picked(dialog) {
        return dialog.fileUrl !== undefined ? dialog.fileUrl : dialog.selectedFile !== undefined ? dialog.selectedFile : dialog.file;
    }

    // Here where Qt's multimedia is installed, else in the system's own player.
    function play(path) {
        player = player || newPlayer();
        if (!player) {
            Qt.openUrlExternally(Files.addressOf(path));
        } else if (player.playbackState === 1) {
            player.stop();
        } else {
            player.source = Files.addressOf(path);
            player.play();
        }
    }

    function newPlayer() {
        var kinds = ["import QtMultimedia 5.0; MediaPlayer {}", "import QtMultimedia; MediaPlayer { audioOutput: AudioOutput {} }"];
        for (var i = 0; i < kinds.length; i++) {
            try {
                return Qt.createQmlObject(kinds[i], root);
            } catch (error) {
                continue;
            }
        }
        return null;
    }

    Timer {
        id: clock
        interval: root.view.isBusy || root.view.link !== "ready" ? 40 : 120
        repeat: true
        onTriggered: root.refresh()
    }
    FileIO { id: file }

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
                pathBox.text = Files.pathOf(drop.hasUrls ? drop.urls[0] : drop.text);
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
                id: status
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

                // Where the music comes from.
                Text {
                    id: rangeText
                    Layout.fillWidth: true
                    visible: root.task.source === "selection"
                    color: root.hasScore ? look.text : look.warning
                    wrapMode: Text.Wrap
                }
                RowLayout {
                    Layout.fillWidth: true
                    visible: root.task.source === "file"
                    spacing: look.gap
                    Text {
                        Layout.preferredWidth: form.labelWidth
                        text: root.task.fileTitle || ""
                        color: look.text
                    }
                    TextBox {
                        id: pathBox
                        Layout.fillWidth: true
                        Layout.preferredHeight: look.row
                        enabled: !root.view.isBusy
                        placeholderText: qsTr("Path of the file, or drop it here")
                        onAccepted: root.act()
                        Accessible.name: root.task.fileTitle || ""
                    }
                    PushButton {
                        text: qsTr("Browse…")
                        enabled: !root.view.isBusy
                        onClicked: root.browse()
                    }
                }

                // Where the notes go.
                RowLayout {
                    Layout.fillWidth: true
                    visible: root.task.delivery === "score"
                    spacing: look.gap
                    Text {
                        Layout.preferredWidth: form.labelWidth
                        Layout.alignment: Qt.AlignTop
                        Layout.topMargin: Math.round(look.size * 0.35)
                        text: qsTr("Notes go")
                        color: look.text
                    }
                    ColumnLayout {
                        Layout.fillWidth: true
                        spacing: 0
                        RowLayout {
                            spacing: look.gap
                            RadioMark {
                                id: intoScore
                                text: qsTr("into this score")
                                checked: root.hasScore
                                enabled: root.hasScore && !root.view.isBusy
                                autoExclusive: false
                                onClicked: { checked = true; newScore.checked = false; }
                            }
                            Text {
                                id: placeText
                                visible: intoScore.checked
                                color: look.faint
                            }
                        }
                        RadioMark {
                            id: newScore
                            text: qsTr("into a new score")
                            checked: !root.hasScore
                            enabled: !root.view.isBusy
                            autoExclusive: false
                            onClicked: { checked = true; intoScore.checked = false; }
                        }
                        CheckMark {
                            id: signatures
                            visible: intoScore.checked
                            enabled: !root.view.isBusy
                            text: qsTr("with their key, time signature and tempo")
                        }
                    }
                }
                RowLayout {
                    Layout.fillWidth: true
                    visible: !!root.task.hasBeats && root.hasScore
                    spacing: look.gap
                    Text {
                        Layout.preferredWidth: form.labelWidth
                        text: qsTr("Beats")
                        color: look.text
                    }
                    DropDown {
                        id: beats
                        Layout.fillWidth: true
                        enabled: !root.view.isBusy
                        choices: [
                            { value: "found", text: qsTr("found in the recording") },
                            { value: "score", text: qsTr("as in this score (it was played to its metronome)") }
                        ]
                    }
                }

                // The daemon's options.
                Text {
                    Layout.topMargin: look.gap
                    text: qsTr("Options")
                    color: look.faint
                    font.bold: true
                    visible: root.fields.length > 0
                }
                Flickable {
                    id: form
                    readonly property int labelWidth: look.size * 10
                    Layout.fillWidth: true
                    Layout.fillHeight: true
                    contentHeight: rows.height
                    clip: true
                    interactive: contentHeight > height
                    enabled: !root.view.isBusy
                    boundsBehavior: Flickable.StopAtBounds
                    Column {
                        id: rows
                        width: form.width - look.gap
                        spacing: Math.round(look.gap / 2)
                        Repeater {
                            model: root.fields
                            OptionRow {
                                width: rows.width
                                field: modelData
                                initialText: Options.initialText(modelData)
                                range: Options.rangeText(modelData)
                                labelWidth: form.labelWidth
                                onTouched: {
                                    root.entered[modelData.name] = entered;
                                    root.inputProblem = "";
                                }
                                onAccepted: root.act()
                                onActiveFocusChanged: {
                                    if (activeFocus) { // the keyboard goes there: so does the view
                                        form.contentY = Math.max(0, Math.min(y, form.contentHeight - form.height));
                                    }
                                }
                            }
                        }
                    }
                    Rectangle { // how far down it is
                        parent: form
                        anchors.right: parent.right
                        visible: form.contentHeight > form.height
                        y: form.visibleArea.yPosition * form.height
                        width: 4
                        height: form.visibleArea.heightRatio * form.height
                        radius: 2
                        color: look.edge
                    }
                }

                // How it goes, and how it went.
                ColumnLayout {
                    Layout.fillWidth: true
                    visible: root.view.isBusy
                    spacing: Math.round(look.gap / 2)
                    Text {
                        Layout.fillWidth: true
                        text: root.view.stage + (root.view.fraction >= 0 ? " · " + Math.round(root.view.fraction * 100) + " %" : "")
                        color: look.text
                        elide: Text.ElideRight
                    }
                    ProgressLine {
                        Layout.fillWidth: true
                        fraction: root.view.fraction
                        Accessible.role: Accessible.ProgressBar
                        Accessible.name: root.view.stage
                    }
                }
                Notice {
                    Layout.fillWidth: true
                    visible: root.inputProblem !== ""
                    kind: "warning"
                    message: root.inputProblem
                }
                Notice {
                    Layout.fillWidth: true
                    visible: root.view.link === "ready" && !root.readiness.isReady
                    kind: "warning"
                    message: root.readiness.message
                    hint: root.readiness.hint
                }
                Notice {
                    Layout.fillWidth: true
                    visible: !!root.view.problem
                    kind: "bad"
                    message: root.view.problem ? root.view.problem.message : ""
                    hint: root.view.problem ? root.view.problem.hint : ""
                }
                Notice {
                    Layout.fillWidth: true
                    visible: root.view.phase === "cancelled"
                    message: qsTr("Cancelled. The score is as it was.")
                }
                Notice {
                    Layout.fillWidth: true
                    visible: !!root.view.result
                    kind: "good"
                    message: root.view.result ? Sentences.resultSentence(root.view.result) : ""
                    hint: root.view.result ? Sentences.warningSentences(root.view.result.warnings).concat(
                        root.view.result.note || []).join("\n") : ""
                }
                RowLayout {
                    Layout.fillWidth: true
                    visible: !!root.view.result
                    spacing: look.gap
                    PushButton {
                        id: playButton
                        visible: !!root.view.result && root.view.result.format === "wav"
                        text: root.player && root.player.playbackState === 1 ? qsTr("Stop") : qsTr("Play")
                        onClicked: root.play(root.view.result.path)
                    }
                    PushButton {
                        id: openButton
                        text: qsTr("Open")
                        onClicked: Qt.openUrlExternally(Files.addressOf(root.view.result.path))
                    }
                    PushButton {
                        text: qsTr("Show folder")
                        onClicked: Qt.openUrlExternally(Files.addressOf(Files.folderOf(root.view.result.path)))
                    }
                    Text {
                        Layout.fillWidth: true
                        text: root.view.result ? Files.nameOf(root.view.result.path) : ""
                        color: look.faint
                        elide: Text.ElideMiddle
                    }
                }
                Notice {
                    Layout.fillWidth: true
                    visible: (root.view.link === "absent" && !root.view.problem) || root.view.link === "refused"
                    kind: root.view.linkProblem ? "bad" : "warning"
                    message: root.view.linkProblem ? root.view.linkProblem.message : qsTr("The ScoreBridge daemon does not run.")
                    hint: root.view.linkProblem ? root.view.linkProblem.hint : qsTr("It does the work, on this machine alone. Start it here.")
                }
            }
        }

        Rectangle {
            id: footer
            anchors.left: parent.left
            anchors.right: parent.right
            anchors.bottom: parent.bottom
            height: buttons.implicitHeight + 2 * look.gap + 1
            color: "transparent"
            Rectangle {
                width: parent.width
                height: 1
                color: look.line
            }
            RowLayout {
                id: buttons
                anchors.fill: parent
                anchors.leftMargin: look.size
                anchors.rightMargin: look.size
                spacing: look.gap
                Rectangle {
                    Layout.preferredWidth: Math.round(look.size * 0.7)
                    Layout.preferredHeight: Math.round(look.size * 0.7)
                    radius: width / 2
                    color: root.view.link === "ready" ? look.good : root.view.link === "refused" ? look.bad : look.warning
                }
                Text {
                    Layout.fillWidth: true
                    color: look.faint
                    elide: Text.ElideRight
                    text: {
                        var words = {
                            connecting: qsTr("Looking for the daemon…"), absent: qsTr("No daemon"),
                            starting: qsTr("The daemon is starting…"), refused: qsTr("Not connected")
                        };
                        return words[root.view.link] || (root.welcome ? root.welcome.server : "");
                    }
                }
                PushButton {
                    text: root.view.isBusy ? qsTr("Cancel") : qsTr("Close")
                    onClicked: root.leave()
                }
                PushButton {
                    id: startButton
                    isMain: true
                    text: root.view.link === "absent" || root.view.link === "starting" ? qsTr("Start the daemon") : root.task.action
                    enabled: {
                        if (root.view.isBusy || root.view.link === "starting" || root.view.link === "connecting") {
                            return false;
                        }
                        if (root.view.link !== "ready") {
                            return root.view.link === "absent";
                        }
                        var hasSource = root.task.source === "live" || (root.task.source === "file" ? pathBox.text !== "" : root.hasScore);
                        return root.readiness.isReady && hasSource;
                    }
                    onClicked: root.act()
                }
            }
        }
    }
}

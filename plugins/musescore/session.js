// The dialog's memory of its work: what is being done, how did it end. A Timer calls `tick()`; nothing waits.
//
//     var talk = Session.session(host);
//     talk.tick()             -> whether anything changed since the last call; then show talk.view()
//     talk.begin(task, input) -> input {path, options, destination: "selection" | "score", beats: "found" | "score"}
//     talk.cancel(), talk.close()
//
// host: what it needs of the world, so that it runs in QML and in node:
//     client, link         of client.js and link.js
//     findConnection()     -> the connection file's content as an object, or null
//     range(), place()     -> Selection.describe and Selection.place of the present score; null without a score
//     reader(range)        -> of read_notes.js
//     writer(notes, place, musicxml) -> of write_notes.js; musicxml is the artefact with the same notes, or null
//     restOf(place)        -> the range from a place to the end of the score
//     tempoMap(notes)      -> TempoMap.ofDocument
//     openScore(path)      -> whether MuseScore opened it as a new score
//     sameScore()          -> whether the score is still the one that the job began with
//     newId(), now()       -> text; milliseconds
//     log(text)
// ES5; QML and node load it.

var SLICE_MS = 25; // of reading or writing in one tick: a window that is blocked for 100 ms feels stuck
var POLL_MS = 100;
var LOST_MS = 3000; // that a daemon may be unreachable before its job is given up
var CANCEL_MS = 10000; // after which nobody waits for a cancelled job's end any more
var LEASE_S = 20; // the daemon drops a job that nobody asked about for so long

function session(host) {
    var self = { host: host, job: null, last: null, changed: true, isClosed: false };
    return {
        tick: function () { return tick(self); },
        view: function () { return view(self); },
        begin: function (task, input) { begin(self, task, input); },
        cancel: function () { cancel(self); },
        close: function () { close(self); }
    };
}

function tick(self) {
    if (!self.isClosed) {
        self.host.client.tick();
        self.changed = self.host.link.tick(!!self.job) || self.changed;
        if (self.job) {
            tickJob(self);
        }
    }
    var changed = self.changed;
    self.changed = false;
    return changed;
}

// What the window shows.
function view(self) {
    var job = self.job;
    var link = self.host.link.view();
    return {
        link: link.state, linkProblem: link.problem, welcome: link.welcome,
        isBusy: !!job,
        phase: job ? job.phase : (self.last ? self.last.phase : "idle"),
        stage: job ? job.stage : "",
        fraction: job ? job.fraction : -1, // below 0: not known
        problem: self.last ? self.last.problem : null,
        result: self.last ? self.last.result : null
    };
}

var LAST_MEASURES = 8; // of what was just played, where nothing is chosen
var SLOWEST_MEASURE_S = 8;

// ---- a job ---------------------------------------------------------------------------------------------------------

// Where the music of a task comes from: each begins a job, which reads or submits.
var SOURCES = {
    selection: function (self, job) {
        job.reader = self.host.reader(job.range);
        setPhase(self, job, "reading", qsTr("Reading the selection"));
        job.afterReading = function (notes) { submit(self, job, { kind: "notes", document: notes }); };
    },
    file: function (self, job) {
        var source = { kind: "path", path: job.input.path };
        if (job.task.hasBeats && job.input.beats === "score" && job.place) {
            job.reader = self.host.reader(self.host.restOf(job.place));
            setPhase(self, job, "reading", qsTr("Reading the score's beats"));
            job.afterReading = function (notes) {
                job.options.tempo_map = self.host.tempoMap(notes);
                submit(self, job, source);
            };
        } else {
            submit(self, job, source);
        }
    },
    live: function (self, job) {
        job.options.last_measures = job.options.last_measures || LAST_MEASURES;
        submit(self, job, { kind: "live", seconds: job.options.last_measures * SLOWEST_MEASURE_S });
    }
};

// What is done with a finished job's result.
var DELIVERIES = {
    file: function (self, job, state) {
        finish(self, job, state, null);
    },
    score: function (self, job, state) {
        if (job.input.destination === "score") {
            var file = artefactOf(state, job.task.targets[1]);
            var isOpen = self.host.openScore(file.path);
            finish(self, job, state, null, isOpen ? "" : qsTr("This MuseScore does not let plugins open scores: use the open button."));
        } else {
            fetchNotes(self, job, state);
        }
    }
};

function begin(self, task, input) {
    if (self.job) {
        return;
    }
    var job = {
        id: self.host.newId(), task: task, input: input, options: copyOf(input.options || {}),
        phase: "", stage: "", fraction: -1, began_ms: self.host.now(), warnings: [], lostSince_ms: 0, nextPoll_ms: 0,
        isSent: false, range: self.host.range(), place: self.host.place()
    };
    self.last = null;
    self.job = job;
    var isIntoScore = task.delivery === "score" && input.destination !== "score";
    if ((task.source === "selection" && !job.range) || (isIntoScore && !job.place)) {
        fail(self, job, { code: "no_score", message: qsTr("No score is open."), hint: qsTr("Open or make a score first.") });
        return;
    }
    attempt(self, job, function () { SOURCES[task.source](self, job); });
}

function tickJob(self) {
    var job = self.job;
    var steps = { reading: tickReading, inserting: tickInserting, working: tickWorking, cancelling: tickWorking };
    var step = steps[job.phase];
    if (step) {
        attempt(self, job, function () { step(self, job); });
    }
}

// What a score's reading or writing throws must not leave the dialog waiting for ever.
function attempt(self, job, step) {
    try {
        step();
    } catch (error) {
        self.host.log(String(error) + (error.stack ? "\n" + error.stack : ""));
        fail(self, job, {
            code: "score", message: qsTr("The score could not be worked on: %1").arg(error.message || String(error)),
            hint: qsTr("The score is as it was.")
        });
    }
}

function tickReading(self, job) {
    var state = job.reader.next(SLICE_MS);
    setFraction(self, job, state.fraction);
    if (state.done) {
        job.warnings = job.warnings.concat(job.reader.warnings());
        job.afterReading(job.reader.document());
    }
}

function submit(self, job, source) {
    setPhase(self, job, "submitting", qsTr("Sending"));
    var content = { job: job.id, source: source, target: job.task.targets, options: job.options, lease: LEASE_S };
    job.isSent = true;
    self.host.client.message("submit", content, function (problem, answer, type) {
        if (self.job !== job) {
            return;
        }
        if (problem || type === "rejected") {
            failOrLose(self, job, problem || answer);
        } else if (job.phase === "submitting") {
            setPhase(self, job, "working", qsTr("Waiting for a worker"));
        }
    });
}

function tickWorking(self, job) {
    var now = self.host.now();
    if (job.phase === "cancelling" && now > job.cancelEnd_ms) {
        end(self, job, "cancelled", null, null);
        return;
    }
    if (job.isPolling || now < job.nextPoll_ms) {
        return;
    }
    job.isPolling = true;
    job.nextPoll_ms = now + POLL_MS;
    self.host.client.state(job.id, function (problem, state) {
        job.isPolling = false;
        if (self.job === job) {
            attempt(self, job, function () { polled(self, job, problem, state); });
        }
    });
}

function polled(self, job, problem, state) {
    if (problem) {
        retryOrLose(self, job, problem);
        return;
    }
    job.lostSince_ms = 0;
    if (state.phase === "queued" || state.phase === "running") {
        if (job.phase === "working") {
            setStage(self, job, state.stage || waitingStage(state));
            setFraction(self, job, state.total > 0 ? state.current / state.total : -1);
        }
    } else if (job.phase === "cancelling" || state.phase === "cancelled") {
        end(self, job, "cancelled", null, null);
    } else if (state.phase === "failed") {
        fail(self, job, state);
    } else {
        job.warnings = (state.warnings || []).concat(job.warnings);
        DELIVERIES[job.task.delivery](self, job, state);
    }
}

function waitingStage(state) {
    return state.position > 0 ? qsTr("%1 jobs before this one").arg(state.position) : qsTr("Waiting for a worker");
}

// A daemon that was started again has other ports and knows its jobs still: look at the connection file before giving up.
function retryOrLose(self, job, problem) {
    var now = self.host.now();
    if (job.phase === "cancelling" && problem.isGone) {
        end(self, job, "cancelled", null, null);
        return;
    }
    if (!problem.isGone && problem.code !== "unauthorised") {
        fail(self, job, problem);
        return;
    }
    job.lostSince_ms = job.lostSince_ms || now;
    var connection = self.host.findConnection();
    if (connection && self.host.client.use(connection)) {
        return;
    }
    if (now - job.lostSince_ms > LOST_MS) {
        failOrLose(self, job, problem);
    }
}

function failOrLose(self, job, problem) {
    if (problem.isGone) {
        var wasWorking = job.phase !== "submitting";
        self.host.link.lost();
        fail(self, job, {
            code: "gone",
            message: wasWorking ? qsTr("The ScoreBridge daemon ended while it worked.") : qsTr("The ScoreBridge daemon does not run."),
            hint: qsTr("Your score is as it was. Start the daemon and try again.")
        });
    } else {
        if (problem.code === "unauthorised") {
            self.host.link.refused(problem);
        }
        fail(self, job, problem);
    }
}

// ---- into the score ------------------------------------------------------------------------------------------------

function fetchNotes(self, job, state) {
    setPhase(self, job, "fetching", qsTr("Fetching the notes"));
    self.host.client.artefact(job.id, artefactOf(state, "notes").name, function (problem, notes) {
        if (self.job !== job) {
            return;
        }
        if (problem) {
            failOrLose(self, job, problem);
            return;
        }
        attempt(self, job, function () { insert(self, job, state, notes); });
    });
}

function insert(self, job, state, notes) {
    if (!self.host.sameScore()) {
        fail(self, job, {
            code: "other_score", message: qsTr("Another score is in front now; nothing was inserted."),
            hint: qsTr("Go back to the score that you began with and try again.")
        });
        return;
    }
    job.writer = self.host.writer(notes, job.place, artefactOf(state, "musicxml"));
    job.done = state;
    job.noteCount = notes.notes.length;
    setPhase(self, job, "inserting", qsTr("Writing into the score"));
}

function tickInserting(self, job) {
    var state = job.writer.next(SLICE_MS);
    setFraction(self, job, state.fraction);
    if (state.done) {
        job.warnings = job.warnings.concat(job.writer.warnings());
        finish(self, job, job.done, job.noteCount);
    }
}

// ---- the end -------------------------------------------------------------------------------------------------------

function finish(self, job, state, noteCount, note) {
    var file = artefactOf(state, job.task.targets[job.task.delivery === "score" ? 1 : 0]) || state.artefacts[0];
    end(self, job, "done", null, {
        path: file.path, format: file.format, engine: state.engine, warnings: job.warnings, note: note || "",
        noteCount: noteCount, elapsed_s: (self.host.now() - job.began_ms) / 1000, isHeard: !!job.task.isHeard
    });
}

function fail(self, job, problem) {
    var shown = { code: problem.code || "", message: problem.message || "", hint: problem.hint || "" };
    end(self, job, "failed", shown, null);
}

function end(self, job, phase, problem, result) {
    self.host.log(phase + (problem ? ": " + problem.message : result ? ": " + result.path : ""));
    self.last = { phase: phase, problem: problem, result: result };
    self.job = null;
    self.changed = true;
}

function cancel(self) {
    var job = self.job;
    if (!job || job.phase === "cancelling") {
        return;
    }
    if (!job.isSent || job.phase === "inserting" || job.phase === "fetching") {
        end(self, job, "cancelled", null, null); // nothing is in the score before the writer's last step
        return;
    }
    setPhase(self, job, "cancelling", qsTr("Stopping"));
    job.cancelEnd_ms = self.host.now() + CANCEL_MS;
    job.nextPoll_ms = 0;
    self.host.client.message("cancel", { job: job.id }, function () { });
}

// The window was closed: what runs for it is stopped, nothing is inserted any more.
function close(self) {
    if (self.isClosed) {
        return;
    }
    self.isClosed = true;
    var job = self.job;
    self.job = null;
    self.host.client.abort();
    if (job && job.isSent) {
        self.host.client.message("cancel", { job: job.id }, function () { });
    }
}

// ---- small things --------------------------------------------------------------------------------------------------

function setPhase(self, job, phase, stage) {
    self.host.log(phase);
    job.phase = phase;
    setFraction(self, job, -1);
    setStage(self, job, stage);
}

function setStage(self, job, stage) {
    if (job.stage !== stage) {
        self.host.log(stage);
        self.changed = true;
    }
    job.stage = stage;
}

function setFraction(self, job, fraction) {
    self.changed = self.changed || job.fraction !== fraction;
    job.fraction = fraction;
}

function artefactOf(state, format) {
    return state.artefacts.filter(function (artefact) { return artefact.format === format; })[0] || null;
}

function copyOf(object) {
    return JSON.parse(JSON.stringify(object));
}

if (typeof module !== "undefined") {
    require("./qt_words.js");
    module.exports = { session: session, LOST_MS: LOST_MS, CANCEL_MS: CANCEL_MS };
}

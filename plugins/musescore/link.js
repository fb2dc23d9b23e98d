// Whether a daemon is there: looked for, greeted, started, lost. A Timer calls `tick()`; nothing waits.
//
//     var link = Link.link({client, findConnection, launchDaemon, byHand, now, log});
//     link.tick(isBusy) -> whether anything changed; then link.view() is {state, problem, welcome}
//     link.start(), link.lost(), link.refused(problem)
//
// state: "connecting" at first, then "absent", "starting", "ready" or "refused" (somebody answers, but not to us).
// `launchDaemon()` gives "" or a sentence that says why it cannot; `byHand()` says what the user can do instead.
// ES5; QML and node load it.

var LOOK_MS = 1000; // between two looks for a daemon that is not there
var LOOK_STARTING_MS = 250;
var START_MS = 30000; // a daemon that has not come up by then will not

function link(host) {
    var self = {
        host: host, state: "connecting", problem: null, welcome: null, changed: true, isAsking: false,
        nextLook_ms: 0, startEnd_ms: 0
    };
    look(self);
    return {
        tick: function (isBusy) { return tickLink(self, isBusy); },
        view: function () { return { state: self.state, problem: self.problem, welcome: self.welcome }; },
        start: function () { startDaemon(self); },
        lost: function () { become(self, "absent", null); },
        refused: function (problem) { become(self, "refused", problem); }
    };
}

function tickLink(self, isBusy) {
    var now = self.host.now();
    if (self.state === "starting" && now > self.startEnd_ms) {
        become(self, "absent", notStarted(self, qsTr("The ScoreBridge daemon did not start.")));
    }
    if (!self.isAsking && now >= self.nextLook_ms && needsLook(self, isBusy)) {
        look(self);
    }
    var changed = self.changed;
    self.changed = false;
    return changed;
}

function needsLook(self, isBusy) {
    if (self.state === "ready") {
        // Directions are missing while the daemon's first worker comes up.
        return !isBusy && !(self.welcome.directions && self.welcome.directions.length);
    }
    return true;
}

function look(self) {
    self.nextLook_ms = self.host.now() + (self.state === "starting" ? LOOK_STARTING_MS : LOOK_MS);
    var connection = self.host.findConnection();
    if (!connection) {
        nobody(self);
        return;
    }
    self.host.client.use(connection);
    self.isAsking = true;
    self.host.client.message("hello", { client: "MuseScore" }, function (problem, welcome) {
        self.isAsking = false;
        if (problem && problem.isGone) {
            nobody(self);
        } else if (problem) {
            become(self, "refused", problem);
        } else {
            self.welcome = welcome;
            self.changed = true;
            become(self, "ready", null);
        }
    });
}

function nobody(self) {
    if (self.state !== "starting" && self.state !== "absent") {
        become(self, "absent", null);
    }
}

function startDaemon(self) {
    var problem = self.host.launchDaemon();
    self.startEnd_ms = self.host.now() + START_MS;
    self.nextLook_ms = 0;
    become(self, problem ? "absent" : "starting", problem ? notStarted(self, problem) : null);
}

function notStarted(self, message) {
    return { code: "no_start", message: message, hint: self.host.byHand(), isGone: true };
}

function become(self, state, problem) {
    if (self.state === state && !problem && !self.problem) {
        return;
    }
    if (self.state !== state) {
        self.host.log("daemon: " + state + (problem ? ": " + problem.message : ""));
    }
    self.state = state;
    self.problem = problem;
    self.changed = true;
}

if (typeof module !== "undefined") {
    require("./qt_words.js");
    module.exports = { link: link, START_MS: START_MS };
}

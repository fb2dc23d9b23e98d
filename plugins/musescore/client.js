// The daemon's HTTP door: finds the connection file, sends messages, gives up on answers that do not come.
//
//     var door = Client.client(function () { return new XMLHttpRequest(); }, Date.now);
//     door.use(Client.readConnection([path, …], readText));
//     door.message("hello", {client: "MuseScore"}, function (problem, welcome) { … });
//     in a Timer: door.tick();
//
// A problem is {code, message, hint, isGone}: the daemon's own words where it said any; `isGone` where nobody answered.
// Nothing here waits: each function given is called once, later, except after `abort()`. ES5; QML and node load it.

var QUICK_MS = 5000; // what the daemon answers from memory
var PATIENT_MS = 60000; // what may wait for a worker or move megabytes

// The first readable connection of the files that may hold one, or null. `readText(path)` gives "" for no file.
function readConnection(paths, readText) {
    for (var i = 0; i < paths.length; i++) {
        var connection = null;
        try {
            connection = JSON.parse(paths[i] ? readText(paths[i]) : "");
        } catch (error) {
            continue; // half written, or not there
        }
        if (connection && connection.http_port > 0 && typeof connection.token === "string" && connection.token) {
            return connection;
        }
    }
    return null;
}

// An identifier such as the daemon wants for jobs and messages.
function newId() {
    return "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx".replace(/x/g, function () {
        return Math.floor(Math.random() * 16).toString(16);
    });
}

function client(newRequest, now) {
    var door = { server: "", port: 0, token: "", session: newId(), open: [] };
    return {
        // Talk to this daemon from now on; returns whether it is another than before.
        use: function (connection) {
            var isNew = door.port !== connection.http_port || door.token !== connection.token;
            door.port = connection.http_port;
            door.token = connection.token;
            return isNew;
        },
        // Send a message; `done(problem, content, type)`.
        message: function (type, content, done) {
            var body = JSON.stringify({ id: newId(), session: door.session, type: type, content: content });
            send(door, newRequest, now, "POST", "/api/message", body, PATIENT_MS, function (problem, answer) {
                if (!problem && answer.type === "error") {
                    problem = problemOf(answer.content);
                }
                done(problem, problem ? null : answer.content, problem ? "" : answer.type);
            });
        },
        // A job's state; `done(problem, state)`.
        state: function (job, done) {
            send(door, newRequest, now, "GET", "/api/jobs/" + encodeURIComponent(job), null, QUICK_MS, done);
        },
        // An artefact that is JSON; `done(problem, value)`.
        artefact: function (job, name, done) {
            var address = "/api/jobs/" + encodeURIComponent(job) + "/artefacts/" + encodeURIComponent(name);
            send(door, newRequest, now, "GET", address, null, PATIENT_MS, done);
        },
        // Give up on answers that are late: QML's XMLHttpRequest has no timeout of its own.
        tick: function () {
            var late = door.open.filter(function (call) { return now() > call.end_ms; });
            late.forEach(function (call) {
                call.end(gone(qsTr("The ScoreBridge daemon does not answer.")));
                call.request.abort();
            });
        },
        // Drop everything that is under way; nobody is told.
        abort: function () {
            var calls = door.open;
            door.open = [];
            calls.forEach(function (call) {
                call.isOver = true;
                call.request.abort();
            });
        },
        // How many answers are awaited.
        waiting: function () { return door.open.length; }
    };
}

function send(door, newRequest, now, method, address, body, patience_ms, done) {
    var request = newRequest();
    var call = { request: request, end_ms: now() + patience_ms, isOver: false };
    call.end = function (problem, value) {
        if (!call.isOver) {
            call.isOver = true;
            door.open = door.open.filter(function (other) { return other !== call; });
            done(problem, value);
        }
    };
    door.open.push(call);
    request.onreadystatechange = function () {
        if (request.readyState === 4 && !call.isOver) {
            finish(request, call);
        }
    };
    try {
        request.open(method, "http://127.0.0.1:" + door.port + address, true);
        request.setRequestHeader("X-ScoreBridge-Token", door.token);
        if (body !== null) {
            request.setRequestHeader("Content-Type", "application/json");
        }
        request.send(body);
    } catch (error) {
        call.end(gone(String(error)));
    }
}

function finish(request, call) {
    if (!request.status) {
        call.end(gone(qsTr("The ScoreBridge daemon does not answer.")));
        return;
    }
    var value = null;
    try {
        value = JSON.parse(request.responseText);
    } catch (error) {
        value = null;
    }
    if (request.status === 401) {
        call.end(refused());
    } else if (request.status >= 400) {
        call.end(problemOf(value || { code: "http", message: qsTr("The daemon answered with %1.").arg(request.status) }));
    } else if (value === null) {
        call.end(problemOf({ code: "http", message: qsTr("What answers on the daemon's port is not ScoreBridge.") }));
    } else {
        call.end(null, value);
    }
}

function problemOf(content) {
    return { code: content.code || "", message: content.message || "", hint: content.hint || "", isGone: false };
}

function gone(message) {
    return { code: "gone", message: message, hint: "", isGone: true };
}

// The daemon's own hint is for who writes programs; a musician needs another.
function refused() {
    return {
        code: "unauthorised",
        message: qsTr("The ScoreBridge daemon did not accept this plugin's token."),
        hint: qsTr("The connection file is another daemon's. In a terminal: scorebridge serve stop, then scorebridge serve --detach"),
        isGone: false
    };
}

if (typeof module !== "undefined") {
    require("./qt_words.js");
    module.exports = { readConnection: readConnection, newId: newId, client: client };
}

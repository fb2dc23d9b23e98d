// A world for the dialog's scripts: a clock that is turned by hand, a daemon that answers when told to, a score.
"use strict";

const path = require("node:path");
const plugin = (name) => require(path.join(__dirname, "../../plugins/musescore", name));
const { client } = plugin("client.js");
const { link } = plugin("link.js");
const { session } = plugin("session.js");

// An XMLHttpRequest that hands its request to `answer(method, address, body)`: {status, body} | "gone" | "silence".
function requests(world) {
    return function () {
        const request = { readyState: 0, status: 0, responseText: "", headers: {}, wasAborted: false };
        request.open = (method, address, isAsync) => {
            if (!isAsync) { throw new Error("a synchronous request would freeze the window"); }
            request.method = method;
            request.address = address;
        };
        request.setRequestHeader = (name, value) => { request.headers[name] = value; };
        request.abort = () => { request.wasAborted = true; finish(0, ""); };
        request.send = (body) => { world.sent.push({ request, body: body ? JSON.parse(body) : null }); world.inFlight.push(request); };
        function finish(status, text) {
            request.readyState = 4;
            request.status = status;
            request.responseText = text;
            request.onreadystatechange();
        }
        request.answer = () => {
            const body = world.sent.find((one) => one.request === request).body;
            const said = world.daemon(request.method, request.address.replace(/^http:\/\/127\.0\.0\.1:\d+/, ""), body, request);
            if (said === "silence") { return false; }
            if (said === "gone") { finish(0, ""); } else { finish(said.status || 200, JSON.stringify(said.body)); }
            return true;
        };
        return request;
    };
}

function message(type, content) {
    return { body: { type: type, content: content } };
}

const WELCOME = {
    server: "scorebridge test", directions: [{ source: "notation", target: "audio", ready: true, engines: [] }],
    options: { properties: {} }, formats: {}
};

function makeWorld(changes) {
    const world = Object.assign({
        now: 1000, sent: [], inFlight: [], logged: [], launches: 0, launchProblem: "", connection: { http_port: 4711, token: "t0ken" },
        opened: [], written: [], scoreIsSame: true, range: { startTick: 0, endTick: 1920, startStaff: 0, endStaff: 1, isWhole: true },
        place: { tick: 480, staff: 1, isChosen: true }, slices: 3, readerFails: false, writerFails: false,
        jobs: {},
        daemon: (method, address, body) => world.door(method, address, body)
    }, changes || {});
    // A daemon that takes every job and finishes it when `world.states` runs out.
    world.states = world.states || [];
    world.artefacts = [{ name: "result.notes", format: "notes", path: "/r/result.notes" },
        { name: "result.musicxml", format: "musicxml", path: "/r/result.musicxml" }, { name: "result.wav", format: "wav", path: "/r/result.wav" }];
    world.door = (method, address, body) => {
        if (address === "/api/message") {
            if (body.type === "hello") { return message("welcome", WELCOME); }
            if (body.type === "submit") { world.submitted = body.content; return message("accepted", { job: body.content.job, position: 0 }); }
            if (body.type === "cancel") { world.cancelled = body.content.job; return message("state", { job: body.content.job, phase: "running" }); }
        }
        if (/artefacts/.test(address)) { return { body: { notes: [{}, {}], parts: [{}] } }; }
        if (world.cancelled) { return { body: { phase: "cancelled", artefacts: [] } }; }
        const next = world.states.shift();
        return { body: Object.assign({ phase: "done", artefacts: world.artefacts, engine: "performer", warnings: [], stage: "", current: 0, total: 0, position: 0 }, next || {}) };
    };
    const door = client(requests(world), () => world.now);
    const host = {
        client: door, findConnection: () => world.connection, byHand: () => "In a terminal: scorebridge serve --detach",
        launchDaemon: () => { world.launches++; return world.launchProblem; },
        range: () => world.range, place: () => world.place,
        reader: (range) => slicer(world, world.readerFails, () => ({ ticks_per_quarter: 480, tempos: [], range: range })),
        writer: (notes, place) => { world.written.push({ notes, place, isDone: false }); return slicer(world, world.writerFails, () => { world.written[0].isDone = true; }); },
        restOf: (place) => ({ startTick: place.tick }), tempoMap: (notes) => ({ points: [[0, 0], [1, 2]], from: notes.range }),
        openScore: (file) => { world.opened.push(file); return world.canOpen !== false; }, sameScore: () => world.scoreIsSame,
        newId: () => "job-" + (world.sent.length + 1), now: () => world.now, log: (text) => world.logged.push(text)
    };
    host.link = link(host);
    world.link = host.link;
    world.talk = session(host);
    world.door_client = door;
    // Let time pass: the daemon answers, the Timer ticks.
    world.pass = (milliseconds) => {
        for (let gone = 0; gone < milliseconds; gone += 50) {
            world.now += 50;
            const asked = world.inFlight;
            world.inFlight = []; // an answer may bring the next request
            world.inFlight = asked.filter((request) => request.readyState !== 4 && !request.answer()).concat(world.inFlight);
            world.talk.tick();
        }
        return world.talk.view();
    };
    return world;
}

function slicer(world, fails, finished) {
    let left = world.slices;
    let value;
    return {
        next: (budget_ms) => {
            if (budget_ms > 50) { throw new Error("a slice of " + budget_ms + " ms blocks the window"); }
            if (fails) { throw new Error("the score said no"); }
            left--;
            if (left === 0) { value = finished(); }
            return { done: left <= 0, fraction: 1 - left / world.slices };
        },
        document: () => value,
        warnings: () => [{ code: "nested_tuplet", count: 2 }]
    };
}

module.exports = { makeWorld, message, plugin, WELCOME };

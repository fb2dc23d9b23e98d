// The dialog's conversation with the daemon: every way in which a job begins, goes on and ends.
"use strict";

const test = require("node:test");
const assert = require("node:assert/strict");
const { makeWorld, message, plugin, WELCOME } = require("./dialog_world.js");
const { tasks } = plugin("tasks.js");
const { LOST_MS, CANCEL_MS } = plugin("session.js");
const { START_MS } = plugin("link.js");

const task = (id) => tasks().find((one) => one.id === id);

test("a selection is read in slices, sent as notes, followed and handed out", () => {
    const world = makeWorld({ states: [{ phase: "running", stage: "Synthesising", current: 1, total: 4 }] });
    world.pass(100);
    world.talk.begin(task("listen"), { options: { swing: 0.6 } });
    const seen = [];
    for (let i = 0; i < 40; i++) {
        const view = world.pass(50);
        seen.push(view.phase + " " + view.stage + " " + view.fraction);
    }
    assert.ok(seen.some((line) => line.startsWith("reading Reading the selection 0.33")));
    assert.ok(seen.some((line) => line === "working Synthesising 0.25"));
    const view = world.talk.view();
    assert.equal(view.phase, "done");
    assert.equal(view.result.path, "/r/result.wav");
    assert.equal(view.result.engine, "performer");
    assert.deepEqual(view.result.warnings, [{ code: "nested_tuplet", count: 2 }]);
    assert.deepEqual(world.submitted.target, ["wav"]);
    assert.deepEqual(world.submitted.options, { swing: 0.6 });
    assert.equal(world.submitted.source.kind, "notes");
    assert.ok(world.submitted.lease > 0); // a window that is killed leaves no work behind
});

test("a recording's notes go to the place where the job was begun", () => {
    const world = makeWorld();
    world.pass(100);
    world.talk.begin(task("transcribe"), { path: "/a take.wav", options: {}, destination: "selection", beats: "found" });
    world.place = { tick: 9999, staff: 0 }; // the user clicked elsewhere meanwhile
    const view = world.pass(2000);
    assert.equal(view.phase, "done");
    assert.equal(view.result.noteCount, 2);
    assert.deepEqual(world.submitted.source, { kind: "path", path: "/a take.wav" });
    assert.equal(world.submitted.options.tempo_map, undefined);
    assert.deepEqual(world.written[0].place, { tick: 480, staff: 1, isChosen: true });
    assert.ok(world.written[0].isDone);
});

test("a recording that was played to the score's metronome takes the score's beats along", () => {
    const world = makeWorld();
    world.pass(100);
    world.talk.begin(task("transcribe"), { path: "/t.wav", options: {}, destination: "selection", beats: "score" });
    world.pass(2000);
    assert.deepEqual(world.submitted.options.tempo_map, { points: [[0, 0], [1, 2]], from: { startTick: 480 } });
});

test("what was just played goes to the selection, its last bars", () => {
    const world = makeWorld();
    world.pass(100);
    world.talk.begin(task("live"), { options: { quantise: "1/8" }, destination: "selection" });
    const view = world.pass(2000);
    assert.equal(view.phase, "done");
    assert.deepEqual(world.submitted.source, { kind: "live", seconds: 64 });
    assert.deepEqual(world.submitted.options, { quantise: "1/8", last_measures: 8 });
    assert.deepEqual(world.submitted.target, ["notes", "musicxml"]);
    assert.ok(world.written[0].isDone);
    world.talk.begin(task("live"), { options: { last_measures: 2 }, destination: "selection" });
    world.pass(2000);
    assert.deepEqual(world.submitted.source, { kind: "live", seconds: 16 });
});

test("a new score is opened by MuseScore, and where it cannot, the user is told", () => {
    for (const canOpen of [true, false]) {
        const world = makeWorld({ canOpen });
        world.pass(100);
        world.talk.begin(task("transcribe"), { path: "/t.wav", options: {}, destination: "score" });
        const view = world.pass(2000);
        assert.deepEqual(world.opened, ["/r/result.musicxml"]);
        assert.equal(world.written.length, 0);
        assert.equal(view.result.note !== "", !canOpen);
        assert.equal(view.result.path, "/r/result.musicxml");
    }
});

test("without a score a new one can still be made, and nothing else", () => {
    const world = makeWorld({ range: null, place: null });
    world.pass(100);
    world.talk.begin(task("listen"), { options: {} });
    assert.match(world.pass(100).problem.message, /No score is open/);
    world.talk.begin(task("transcribe"), { path: "/t.wav", options: {}, destination: "selection" });
    assert.match(world.pass(100).problem.message, /No score is open/);
    world.talk.begin(task("transcribe"), { path: "/t.wav", options: {}, destination: "score" });
    assert.equal(world.pass(2000).phase, "done");
});

test("the daemon's sentence and hint are shown when a job fails or is not taken", () => {
    const failed = { phase: "failed", code: "unreadable_file", message: "The file is not sound.", hint: "Send a WAV." };
    const world = makeWorld({ states: [failed] });
    world.pass(100);
    world.talk.begin(task("transcribe"), { path: "/t.txt", options: {}, destination: "selection" });
    assert.deepEqual(world.pass(1000).problem, { code: "unreadable_file", message: "The file is not sound.", hint: "Send a WAV." });
    const refusal = { code: "not_found", message: "There is no file '/t'.", hint: "Has it been moved?" };
    world.daemon = (method, address, body) => body && body.type === "submit" ? message("rejected", refusal) : world.door(method, address, body);
    world.talk.begin(task("transcribe"), { path: "/t", options: {}, destination: "selection" });
    assert.deepEqual(world.pass(1000).problem, refusal);
    assert.equal(world.written.length, 0);
});

test("what the score throws ends the job with a sentence", () => {
    const reading = makeWorld({ readerFails: true });
    reading.pass(100);
    reading.talk.begin(task("listen"), { options: {} });
    assert.match(reading.pass(200).problem.message, /the score said no/);
    const writing = makeWorld({ writerFails: true });
    writing.pass(100);
    writing.talk.begin(task("transcribe"), { path: "/t.wav", options: {}, destination: "selection" });
    const view = writing.pass(2000);
    assert.match(view.problem.message, /the score said no/);
    assert.match(view.problem.hint, /as it was/);
    assert.equal(view.isBusy, false);
});

test("nothing is inserted into another score than the one it was meant for", () => {
    const world = makeWorld({ scoreIsSame: false });
    world.pass(100);
    world.talk.begin(task("transcribe"), { path: "/t.wav", options: {}, destination: "selection" });
    assert.match(world.pass(2000).problem.message, /Another score/);
    assert.equal(world.written.length, 0);
});

test("cancelling while the daemon works cancels there and ends when the daemon says so", () => {
    const running = { phase: "running", stage: "Listening", current: 1, total: 9 };
    const world = makeWorld({ states: new Array(500).fill(running) });
    world.pass(100);
    world.talk.begin(task("transcribe"), { path: "/t.wav", options: {}, destination: "selection" });
    world.pass(500);
    world.talk.cancel();
    assert.equal(world.talk.view().stage, "Stopping");
    assert.equal(world.pass(300).phase, "cancelled");
    assert.equal(world.cancelled, world.submitted.job);
    assert.equal(world.written.length, 0);
});

test("a job that was done before its cancelling arrived is not inserted", () => {
    const world = makeWorld({ states: new Array(3).fill({ phase: "running" }) });
    world.pass(100);
    world.talk.begin(task("transcribe"), { path: "/t.wav", options: {}, destination: "selection" });
    world.pass(150);
    world.daemon = (method, address, body) => body && body.type === "cancel" ? "silence" : world.door(method, address, body);
    world.talk.cancel();
    assert.equal(world.pass(1500).phase, "cancelled");
    assert.equal(world.written.length, 0);
});

test("cancelling while the selection is read, or the writing is prepared, ends at once", () => {
    const world = makeWorld({ slices: 100 });
    world.pass(100);
    world.talk.begin(task("listen"), { options: {} });
    world.pass(100);
    world.talk.cancel();
    assert.equal(world.talk.view().phase, "cancelled");
    assert.equal(world.submitted, undefined);
    world.talk.begin(task("transcribe"), { path: "/t.wav", options: {}, destination: "selection" });
    assert.equal(world.pass(1000).phase, "inserting");
    world.talk.cancel();
    assert.equal(world.pass(6000).phase, "cancelled");
    assert.equal(world.written[0].isDone, false);
});

test("a daemon that never answers a cancel holds nobody up", () => {
    const world = makeWorld({ states: new Array(900).fill({ phase: "running" }) });
    world.pass(100);
    world.talk.begin(task("listen"), { options: {} });
    world.pass(500);
    world.daemon = () => "silence";
    world.talk.cancel();
    assert.equal(world.pass(CANCEL_MS + 200).phase, "cancelled");
});

test("a daemon that dies in the middle is told, and can be started", () => {
    const world = makeWorld({ states: new Array(900).fill({ phase: "running" }) });
    world.pass(100);
    world.talk.begin(task("transcribe"), { path: "/t.wav", options: {}, destination: "selection" });
    world.pass(500);
    world.daemon = () => "gone";
    const view = world.pass(LOST_MS + 500);
    assert.equal(view.phase, "failed");
    assert.match(view.problem.message, /ended while it worked/);
    assert.match(view.problem.hint, /score is as it was/);
    assert.equal(view.link, "absent");
    world.daemon = world.door; // started by somebody
    assert.equal(world.pass(1200).link, "ready");
});

test("a daemon that was started again with other ports is found, and asked about the job", () => {
    const world = makeWorld({ states: new Array(6).fill({ phase: "running" }) });
    world.pass(100);
    world.talk.begin(task("listen"), { options: {} });
    world.pass(400);
    world.daemon = (method, address, body, request) => /:4711/.test(request.address) ? "gone" : world.door(method, address, body);
    world.pass(300);
    world.connection = { http_port: 4712, token: "other" };
    assert.equal(world.pass(2000).phase, "done");
    assert.equal(world.sent[world.sent.length - 1].request.headers["X-ScoreBridge-Token"], "other");
});

test("no daemon: it says so, starts one, and waits until it answers", () => {
    const world = makeWorld({ connection: null });
    assert.equal(world.pass(100).link, "absent");
    world.link.start();
    assert.equal(world.launches, 1);
    assert.equal(world.pass(500).link, "starting");
    world.connection = { http_port: 5000, token: "new" };
    const view = world.pass(1000);
    assert.equal(view.link, "ready");
    assert.equal(view.welcome.server, WELCOME.server);
});

test("a daemon that does not come up, or cannot be started, is said with what to do by hand", () => {
    const world = makeWorld({ connection: null });
    world.pass(100);
    world.link.start();
    const late = world.pass(START_MS + 500);
    assert.equal(late.link, "absent");
    assert.match(late.linkProblem.message, /did not start/);
    assert.match(late.linkProblem.hint, /serve --detach/);
    const other = makeWorld({ connection: null, launchProblem: "This MuseScore does not let plugins start programs." });
    other.pass(100);
    other.link.start();
    assert.match(other.pass(100).linkProblem.message, /does not let plugins/);
});

test("a wrong token is said, and the next connection file is tried", () => {
    const world = makeWorld();
    world.daemon = (method, address, body, request) => request.headers["X-ScoreBridge-Token"] === "right" ?
        world.door(method, address, body) : { status: 401, body: { code: "unauthorised", message: "no", hint: "" } };
    const view = world.pass(200);
    assert.equal(view.link, "refused");
    assert.match(view.linkProblem.message, /did not accept this plugin's token/);
    assert.match(view.linkProblem.hint, /serve stop/);
    world.connection = { http_port: 4711, token: "right" };
    assert.equal(world.pass(1500).link, "ready");
});

test("a token that becomes wrong in the middle ends the job with that sentence", () => {
    const world = makeWorld({ states: new Array(900).fill({ phase: "running" }) });
    world.pass(100);
    world.talk.begin(task("listen"), { options: {} });
    world.pass(400);
    world.daemon = () => ({ status: 401, body: { code: "unauthorised", message: "no" } });
    const view = world.pass(LOST_MS + 500);
    assert.match(view.problem.message, /did not accept this plugin's token/);
    assert.equal(view.link, "refused");
});

test("a daemon whose first worker is not up yet is asked again for what it can do", () => {
    const world = makeWorld();
    let hellos = 0;
    world.daemon = (method, address, body) => {
        hellos++;
        return message("welcome", hellos < 3 ? { server: "s", directions: [] } : WELCOME);
    };
    assert.equal(world.pass(4000).welcome.directions.length, 1);
    assert.equal(hellos, 3);
});

test("closing the window cancels the job, drops what is awaited and inserts nothing", () => {
    const world = makeWorld({ states: [{ phase: "running" }] });
    world.pass(100);
    world.talk.begin(task("transcribe"), { path: "/t.wav", options: {}, destination: "selection" });
    world.pass(150);
    const job = world.submitted.job;
    world.talk.close();
    world.talk.close();
    world.pass(3000);
    assert.equal(world.cancelled, job);
    assert.equal(world.sent.filter((one) => one.body && one.body.type === "cancel").length, 1);
    assert.equal(world.written.length, 0);
});

test("one job at a time", () => {
    const world = makeWorld({ states: new Array(9).fill({ phase: "running" }) });
    world.pass(100);
    world.talk.begin(task("listen"), { options: {} });
    world.pass(300);
    world.talk.begin(task("perform"), { options: {} });
    assert.equal(world.sent.filter((one) => one.body && one.body.type === "submit").length, 1);
});

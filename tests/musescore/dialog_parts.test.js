// The dialog's smaller scripts: the HTTP door's client, options, tasks, paths, starting the daemon, sentences, beats.
"use strict";

const test = require("node:test");
const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { plugin, makeWorld } = require("./dialog_world.js");
const { client, readConnection, newId } = plugin("client.js");
const options = plugin("options.js");
const tasks = plugin("tasks.js");
const files = plugin("files.js");
const starter = plugin("starter.js");
const sentences = plugin("sentences.js");
const tempoMap = plugin("tempo_map.js");

// ---- the client ------------------------------------------------------------------------------------------------

test("the first connection file that holds one is used", () => {
    const held = { "/broken": "{\"http_port\": 1", "/zero": "{\"http_port\": 0, \"token\": \"x\"}", "/good": "{\"http_port\": 9, \"token\": \"x\"}" };
    const read = (name) => held[name] || "";
    assert.deepEqual(readConnection(["", "/none", "/broken", "/zero", "/good"], read), { http_port: 9, token: "x" });
    assert.equal(readConnection(["/none"], read), null);
});

test("ids are such as the daemon takes, and each is another", () => {
    const ids = new Set(Array.from({ length: 200 }, newId));
    assert.equal(ids.size, 200);
    ids.forEach((id) => assert.match(id, /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/));
});

test("an answer that does not come is given up, once, and the request aborted", () => {
    const world = makeWorld();
    world.daemon = () => "silence";
    let told = 0;
    world.door_client.state("a", (problem) => { told++; assert.ok(problem.isGone); });
    world.pass(7000);
    assert.equal(told, 1);
    assert.ok(world.sent[world.sent.length - 1].request.wasAborted || world.sent.some((one) => one.request.wasAborted));
});

test("what answers but is not ScoreBridge is said to be something else", () => {
    const world = makeWorld();
    world.daemon = () => ({ status: 200, body: undefined });
    let problem = null;
    world.door_client.state("a", (said) => { problem = said; });
    world.pass(100);
    assert.match(problem.message, /not ScoreBridge/);
    assert.equal(problem.isGone, false);
});

test("names with any letters reach the daemon as they are", async () => {
    const seen = [];
    const server = http.createServer((request, response) => { seen.push(decodeURIComponent(request.url)); response.end("{}"); });
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    const world = makeWorld();
    world.door_client.use({ http_port: server.address().port, token: "t" });
    world.door_client.artefact("job 1", "Für Elise & 'draft' #2.notes", () => {});
    const sent = world.sent[world.sent.length - 1].request;
    await fetch(sent.address);
    server.close();
    assert.deepEqual(seen, ["/api/jobs/job 1/artefacts/Für Elise & 'draft' #2.notes"]);
});

// ---- options ---------------------------------------------------------------------------------------------------

const SCHEMA = {
    properties: {
        engine: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
        quantise: { default: "auto", enum: ["auto", "none"], type: "string" },
        swing: { default: 0.5, minimum: 0.5, maximum: 0.75, type: "number" },
        onset_threshold: { default: 0.5, exclusiveMinimum: 0, exclusiveMaximum: 1, type: "number" },
        split_point: { anyOf: [{ type: "integer", minimum: 0, maximum: 127 }, { type: "null" }], default: null },
        deadpan: { default: false, type: "boolean" },
        tempo_map: { anyOf: [{ $ref: "#/$defs/TempoMapOption" }, { type: "null" }], default: null },
        brand_new: { default: 3, type: "integer" }
    }
};
const form = (names, engines) => options.fields(SCHEMA, names, engines || []);

test("the form has the daemon's names, kinds, defaults and ranges", () => {
    const fields = form(["quantise", "swing", "split_point", "deadpan", "tempo_map", "unknown", "brand_new"]);
    assert.deepEqual(fields.map((field) => [field.name, field.kind, field.initial]), [
        ["quantise", "choice", "auto"], ["swing", "number", 0.5], ["split_point", "number", null], ["deadpan", "toggle", false],
        ["brand_new", "number", 3]
    ]);
    assert.deepEqual(fields.map(options.rangeText), ["", "0.5 – 0.75", "0 – 127", "", ""]);
    assert.equal(fields[4].label, "brand new"); // an option of a newer daemon is shown under its own name
});

test("only what differs from the default is sent", () => {
    const fields = form(["quantise", "swing", "split_point", "deadpan"]);
    const chosen = options.chosen(fields, { quantise: "auto", swing: "0,6", split_point: "", deadpan: true });
    assert.deepEqual(chosen, { options: { swing: 0.6, deadpan: true }, problem: "" });
    assert.deepEqual(options.chosen(fields, { split_point: " 60 " }).options, { split_point: 60 });
});

test("what is out of range or no number gets a sentence that names the option", () => {
    const fields = form(["swing", "split_point", "onset_threshold"]);
    assert.match(options.chosen(fields, { swing: "0.9" }).problem, /Swing is out of range \(0.5 – 0.75\)/);
    assert.match(options.chosen(fields, { onset_threshold: "1" }).problem, /out of range/);
    assert.match(options.chosen(fields, { split_point: "60.5" }).problem, /whole number/);
    assert.match(options.chosen(fields, { swing: "much" }).problem, /must be a number/);
});

test("engines are offered where there is a choice, the best measured first", () => {
    const engines = [{ name: "basic-pitch" }, { name: "transkun" }];
    const field = form(["quantise"], engines)[0];
    assert.equal(field.name, "engine");
    assert.deepEqual(field.choices.map((choice) => choice.value), [null, "basic-pitch", "transkun"]);
    assert.deepEqual(options.chosen([field], { engine: null }).options, {});
    assert.deepEqual(options.chosen([field], { engine: "transkun" }).options, { engine: "transkun" });
});

// ---- tasks -----------------------------------------------------------------------------------------------------

test("every task has what the dialog shows and the daemon is asked for", () => {
    tasks.tasks().forEach((task) => {
        ["id", "title", "about", "action", "source", "from", "to", "delivery"].forEach((name) => assert.equal(typeof task[name], "string", task.id + " " + name));
        assert.ok(task.targets.length && Array.isArray(task.engines) && Array.isArray(task.options));
        assert.equal(task.source === "file", !!task.fileTitle);
    });
});

test("a task that the daemon cannot do has the daemon's own reason and hint", () => {
    const welcome = {
        directions: [
            { source: "image", target: "notation", ready: false, engines: [], reason: "No engine reads images.", hint: "Scan elsewhere." },
            { source: "audio", target: "performance", ready: true, engines: [{ name: "a", ready: true }, { name: "b", ready: false }, { name: "c", ready: true }] }
        ],
        formats: { audio: { read: ["wav", "mp3"] } }
    };
    const [transcribe, read] = ["transcribe", "read"].map((id) => tasks.tasks().find((task) => task.id === id));
    assert.deepEqual(tasks.readiness(read, welcome), { isReady: false, message: "No engine reads images.", hint: "Scan elsewhere." });
    assert.equal(tasks.readiness(transcribe, welcome).isReady, true);
    assert.deepEqual(tasks.engineChoices(transcribe, welcome).map((engine) => engine.name), ["a", "c"]);
    assert.deepEqual(tasks.endings(transcribe, welcome), ["wav", "mp3"]);
    assert.deepEqual(tasks.endings(transcribe, null), []);
});

test("a task's own engine is asked for where it is ready and the user chose none", () => {
    const engine = (name, ready) => ({ name, ready, summary: "" });
    const welcomeOf = (ready) => ({
        directions: [{ source: "notation", target: "performance", ready: true, engines: [engine("performer", true), engine("unified-performer", ready)] }],
    });
    const perform = tasks.tasks().find((task) => task.id === "perform");
    assert.equal(perform.prefers, "unified-performer");
    assert.deepEqual(tasks.withPreference(perform, welcomeOf(true), { swing: 0.6 }), { swing: 0.6, engine: "unified-performer" });
    assert.deepEqual(tasks.withPreference(perform, welcomeOf(true), { engine: "performer" }), { engine: "performer" });
    assert.deepEqual(tasks.withPreference(perform, welcomeOf(false), {}), {});
    assert.deepEqual(tasks.withPreference(perform, null, {}), {});
    assert.deepEqual(tasks.withPreference(tasks.tasks()[0], welcomeOf(true), {}), {});
});

// ---- files -----------------------------------------------------------------------------------------------------

test("paths and addresses turn into each other on every system", () => {
    const pairs = [["/a b/Für Elise #1?.wav", "file:///a%20b/F%C3%BCr%20Elise%20%231%3F.wav"], ["C:/a b/x.wav", "file:///C:/a%20b/x.wav"]];
    pairs.forEach(([name, address]) => {
        assert.equal(files.addressOf(name), address);
        assert.equal(files.pathOf(address), name);
    });
    assert.equal(files.addressOf("C:\\a\\x.wav"), "file:///C:/a/x.wav");
    assert.equal(files.pathOf("/plain"), "/plain");
    assert.equal(files.folderOf("/a/b/c.wav"), "/a/b");
    assert.equal(files.nameOf("C:\\a\\x.wav"), "x.wav");
});

test("typed paths may be quoted, an address, or begin at home", () => {
    assert.equal(files.typedPath(" \"/a b/c.wav\" ", "/home/me"), "/a b/c.wav");
    assert.equal(files.typedPath("~/c.wav", "/home/me"), "/home/me/c.wav");
    assert.equal(files.typedPath("file:///a%20b", "/home/me"), "/a b");
    assert.equal(files.typedPath("/it's", "/home/me"), "/it's");
});

test("the file picker offers what the daemon reads, and everything", () => {
    assert.deepEqual(files.pickerFilters("Recording", ["wav", "mp3"]), ["Recording (*.wav *.mp3)", "All files (*)"]);
    assert.deepEqual(files.pickerFilters("Recording", []), ["All files (*)"]);
});

// ---- starting the daemon ---------------------------------------------------------------------------------------

test("each version of MuseScore starts it in its own way", () => {
    const marker = { client: "/opt/a b/scorebridge", starter: "/p l/start.sh" };
    const started = [];
    const old = { start: (line) => started.push(line) };
    const modern = { start: () => assert.fail("does not split"), startWithArgs: (program, words) => started.push([program, words]) };
    assert.equal(starter.start(() => old, marker, 3), "");
    assert.equal(starter.start(() => old, marker, 4), ""); // 4.0 to 4.2
    assert.equal(starter.start(() => modern, marker, 4), "");
    assert.equal(starter.start(() => old, { client: "/opt/a b/scorebridge" }, 3), "");
    assert.deepEqual(started, ["\"/p l/start.sh\"", "/p l/start.sh", ["/p l/start.sh", []], "\"/opt/a b/scorebridge\" \"serve\" \"--detach\""]);
});

test("where it cannot be started, a sentence says why and what to do", () => {
    assert.match(starter.start(() => null, { client: "x" }, 3), /does not let plugins start programs/);
    assert.match(starter.start(() => ({}), starter.markerOf("not json"), 3), /does not know where ScoreBridge is installed/);
    assert.match(starter.byHand({}), /scorebridge serve --detach/);
});

test("the connection file is looked for where the installer saw it and at home", () => {
    assert.deepEqual(starter.connectionPaths({ connection: "/run/c.json" }, "/home/me"), ["/run/c.json", "/home/me/.scorebridge/connection.json"]);
});

test("whatever the cursor leaves out has its sentence", () => {
    const folder = path.join(__dirname, "../../plugins/musescore");
    const codes = new Set();
    for (const name of fs.readdirSync(folder).filter((file) => file.endsWith(".js"))) {
        const text = fs.readFileSync(path.join(folder, name), "utf8");
        for (const found of text.matchAll(/\bwarnings\.([a-z_]+) = |\bcount\(sorted, "([a-z_]+)"\)/g)) { codes.add(found[1] || found[2]); }
    }
    assert.ok(codes.size > 5);
    codes.forEach((code) => assert.ok(sentences.leftOut()[code], code));
});

// ---- sentences and beats ---------------------------------------------------------------------------------------

const score = (() => {
    const measures = [0, 1920, 3840, 5760].map((tick) => ({ firstSegment: { tick } }));
    measures.forEach((measure, i) => { measure.nextMeasure = measures[i + 1] || null; });
    return { firstMeasure: measures[0] };
})();

test("a selection is told in measures and staves", () => {
    const sentence = (startTick, endTick, startStaff, endStaff) => sentences.rangeSentence(sentences.measureTicks(score), { startTick, endTick, startStaff, endStaff, isWhole: false });
    assert.equal(sentence(1920, 5760, 0, 2), "Measures 2–3, staves 1–2");
    assert.equal(sentence(1920, 3840, 1, 2), "Measure 2, staff 2");
    assert.equal(sentences.rangeSentence(sentences.measureTicks(score), { startTick: 0, endTick: 7680, isWhole: true }), "The whole score (nothing is selected), 4 measures");
    assert.equal(sentences.placeSentence(sentences.measureTicks(score), { tick: 2000, staff: 1 }), "from measure 2, staff 2");
});

test("a result names the notes, the time and the engine", () => {
    assert.equal(sentences.resultSentence({ engine: "a → b", elapsed_s: 1.26, noteCount: null }), "Done in 1.3 s by a → b.");
    assert.equal(sentences.resultSentence({ engine: "", elapsed_s: 75, noteCount: 1 }), "1 note is in the score. Done in 1 min 15 s.");
    assert.deepEqual(sentences.warningSentences(["The daemon says.", { code: "unheard_of_thing", count: 2 }]), ["The daemon says.", "Not carried over: unheard of thing (2×)"]);
    assert.deepEqual(sentences.warningSentences([{ code: "no_room", count: 3 }]), ["Notes that found no free voice, left out: 3"]);
});

test("the score's tempo marks become seconds", () => {
    const map = tempoMap.ofDocument({
        ticks_per_quarter: 480, tempos: [{ tick: 0, quarters_per_minute: 60 }, { tick: 1920, quarters_per_minute: 120 }],
        meters: [{ tick: 0, numerator: 3, denominator: 4 }], keys: [{ tick: 480, fifths: -2, mode: "minor" }]
    });
    assert.deepEqual(map, {
        points: [[0, 0], [4, 4], [6, 8]], meters: [{ quarter: 0, numerator: 3, denominator: 4 }], keys: [{ quarter: 1, fifths: -2, mode: "minor" }]
    });
    assert.deepEqual(tempoMap.ofDocument({ tempos: [{ tick: 480, quarters_per_minute: 60 }] }).points, [[0, 0], [0.5, 1], [4.5, 5]]);
});

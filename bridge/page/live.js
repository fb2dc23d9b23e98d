// The live page: a session is chosen or started, and followed.

import { ask, at, attempt, connect, notice } from "/daemon.js";
import { allowExports, offerExports } from "/exports.js";
import { pitchName, Roll } from "/roll.js";
import { Score } from "/score.js";

const LAST_NOTES = 8;
const SHOWN_S = 20; // of notes that were played before the page was opened
const NEVER_DB = -120;

const sessions = new Map(); // id → its state
const roll = new Roll(at("roll"));
const score = new Score(at("score"), at("score-facts"), at("score-empty"));
let live = null; // the session that is shown
let lastNotes = [];

const isOn = (state) => Boolean(state) && ["starting", "listening", "stopping"].includes(state.phase);

// ---- sources --------------------------------------------------------------------------------------------------------

async function loadSources() {
  const { sources } = await ask("live.sources");
  const chosen = at("source").value;
  at("source").replaceChildren(...sources.map((source) => {
    const option = document.createElement("option");
    option.value = source.source;
    option.textContent = source.ready ? source.name : `${source.name} – not ready`;
    option.disabled = !source.ready;
    option.dataset.hint = [source.reason, source.hint].filter(Boolean).join(" ");
    return option;
  }));
  if ([...at("source").options].some((option) => option.value === chosen && !option.disabled)) at("source").value = chosen;
  showControls();
}

function showHint() {
  const missing = [...at("source").options].filter((option) => option.disabled && option.dataset.hint);
  const chosen = at("source").selectedOptions[0];
  at("source-hint").textContent = isOn(sessions.get(live)) ? "" : (chosen && chosen.dataset.hint) || (missing[0] && missing[0].dataset.hint) || "";
}

// ---- sessions -------------------------------------------------------------------------------------------------------

function showControls() {
  const on = isOn(sessions.get(live));
  at("start").disabled = !at("source").value || on;
  at("stop").disabled = !on;
  at("source").disabled = on;
  at("look").disabled = on;
  showHint();
  allowExports(Boolean(live) && Boolean(sessions.get(live)?.notes));
}

function showSessions() {
  at("sessions-field").hidden = sessions.size < 2;
  at("sessions").replaceChildren(...[...sessions.values()].map((state) => {
    const option = document.createElement("option");
    option.value = state.live;
    option.textContent = `${state.source || state.kind}${isOn(state) ? "" : ` – ${state.phase}`}`;
    option.selected = state.live === live;
    return option;
  }));
}

async function choose(id) {
  live = id;
  roll.rest();
  roll.clear();
  lastNotes = [];
  at("exported").textContent = "";
  const state = sessions.get(id);
  score.show(id);
  showSessions();
  if (!state) {
    showState(null);
    return;
  }
  roll.setClock(state.position);
  showState(state);
  const { notes } = await ask("live.keep", { live: id, seconds: SHOWN_S, formats: [] });
  notes.forEach((note, index) => roll.add({ ...note, note: `kept ${index}`, phase: "confirmed" }));
  if (!isOn(state)) freezeAt(state.position);
}

function freezeAt(position) {
  roll.rest();
  roll.frozen = position;
  roll.redraw();
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

// What a screen reader is told: when a session begins, ends or is in trouble; not every second of it.
function showState(state) {
  const words = stateWords(state);
  if (at("state").dataset.words !== words) {
    at("state").dataset.words = words;
    at("state").replaceChildren(words, Object.assign(document.createElement("span"), { id: "time", ariaHidden: "true" }));
  }
  at("time").textContent = isOn(state) ? ` · ${clock(state.position)}` : "";
  if (isOn(state) && state.phase !== "stopping") roll.run();
  showSignal(state);
  showControls();
}

function stateWords(state) {
  if (!state) return "No session. Choose what to listen to, then press Start.";
  if (state.message && state.phase !== "ended") return [state.message, state.hint].filter(Boolean).join(" ");
  if (state.phase === "starting") return "Starting …";
  if (state.phase === "listening") return `Listening to ${state.source}`;
  if (state.phase === "stopping") return "Stopping …";
  const trouble = [state.message, state.hint].filter(Boolean).join(" ");
  return `The session has ended after ${clock(state.position)}. ${trouble}`.trim();
}

const ms = (seconds) => `${Math.max(1, Math.round(seconds * 1000))} ms`;

// A tile of the signal: what matters, and under it, small, what else there is to say.
function tile(id, words, more = "") {
  if (at(id).textContent === words + more) return;
  at(id).replaceChildren(words, Object.assign(document.createElement("small"), { textContent: more }));
}

function showSignal(state) {
  const sound = state && state.level > NEVER_DB;
  const midi = state && state.reader === "MIDI";
  at("level").hidden = Boolean(midi);
  at("level").value = sound ? state.level : -60;
  at("level-words").textContent = midi ? "none: MIDI" : sound ? `${Math.round(state.level)} dB, peak ${Math.round(state.peak)} dB` : "silent";
  if (state && state.latency !== null) tile("latency", ms(state.latency), `95 of 100 within ${ms(state.latency_p95)}`);
  else tile("latency", "–");
  const dropped = state ? state.lost + state.late + state.malformed : 0;
  if (state && state.packets) tile("dropped", String(dropped), `of ${state.packets + state.lost}`);
  else tile("dropped", "–");
  if (state) tile("count", String(state.notes), state.withdrawn ? `${state.withdrawn} more withdrawn` : "");
  else tile("count", "–");
  if (state && state.drift !== null) tile("drift", state.drift.toFixed(0), "parts in a million");
  else tile("drift", "–", "not known yet");
}

async function start() {
  const started = await ask("live.start", { live: crypto.randomUUID(), source: at("source").value });
  sessions.set(started.live, await ask("live.status", { live: started.live }));
  await choose(started.live);
  at("stop").focus();
}

async function stop() {
  const ended = await ask("live.stop", { live });
  received("live.ended", ended);
  at("start").focus();
}

// ---- events ---------------------------------------------------------------------------------------------------------

function hearNote(note) {
  roll.add(note);
  if (note.phase !== "confirmed") return;
  lastNotes = [...lastNotes, pitchName(note.pitch, score.flats)].slice(-LAST_NOTES);
  at("last-notes").textContent = `Last notes: ${lastNotes.join(" ")}`;
}

function hearBars(bars) {
  roll.addBar(bars.seconds, bars.last + 1);
  score.fetch();
}

function received(type, content) {
  const id = content.live;
  if (!id) return;
  if (type === "live.started" && !sessions.has(id)) {
    ask("live.status", { live: id }).then((state) => {
      sessions.set(id, state);
      if (!isOn(sessions.get(live))) choose(id);
      else showSessions();
    }, () => {});
  } else if (type === "live.state") {
    sessions.set(id, content);
    if (id !== live) return;
    roll.setClock(content.position);
    showState(content);
  } else if (type === "live.ended") {
    const { reason, code, message, hint, duration } = content;
    const phase = reason === "failed" ? "failed" : "ended";
    sessions.set(id, { ...sessions.get(id), live: id, phase, code, message, hint, position: duration });
    showSessions();
    if (id !== live) return;
    freezeAt(duration);
    showState(sessions.get(id));
    score.fetch();
  } else if (id === live && type === "live.note") hearNote(content);
  else if (id === live && type === "live.bars") hearBars(content);
}

async function refresh(fresh, restarted) {
  if (!fresh) return;
  notice(restarted && isOn(sessions.get(live)) ? "ScoreBridge was started anew; the session has ended." : "");
  const { sessions: known } = await ask("live.list");
  sessions.clear();
  known.forEach((state) => sessions.set(state.live, state));
  await loadSources();
  const next = sessions.has(live) ? live : (known.find(isOn) || known[0])?.live ?? null;
  if (restarted && next === null) {
    live = null;
    showSessions();
    showState(null);
  } else await choose(next);
}

at("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  at("start").disabled = true;
  attempt(start)().then(showControls);
});
at("stop").addEventListener("click", attempt(stop));
at("look").addEventListener("click", attempt(loadSources));
at("source").addEventListener("change", showHint);
at("sessions").addEventListener("change", () => attempt(() => choose(at("sessions").value))());
offerExports(() => live);
connect(refresh, received, () => roll.rest());

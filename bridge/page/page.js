"use strict";

// The link that opened this page carries a one-time ticket in its fragment. It is exchanged for a token of this page,
// which is kept for this tab alone, and removed from the address bar.

const TOKEN = "scorebridge-token";
const at = (id) => document.getElementById(id);
const jobs = new Map(); // id → the state that is shown

function notice(sentence, hint) {
  at("notice").textContent = [sentence, hint].filter(Boolean).join(" ");
  at("notice").hidden = !sentence;
}

function connection(state, words) {
  at("connection").dataset.state = state;
  at("connection").textContent = words;
}

async function call(path, options = {}) {
  const headers = { "X-ScoreBridge-Token": sessionStorage.getItem(TOKEN) || "" };
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({ message: response.statusText }));
  throw Object.assign(new Error(problem.message), problem, { status: response.status });
}

async function ask(type, content = {}) {
  const body = JSON.stringify({ type, content });
  const answer = await (await call("/api/message", { method: "POST", body })).json();
  if (answer.type === "error") throw Object.assign(new Error(answer.content.message), answer.content);
  return answer.content;
}

async function redeemTicket() {
  const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");
  if (!ticket) return;
  history.replaceState(null, "", location.pathname);
  const body = JSON.stringify({ ticket });
  const { token } = await (await call("/api/session", { method: "POST", body })).json();
  sessionStorage.setItem(TOKEN, token);
}

// ---- jobs -----------------------------------------------------------------------------------------------------------

const WORDS = { queued: "waiting", running: "running", done: "done", failed: "failed", cancelled: "cancelled" };

function merged(state, type, event) {
  if (type === "progress") return { ...state, ...event, phase: "running" };
  if (type === "done" || type === "failed" || type === "cancelled") return { ...state, ...event, phase: type };
  return state;
}

function detail(state) {
  if (state.phase === "failed") return [state.message, state.hint].filter(Boolean).join(" ");
  if (state.phase === "running") return [state.stage, state.message].filter(Boolean).join(" · ");
  if (state.phase === "queued" && state.position) return `${state.position} before it`;
  if (state.phase === "done") return [state.engine, ...(state.warnings || [])].filter(Boolean).join(" · ");
  return "";
}

async function download(job, name) {
  const path = `/api/jobs/${encodeURIComponent(job)}/artefacts/${encodeURIComponent(name)}`;
  const url = URL.createObjectURL(await (await call(path)).blob());
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

function attempt(action) {
  return () => action().then(() => notice(""), (problem) => notice(problem.message, problem.hint));
}

function fileButton(job, artefact) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = artefact.name;
  button.addEventListener("click", attempt(() => download(job, artefact.name)));
  return button;
}

function row(job) {
  let item = document.querySelector(`li[data-job="${CSS.escape(job)}"]`);
  if (item) return item;
  item = at("job").content.firstElementChild.cloneNode(true);
  item.dataset.job = job;
  item.querySelector(".cancel").addEventListener("click", attempt(() => ask("cancel", { job })));
  at("jobs").prepend(item);
  return item;
}

function show(state) {
  jobs.set(state.job, state);
  const item = row(state.job);
  item.dataset.phase = state.phase;
  item.querySelector(".phase").textContent = WORDS[state.phase] || state.phase;
  const title = item.querySelector(".title");
  title.textContent = (state.artefacts || []).map((file) => file.name).join(", ") || state.job;
  title.title = state.job;
  if (state.submitted) item.querySelector("time").textContent = new Date(state.submitted * 1000).toLocaleTimeString();
  const bar = item.querySelector("progress");
  if (state.total > 0) bar.value = Math.min(1, state.current / state.total);
  else bar.removeAttribute("value");
  item.querySelector(".detail").textContent = detail(state);
  item.querySelector(".files").replaceChildren(...(state.artefacts || []).map((file) => fileButton(state.job, file)));
  at("empty").hidden = true;
}

async function loadJobs() {
  const { jobs: states } = await ask("jobs", { limit: 50 });
  states.reverse().forEach(show);
  at("empty").hidden = jobs.size > 0;
}

async function loadWelcome() {
  const welcome = await ask("hello", { client: "page" });
  at("server").textContent = welcome.server;
  at("directions").replaceChildren(...welcome.directions.map((direction) => {
    const line = document.createElement("tr");
    const engines = direction.engines.filter((engine) => engine.ready).map((engine) => engine.name);
    const via = direction.chain.length ? direction.chain.join(" → ") : engines.join(", ");
    const words = direction.ready ? via : [direction.reason, direction.hint].filter(Boolean).join(" ");
    for (const text of [direction.source, direction.target, words]) {
      const cell = line.insertCell();
      cell.textContent = text;
      if (!direction.ready) cell.className = "missing";
    }
    return line;
  }));
}

// ---- events ---------------------------------------------------------------------------------------------------------

let epoch = "";
let last = 0;
let pause = 500;

function received(data) {
  const word = JSON.parse(data);
  if (!word.message) { // the first word of a stream: where it starts, and whether something is missing before it
    epoch = word.epoch;
    last = word.seq;
    return;
  }
  last = word.seq;
  const { type, content } = word.message;
  if (!content.job) return;
  if (jobs.has(content.job)) show(merged(jobs.get(content.job), type, content));
  else ask("status", { job: content.job }).then(show, () => {});
}

async function refresh() {
  try {
    await loadWelcome();
    await loadJobs();
    pause = 500;
  } catch (problem) {
    if (problem.status === 401) return lostAccess();
    notice(problem.message, problem.hint);
  }
  return true;
}

function lostAccess() {
  sessionStorage.removeItem(TOKEN);
  connection("lost", "not connected");
  notice("This page's link has run out.", "Open it again with: scorebridge page");
  return false;
}

function listen() {
  const token = sessionStorage.getItem(TOKEN);
  if (!token) return;
  const since = epoch ? `?since=${last}&epoch=${epoch}` : "";
  const socket = new WebSocket(`ws://${location.host}/api/events${since}`, ["scorebridge", `scorebridge.token.${token}`]);
  socket.onopen = async () => {
    connection("open", "connected");
    await refresh(); // after the stream is open, so that nothing falls between list and events
  };
  socket.onmessage = (event) => received(event.data);
  socket.onclose = () => {
    connection("lost", "connection lost, trying again …");
    call("/api/jobs?limit=1").then(null, (problem) => problem.status === 401).then((refused) => {
      if (refused === true) lostAccess();
      else setTimeout(listen, pause = Math.min(2 * pause, 10000));
    });
  };
}

async function start() {
  try {
    await redeemTicket();
  } catch (problem) {
    connection("lost", "not connected");
    notice(problem.message, problem.hint);
    return;
  }
  if (sessionStorage.getItem(TOKEN)) listen();
  else lostAccess();
}

start();

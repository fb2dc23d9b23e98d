import { ask, at, attempt, connect, download } from "/daemon.js";

const jobs = new Map(); // id → the state that is shown

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

function received(type, content) {
  if (!content.job) return;
  if (jobs.has(content.job)) show(merged(jobs.get(content.job), type, content));
  else ask("status", { job: content.job }).then(show, () => {});
}

async function refresh() {
  await loadWelcome();
  await loadJobs();
}

connect(refresh, received);

// How the pages talk to the daemon: the one-time ticket of the link, requests, and the stream of events.

const TOKEN = "scorebridge-token";
const LONGEST_PAUSE_MS = 5000;

export const at = (id) => document.getElementById(id);

export function notice(sentence, hint) {
  at("notice").textContent = [sentence, hint].filter(Boolean).join(" ");
  at("notice").hidden = !sentence;
}

export function connection(state, words) {
  if (at("connection").dataset.state === state && at("connection").textContent === words) return;
  at("connection").dataset.state = state;
  at("connection").textContent = words;
}

function problemOf(content) {
  return Object.assign(new Error(content.message), content);
}

export async function call(path, options = {}) {
  const headers = { "X-ScoreBridge-Token": sessionStorage.getItem(TOKEN) || "" };
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({ message: response.statusText }));
  throw Object.assign(problemOf(problem), { status: response.status });
}

export async function ask(type, content = {}) {
  const body = JSON.stringify({ type, content });
  const answer = await (await call("/api/message", { method: "POST", body })).json();
  if (answer.type === "error") throw problemOf(answer.content);
  return answer.content;
}

/** An event listener that shows what goes wrong in words. */
export function attempt(action) {
  return () => action().then(() => notice(""), (problem) => notice(problem.message, problem.hint));
}

export async function download(job, name) {
  const path = `/api/jobs/${encodeURIComponent(job)}/artefacts/${encodeURIComponent(name)}`;
  const url = URL.createObjectURL(await (await call(path)).blob());
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// The link that opened the page carries a one-time ticket in its fragment. It is exchanged for a token of this page,
// which is kept for this tab alone, and removed from the address bar.
async function redeemTicket() {
  const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");
  if (!ticket) return;
  history.replaceState(null, "", location.pathname);
  const body = JSON.stringify({ ticket });
  const { token } = await (await call("/api/session", { method: "POST", body })).json();
  sessionStorage.setItem(TOKEN, token);
}

function lostAccess() {
  sessionStorage.removeItem(TOKEN);
  connection("lost", "not connected");
  notice("This page's link has run out.", "Open it again with: scorebridge page");
}

/** The events of the daemon, also of the one after it.
 *
 * `refresh(fresh)` is called once the stream is open, so that nothing falls between what it asks for and the events;
 * `fresh` says whether events before it were missed. `received(type, content)` is called with each event.
 */
class Stream {
  constructor(refresh, received, lost) {
    this.refresh = refresh;
    this.received = received;
    this.lost = lost;
    this.epoch = "";
    this.last = 0;
    this.pause = 250;
    this.alive = false;
  }

  open() {
    const token = sessionStorage.getItem(TOKEN);
    if (!token) return;
    const since = this.epoch ? `?since=${this.last}&epoch=${this.epoch}` : "";
    const protocols = ["scorebridge", `scorebridge.token.${token}`];
    const socket = new WebSocket(`ws://${location.host}/api/events${since}`, protocols);
    socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    socket.onclose = () => this.again();
  }

  hear(word) {
    if (word.message) {
      this.last = word.seq;
      this.received(word.message.type, word.message.content);
      return;
    }
    // The first word of a stream: where it starts, and whether something is missing before it.
    const fresh = !this.alive || word.lost || word.epoch !== this.epoch;
    const restarted = this.epoch !== "" && word.epoch !== this.epoch;
    Object.assign(this, { epoch: word.epoch, last: word.seq, alive: true });
    this.refresh(fresh, restarted).then(
      () => {
        this.pause = 250;
        connection("open", "connected");
      },
      (problem) => (problem.status === 401 ? lostAccess() : notice(problem.message, problem.hint)),
    );
  }

  async again() {
    connection("lost", "connection lost, trying again …");
    this.lost();
    const refused = await call("/api/jobs?limit=1").then(() => false, (problem) => problem.status === 401);
    if (refused) {
      lostAccess();
      return;
    }
    setTimeout(() => this.open(), this.pause);
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE_MS);
  }
}

export async function connect(refresh, received, lost = () => {}) {
  try {
    await redeemTicket();
  } catch (problem) {
    connection("lost", "not connected");
    notice(problem.message, problem.hint);
    return;
  }
  if (sessionStorage.getItem(TOKEN)) new Stream(refresh, received, lost).open();
  else lostAccess();
}

// The last bars of a session as the daemon engraves them.

import { ask } from "/daemon.js";

const WIDE_BARS = 4;
const NARROW_BARS = 2;
const NARROW_PX = 560;
const KEYS = ["C♭", "G♭", "D♭", "A♭", "E♭", "B♭", "F", "C", "G", "D", "A", "E", "B", "F♯", "C♯", "G♯", "D♯", "A♯"];

function keyName(facts) {
  if (!facts.mode) return "";
  return `${KEYS[facts.fifths + 7 + (facts.mode === "minor" ? 3 : 0)]} ${facts.mode}`;
}

export class Score {
  constructor(picture, words, empty) {
    Object.assign(this, { picture, words, empty });
    this.live = null;
    this.asking = false;
    this.wanted = false;
    this.width = 0;
    this.flats = false; // whether the key has flats
    new ResizeObserver(() => this.resized()).observe(picture.parentElement);
  }

  /** Show another session; null: none. */
  show(live) {
    this.live = live;
    this.picture.replaceChildren();
    this.words.textContent = "";
    this.picture.setAttribute("aria-label", "No bars yet");
    this.empty.hidden = false;
    if (live) this.fetch();
  }

  resized() {
    const width = Math.round(this.picture.parentElement.clientWidth);
    if (Math.abs(width - this.width) > 8) this.fetch();
  }

  /** Ask for the bars as they are now; while an answer is awaited, once more after it. */
  async fetch() {
    if (!this.live) return;
    if (this.asking) {
      this.wanted = true;
      return;
    }
    this.asking = true;
    const live = this.live;
    try {
      this.width = Math.round(this.picture.parentElement.clientWidth);
      const inner = Math.min(4000, Math.max(200, this.width - 36));
      const bars = inner < NARROW_PX ? NARROW_BARS : WIDE_BARS;
      const engraved = await ask("live.score", { live, bars, width: inner });
      if (live === this.live) this.draw(engraved);
    } catch (problem) {
      if (problem.code !== "unknown_live") this.words.textContent = problem.message;
    } finally {
      this.asking = false;
    }
    if (this.wanted) {
      this.wanted = false;
      this.fetch();
    }
  }

  draw(engraved) {
    if (!engraved.svg) return;
    const parsed = new DOMParser().parseFromString(engraved.svg, "image/svg+xml").documentElement;
    if (parsed.nodeName !== "svg") return;
    const svg = document.importNode(parsed, true);
    svg.setAttribute("aria-hidden", "true");
    this.picture.replaceChildren(svg);
    this.empty.hidden = true;
    this.flats = engraved.fifths < 0;
    const { shown, last, numerator, denominator, tempo } = engraved;
    const bars = shown === last ? `Bar ${last}` : `Bars ${shown}–${last}`;
    const facts = [bars, `${numerator}/${denominator}`, keyName(engraved), `${Math.round(tempo)} quarter notes a minute`];
    this.words.textContent = [...facts.slice(0, 3), `♩ = ${Math.round(tempo)}`].filter(Boolean).join(" · ");
    this.picture.setAttribute("aria-label", `Score: ${facts.filter(Boolean).join(", ")}`);
  }
}

// The piano roll: the last seconds of a session, scrolling; notes that are confirmed, and notes that may still go.

const SECONDS_WIDE = 14;
const SECONDS_NARROW = 7; // in a narrow window
const NARROW_PX = 560;
const KEPT_S = 40;
const KEYS_PX = 34;
const AHEAD = 0.06; // share of the width to the right of now
const FADE_S = 0.6; // a note that was withdrawn goes
const FEWEST_PITCHES = 25;
const STILL_STEP_S = 0.5; // between pictures where motion is to be reduced
const BLACK = new Set([1, 3, 6, 8, 10]);

const SHARPS = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const FLATS = ["C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B"];

/** A pitch's name with its octave: 60 is C4. */
export function pitchName(pitch, flats = false) {
  return `${(flats ? FLATS : SHARPS)[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
}

export class Roll {
  constructor(canvas) {
    this.canvas = canvas;
    this.notes = new Map(); // number → note
    this.bars = []; // [seconds, number of the bar that begins there]
    this.clock = null; // source's seconds less this page's
    this.running = false;
    this.range = [48, 84];
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.drawnAt = -1;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.readColours());
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.readColours();
    this.resize();
  }

  clear() {
    this.notes.clear();
    this.bars = [];
    this.clock = null;
    this.redraw();
  }

  /** What is now known of a note. */
  add(note) {
    const known = this.notes.get(note.note);
    if (note.phase === "withdrawn") {
      if (known) known.gone = this.now();
      return;
    }
    const settled = note.phase !== "provisional" || (known && known.settled);
    this.notes.set(note.note, { ...note, settled });
    if (!this.running) this.redraw();
  }

  /** A barline at a time, before the bar of this number. */
  addBar(seconds, number) {
    if (this.bars.some(([, known]) => known === number)) return;
    this.bars.push([seconds, number]);
    if (this.bars.length > 64) this.bars.shift();
  }

  /** The source's clock says this now; small differences are smoothed. */
  setClock(seconds) {
    const offset = seconds - performance.now() / 1000;
    if (this.clock === null || Math.abs(offset - this.clock) > 0.5) this.clock = offset;
    else this.clock += 0.1 * (offset - this.clock);
  }

  now() {
    return this.clock === null ? 0 : this.clock + performance.now() / 1000;
  }

  run() {
    if (this.running) return;
    this.running = true;
    const step = () => {
      if (!this.running) return;
      const at = this.still.matches ? Math.floor(this.now() / STILL_STEP_S) * STILL_STEP_S : this.now();
      if (at !== this.drawnAt) this.draw(at);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  /** Stop scrolling; what is shown stays. */
  rest() {
    if (!this.running) return;
    this.running = false;
    this.frozen = this.now();
    this.redraw();
  }

  redraw() {
    this.draw(this.running ? this.now() : this.frozen || 0);
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.colours = Object.fromEntries(
      ["note", "maybe", "key", "bar", "now", "soft", "line", "card"].map((name) => [name, colour(`--${name}`)]),
    );
    if (this.width) this.redraw();
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    const box = this.canvas.getBoundingClientRect();
    this.width = Math.max(1, box.width);
    this.height = Math.max(1, box.height);
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.ink = this.canvas.getContext("2d");
    this.ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.redraw();
  }

  /** Lowest and highest pitch to show: what is there, at least two octaves; it changes calmly. */
  chooseRange() {
    const pitches = [...this.notes.values()].map((note) => note.pitch);
    if (!pitches.length) return;
    let low = Math.min(...pitches) - 2;
    let high = Math.max(...pitches) + 2;
    const missing = FEWEST_PITCHES - (high - low);
    if (missing > 0) [low, high] = [low - missing / 2, high + missing / 2];
    const pace = this.still.matches || !this.running ? 1 : 0.08;
    this.range = [this.range[0] + pace * (low - this.range[0]), this.range[1] + pace * (high - this.range[1])];
  }

  draw(now) {
    this.drawnAt = now;
    this.chooseRange();
    const { ink, width, height, colours } = this;
    const seconds = width < NARROW_PX ? SECONDS_NARROW : SECONDS_WIDE;
    const right = width - (width - KEYS_PX) * AHEAD;
    const scale = (right - KEYS_PX) / seconds;
    const x = (time) => right + (time - now) * scale;
    const [low, high] = this.range;
    const row = height / (high - low + 1);
    const y = (pitch) => (high - pitch) * row;
    ink.clearRect(0, 0, width, height);
    this.drawKeys(ink, low, high, y, row);
    this.drawTime(ink, x, now, seconds, right);
    ink.save();
    ink.beginPath();
    ink.rect(KEYS_PX, 0, width - KEYS_PX, height);
    ink.clip();
    for (const [number, note] of this.notes) {
      const end = note.offset ?? now;
      if (end < now - KEPT_S || (note.gone && now - note.gone > FADE_S)) this.notes.delete(number);
      else if (x(end) > KEYS_PX) this.drawNote(ink, note, x(note.onset), x(Math.max(end, note.onset)), y(note.pitch), row, now);
    }
    ink.restore();
    ink.fillStyle = colours.now;
    ink.fillRect(right, 0, 1.5, height);
  }

  drawKeys(ink, low, high, y, row) {
    const { width, height, colours } = this;
    ink.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    ink.textBaseline = "middle";
    ink.textAlign = "right";
    for (let pitch = Math.floor(low); pitch <= Math.ceil(high); pitch++) {
      if (BLACK.has(((pitch % 12) + 12) % 12)) {
        ink.fillStyle = colours.key;
        ink.fillRect(KEYS_PX, y(pitch), width, row);
      }
      if (pitch % 12 === 0) {
        ink.fillStyle = colours.line;
        ink.fillRect(KEYS_PX, y(pitch) + row, width, 1);
        ink.fillStyle = colours.soft;
        const middle = y(pitch) + row / 2;
        if (middle > 6 && middle < height - 6) ink.fillText(pitchName(pitch), KEYS_PX - 6, middle);
      }
    }
  }

  drawTime(ink, x, now, seconds, right) {
    const { height, colours } = this;
    ink.textBaseline = "alphabetic";
    ink.textAlign = "left";
    for (const [time, number] of this.bars) {
      const left = x(time);
      if (left < KEYS_PX || left > right) continue;
      ink.fillStyle = colours.bar;
      ink.fillRect(left, 0, 1, height);
      ink.fillStyle = colours.soft;
      ink.fillText(String(number), left + 4, 12);
    }
    ink.fillStyle = colours.soft;
    for (let second = Math.ceil(now - seconds); second <= now; second++) {
      if (second < 0) continue;
      const left = x(second);
      if (left < KEYS_PX + 14 || left > right - 14) continue;
      ink.globalAlpha = second % 5 ? 0.35 : 1;
      ink.fillRect(left, height - (second % 5 ? 4 : 7), 1, 7);
      if (second % 5 === 0) ink.fillText(`${Math.floor(second / 60)}:${String(second % 60).padStart(2, "0")}`, left + 3, height - 4);
      ink.globalAlpha = 1;
    }
  }

  drawNote(ink, note, left, right, top, row, now) {
    const { colours } = this;
    const wide = Math.max(right - left, 3);
    const tall = Math.max(row - 1.5, 2.5);
    const round = Math.min(3, tall / 2, wide / 2);
    ink.beginPath();
    ink.roundRect(left, top + 0.75, wide, tall, round);
    if (note.gone) {
      ink.globalAlpha = Math.max(0, 1 - (now - note.gone) / FADE_S);
      ink.strokeStyle = colours.maybe;
      ink.setLineDash([3, 2]);
      ink.stroke();
    } else if (note.settled) {
      ink.globalAlpha = 0.45 + (0.55 * note.velocity) / 127;
      ink.fillStyle = colours.note;
      ink.fill();
    } else {
      ink.globalAlpha = 0.25;
      ink.fillStyle = colours.maybe;
      ink.fill();
      ink.globalAlpha = 1;
      ink.strokeStyle = colours.maybe;
      ink.setLineDash([3, 2]);
      ink.stroke();
    }
    ink.setLineDash([]);
    ink.globalAlpha = 1;
  }
}

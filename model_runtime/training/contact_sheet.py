"""A picture of random windows as the model is fed them: glyph tokens, note tokens and the LMX that they mean.

python -m model_runtime.training.contact_sheet --data CORPUS --out FILE.png [--spoil]
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.tokens import glyphs, notes
from model_runtime.tokens.vocabulary import symbols_of
from model_runtime.training.dataset import Corpus, Example, draw

_STAFF_BASES = {0: 12.0, 1: 24.0, 2: 0.0, 3: -24.0}  # height of each staff's lowest line, in half staff spaces
_SHORT = {"rest": "r", "clef": "", "glyph-key": "k", "meter": "", "mark": "", "slur-end": "~", "ottava": ""}


def draw_glyphs(axes: Any, example: Example) -> None:
    """Staff lines, noteheads with stems, and everything else as a word at its place."""
    seen = [glyphs.from_compound(row, float(x)) for row, x in zip(example.ids, example.places, strict=True)]
    right = max(g.x for g in seen) + 2
    lowest = _STAFF_BASES[max(g.staff for g in seen)]
    for staff in {g.staff for g in seen} - {0}:
        for line in range(5):
            axes.plot([0, right], [_STAFF_BASES[staff] + 2 * line] * 2, color="0.8", linewidth=0.5, zorder=0)
    for glyph in seen:
        y = _STAFF_BASES.get(glyph.staff, 12.0) + glyph.position
        if glyph.kind.startswith("head:"):
            filled = glyph.kind == "head:black"
            size = 10 if glyph.size else 22
            axes.scatter([glyph.x], [y], s=size, color="k" if filled else "w", edgecolors="k", linewidths=0.6)
            if glyph.stem:
                side = 0.6 if glyph.stem == 1 else -0.6
                tip = _STAFF_BASES.get(glyph.staff, 12.0) + glyph.tip
                axes.plot([glyph.x + side] * 2, [y, tip], color="k", linewidth=0.6)
                beams = f"{glyph.beams_left}|{glyph.beams_right}" if glyph.beams_left + glyph.beams_right else ""
                axes.text(glyph.x, tip, beams + "f" * glyph.flags, fontsize=4, color="b")
            extra = "." * glyph.dots + ("", "#", "b", "n", "x", "bb", "n#", "nb")[glyph.accidental]
            axes.text(glyph.x - 1.4, y, extra + ("", "(", ")", "()")[glyph.ties], fontsize=5, color="r")
        elif glyph.kind.startswith("barline"):
            axes.plot([glyph.x] * 2, [lowest, 32], color="k", linewidth=0.8)
        else:
            family, _, name = glyph.kind.partition(":")
            label = _SHORT.get(family, family) + name + (str(glyph.number) if glyph.number else "")
            label += f"/{glyph.denominator}" if glyph.denominator else ""
            axes.text(glyph.x, y, label, fontsize=4.5, color="g", ha="center", va="center")
    axes.set(xlim=(0, right), ylim=(-12, 46))


def draw_notes(axes: Any, example: Example) -> None:
    """A piano roll; held notes and the pedal in other colours."""
    for row, place in zip(example.ids, example.places, strict=True):
        event = notes.from_compound(row, round(float(place) * 10))
        start = event.onset / 100
        if event.kind.startswith("pedal"):
            axes.axvline(start, color="c" if event.kind == "pedal:down" else "m", linewidth=0.4)
        else:
            colour = "0.6" if event.kind == "note:held" else str(0.7 - 0.7 * event.velocity / 31)
            axes.plot([start, start + event.duration / 100], [event.pitch] * 2, color=colour, linewidth=2)
    axes.set(xlabel="s", ylabel="MIDI pitch")


def contact_sheet(corpus: Corpus, out: Path, *, spoil: bool, rows: int = 6, seed: int = 3) -> None:
    """Write the picture: for each row an image window and a performance window, each above its LMX."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(seed)
    figure, grid = plt.subplots(rows, 2, figsize=(16, 3.4 * rows), layout="constrained")
    for left, right in grid:
        for axes, source, drawer in ((left, "image", draw_glyphs), (right, "performance", draw_notes)):
            example = draw(corpus, source, rng, spoil=spoil)
            drawer(axes, example)
            axes.set_title("\n".join(textwrap.wrap(" ".join(symbols_of(example.target.tolist())), 190)), fontsize=4.5)
    figure.savefig(out, dpi=130)
    plt.close(figure)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Draw random windows as the model is fed them.")
    parser.add_argument("--data", type=Path, required=True, help="corpus folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--spoil", action="store_true", help="with errors, as in training")
    parser.add_argument("--split", default="dev")
    arguments = parser.parse_args()
    contact_sheet(Corpus(arguments.data, (arguments.split,)), arguments.out, spoil=arguments.spoil)


if __name__ == "__main__":
    main()

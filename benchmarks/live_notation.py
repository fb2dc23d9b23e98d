"""Notation while it is played: `python -m benchmarks.live_notation [--data DIR] --json FILE`.

Performances are played to `LiveNotation` as a MIDI keyboard would: note-ons and note-offs at their times, a look at the
clock every tenth of a second; nothing of what is to come is known. Two kinds: the pieces of DIR/eval/asap, and songs of
DIR/data/lieder (`dev`) played by our own performer with rubato, whose beats and barlines are known exactly.

`beat_f1_…` and `downbeat_f1_…` compare the beats and barlines that were given out with the annotated ones (70 ms, the
first five seconds left out, `mir_eval`); `_offline` is the beat tracker that knows the whole performance.
`note_f1_…` is that of `benchmarks.note_f1` over all bars of a session, beside the offline quantiser's.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import report
from benchmarks.asap import Piece, pieces
from benchmarks.made_performance import made_performance
from benchmarks.note_f1 import local_f1
from benchmarks.rubato import lieder
from model_runtime.engines.base import Context
from model_runtime.engines.quantiser import Quantiser
from model_runtime.engraving.live import BarEngraver
from model_runtime.listening import HeardNote, Phase
from model_runtime.modality import SUSTAIN_PEDAL, Control, Performance
from model_runtime.notation.beats import track_beats
from model_runtime.notation.live import LiveNotation
from model_runtime.notation.live_bars import Bar, score_of_bars
from model_runtime.notation.metre import beat_of
from model_runtime.notation.score_notes import notes_in_order, read_measures
from model_runtime.notation.write import write_score
from model_runtime.options import Options
from model_runtime.tempo import TempoMap

TICK_S = 0.1
SHOWN_BARS = 4
EVERY_LIED = 8

Times = npt.NDArray[np.float64]


@dataclass
class Session:
    """What came of a performance that was played live.

    Attributes:
        bars: As they stand at the end, by number.
        given_s: For each bar when it was given out.
        unwritten: At each look at the clock, `LiveNotation.unwritten_bars` just before bars were given out.
        busy_s: Processor seconds of each look at the clock.
    """

    bars: dict[int, Bar] = field(default_factory=dict)
    given_s: dict[int, float] = field(default_factory=dict)
    unwritten: list[float] = field(default_factory=list)
    busy_s: list[float] = field(default_factory=list)

    def behind_bars(self) -> list[float]:
        """For each bar how many of the bars that stand at the end had passed since its end when it was given out."""
        numbers = sorted(self.bars)
        ends = [self.bars[number].times.end_s for number in numbers]
        return [
            float(np.interp(given_s, ends, numbers)) - number
            for number, given_s in self.given_s.items()
            if given_s <= ends[-1]
        ]


def play(performance: Performance, live: LiveNotation) -> Session:
    """Play a performance to `live`, as a keyboard would."""
    session = Session()
    events: list[tuple[float, int, HeardNote | Control]] = []
    for number, note in enumerate(performance.notes):
        known = (note.pitch, note.onset_s)
        events.append((note.onset_s, 1, HeardNote(number, "confirmed", *known, None, note.velocity, 1.0)))
        events.append((note.offset_s, 0, HeardNote(number, "corrected", *known, note.offset_s, note.velocity, 1.0)))
    events += [(control.time_s, 2, control) for control in performance.controls if control.number == SUSTAIN_PEDAL]
    events.sort(key=lambda event: event[:2])
    at, now_s = 0, 0.0
    while at < len(events) or now_s < events[-1][0] + 2.0:
        now_s += TICK_S
        session.unwritten.append(live.unwritten_bars(now_s))
        start = time.process_time()
        while at < len(events) and events[at][0] <= now_s:
            event = events[at][2]
            if isinstance(event, HeardNote):
                live.add(event)
            else:
                live.add_control(event)
            at += 1
        for bar in live.advance(now_s):
            session.given_s.setdefault(bar.number, now_s)
            session.bars[bar.number] = bar
        session.busy_s.append(time.process_time() - start)
    session.bars |= {bar.number: bar for bar in live.finish()}
    return session


# ---- beats and barlines ---------------------------------------------------------------------------------------------


def annotated(tempo_map: TempoMap, last_s: float) -> tuple[Times, Times]:
    """Beats and barlines of a map whose metres are known, up to a time."""
    beats: list[float] = []
    downs: list[float] = []
    meters = tempo_map.meters
    for index, meter in enumerate(meters):
        beat = float(beat_of(meter.numerator, meter.denominator)[0])
        end = meters[index + 1].quarter if index + 1 < len(meters) else tempo_map.quarter_at(last_s)
        start = meter.quarter
        if index == 0:
            start -= beat * int((meter.quarter - tempo_map.quarters[0]) / beat + 1e-6)
        beats += np.arange(start, end - 1e-6, beat).tolist()
        downs += np.arange(meter.quarter, end - 1e-6, meter.measure_quarters).tolist()
    return tempo_map.times_at(beats), tempo_map.times_at(downs)


def given_out(bars: Iterable[Bar]) -> tuple[Times, Times]:
    """Beats and barlines of bars."""
    listed = sorted(bars, key=lambda bar: bar.number)
    beats = [time for bar in listed for time in bar.times.beats_s]
    return np.array(beats), np.array([bar.times.start_s for bar in listed])


def beat_f1(reference: Times, estimate: Times) -> float:
    """F1 within 70 ms, after the first five seconds."""
    import mir_eval

    wanted, found = (mir_eval.beat.trim_beats(np.unique(times)) for times in (reference, estimate))
    return float(mir_eval.beat.f_measure(wanted, found))


@dataclass(frozen=True)
class Result:
    """One performance."""

    name: str
    session: Session
    figures: dict[str, float]
    duration_s: float


def measure_beats(name: str, performance: Performance, truth: TempoMap) -> Result:
    """Beats and barlines, live and offline."""
    live = play(performance, LiveNotation())
    last_s = max(note.onset_s for note in performance.notes)
    beats, downs = annotated(truth, last_s)
    offline = annotated(track_beats(performance.notes), last_s)
    found = given_out(live.bars.values())
    figures = {
        "beat_f1_live": beat_f1(beats, found[0]),
        "beat_f1_offline": beat_f1(beats, offline[0]),
        "downbeat_f1_live": beat_f1(downs, found[1]),
        "downbeat_f1_offline": beat_f1(downs, offline[1]),
    }
    return Result(name, live, figures, last_s)


def measure_notes(piece: Piece) -> dict[str, float]:
    """Note F1 of the bars of a session with and without the host's tempo map, beside the offline quantiser's."""
    figures: dict[str, float] = {}
    for with_map in (True, False):
        tempo_map = piece.tempo_map if with_map else None
        task = "with_map" if with_map else "without_map"
        session = play(piece.performance, LiveNotation(tempo_map))
        bars = [session.bars[number] for number in sorted(session.bars)]
        live = write_score(score_of_bars(bars, None, None), Options(), Context())
        performance = Performance(piece.performance.notes, piece.performance.controls, tempo_map=tempo_map)
        offline = Quantiser().translate(performance, Options(), Context())
        for name, notation in (("live", live), ("offline", offline)):
            agreement = local_f1(piece.reference, notes_in_order(read_measures(notation.musicxml)))
            figures[f"note_f1_{name}_{task}"] = agreement.full
            figures[f"onset_f1_{name}_{task}"] = agreement.onset
    return figures


# ---- cost -----------------------------------------------------------------------------------------------------------


def measure_cost(minutes: int) -> dict[str, float]:
    """Processor time and memory over a long session of a made performance, with engraving after each bar."""
    live, engraver = LiveNotation(), BarEngraver()
    performance = made_performance(minutes)
    events = sorted(
        [(note.onset_s, 1, number) for number, note in enumerate(performance.notes)]
        + [(note.offset_s, 0, number) for number, note in enumerate(performance.notes)]
    )
    busy_s, engraving_s, memory_mb = [], [], []
    at = 0
    for tick in range(int(minutes * 60 / TICK_S)):
        now_s = (tick + 1) * TICK_S
        start = time.process_time()
        while at < len(events) and events[at][0] <= now_s:
            _, begins, number = events[at]
            note = performance.notes[number]
            end_s = None if begins else note.offset_s
            phase: Phase = "confirmed" if begins else "corrected"
            live.add(HeardNote(number, phase, note.pitch, note.onset_s, end_s, note.velocity, 1.0))
            at += 1
        bars = live.advance(now_s)
        busy_s.append(time.process_time() - start)
        if bars:
            start = time.process_time()
            engraver.svg(live.notation(SHOWN_BARS))
            engraving_s.append(time.process_time() - start)
        if tick % 600 == 0:
            memory_mb.append(_memory_mb())
    tenth = len(busy_s) // 10
    return {
        "long_session_minutes": minutes,
        "long_session_cpu_percent": 100 * (sum(busy_s) + sum(engraving_s)) / (minutes * 60),
        "long_session_first_tenth_cpu_percent": 100 * sum(busy_s[:tenth]) / (tenth * TICK_S),
        "long_session_last_tenth_cpu_percent": 100 * sum(busy_s[-tenth:]) / (tenth * TICK_S),
        "engraving_median_ms": 1e3 * float(np.median(engraving_s)),
        "memory_after_first_tenth_mb": memory_mb[max(1, len(memory_mb) // 10)],
        "memory_at_end_mb": memory_mb[-1],
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _memory_mb() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20


# ---- figures --------------------------------------------------------------------------------------------------------


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def figures_of(kind: str, results: Sequence[Result]) -> dict[str, float]:
    """Means over performances; of delays the median, the 95th percentile and the longest over all bars or looks."""
    figures = {f"{name}_{kind}": _mean(r.figures[name] for r in results) for name in results[0].figures}
    behind = np.concatenate([result.session.behind_bars() for result in results])
    unwritten = np.concatenate([result.session.unwritten for result in results])
    figures |= {
        f"bars_unwritten_median_{kind}": float(np.median(unwritten)),
        f"bars_unwritten_longest_{kind}": float(unwritten.max()),
        f"bars_behind_median_{kind}": float(np.median(behind)),
        f"bars_behind_p95_{kind}": float(np.percentile(behind, 95)),
        f"bars_behind_longest_{kind}": float(behind.max()),
        f"bars_behind_more_than_two_percent_{kind}": 100 * float(np.mean(behind > 2.0)),
        f"bars_{kind}": float(len(behind)),
        f"cpu_percent_{kind}": 100 * sum(sum(r.session.busy_s) for r in results) / sum(r.duration_s for r in results),
    }
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("shared"), help="folder that holds eval/asap, data/lieder")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--minutes", type=int, default=60, help="length of the long session")
    parser.add_argument("--split", default="dev", help="of the songs")
    parser.add_argument("--only", choices=["asap", "lieder"], help="leave the rest out")
    parser.add_argument("--every", type=int, default=EVERY_LIED, help="every so many-th song")
    arguments = parser.parse_args()
    figures: dict[str, float] = {}
    rows: list[dict[str, object]] = []
    if arguments.only != "asap":
        songs = []
        for name, performance in lieder(arguments.data / "data" / "lieder", arguments.split, arguments.every):
            assert performance.tempo_map is not None
            songs.append(measure_beats(name, performance, performance.tempo_map))
            print(name, {k: round(v, 3) for k, v in songs[-1].figures.items()}, file=sys.stderr)
        figures |= figures_of("lieder", songs)
        rows += [{"piece": f"lied {r.name}", **r.figures} for r in songs]
    if arguments.only != "lieder":
        played = []
        for piece in pieces(arguments.data / "eval" / "asap"):
            result = measure_beats(piece.name, piece.performance, piece.tempo_map)
            result.figures.update(measure_notes(piece))
            played.append(result)
            print(piece.name, {k: round(v, 3) for k, v in result.figures.items()}, file=sys.stderr)
        figures |= figures_of("asap", played)
        rows += [{"piece": r.name, **r.figures} for r in played]
    if arguments.only is None:
        figures |= measure_cost(arguments.minutes)
    report.write(figures, rows, arguments.json, "Live notation")


if __name__ == "__main__":
    main()

"""A performance read window by window comes to its end, whatever the trunk writes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model_runtime.modality import SUSTAIN_PEDAL, Control, Note, Performance
from model_runtime.training.export import export
from model_runtime.unified.architecture import Trunk, TrunkConfig
from model_runtime.unified.inference import TrunkRuntime, Written
from model_runtime.unified.played_music import PlayedReader

TINY = TrunkConfig(width=32, heads=2, encoder_layers=1, decoder_layers=1, hidden=64, pointing_layer=0)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> TrunkRuntime:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(2)
    trunk = Trunk(TINY)
    with torch.no_grad():
        for parameter in trunk.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    export(trunk, folder, {})
    return TrunkRuntime(folder, threads=1)


@pytest.mark.parametrize("seed", [0, 1])
def test_an_untrained_trunk_still_reads_to_the_end(runtime: TrunkRuntime, seed: int) -> None:
    rng = np.random.default_rng(seed)
    onsets = np.cumsum(rng.exponential(0.25, 60))
    notes = tuple(Note(float(t), float(t) + 0.3, int(rng.integers(40, 90)), 64) for t in onsets)
    pedal = tuple(Control(float(t), SUSTAIN_PEDAL, 127 * (i % 2)) for i, t in enumerate(onsets[::7]))
    heard: list[tuple[float, float]] = []
    reader = PlayedReader(runtime, Performance(notes, pedal), lambda done, total: heard.append((done, total)))
    measures, confidence, _ = reader.read()
    assert len(measures) == len(confidence) >= 1
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert heard[-1][0] >= heard[-1][1]
    assert measures[0].meter is not None
    assert all(0 <= c <= 1 for c in confidence)


class Scripted(TrunkRuntime):
    """Writes crotchets, four a measure, for the notes of its window: what a perfect trunk would."""

    def __init__(self) -> None:
        self.windows = 0

    def write(self, windows, **_):  # type: ignore[no-untyped-def]
        from model_runtime.tokens.notes import from_compound

        self.windows += 1
        window = windows[0]
        events = [(i, from_compound(ids, 0)) for i, ids in enumerate(window.ids.tolist())]
        played = [(i, event.pitch) for i, event in events if event.kind == "note"]
        whole_measures = len(played) if window.whole else len(played) // 4 * 4
        symbols = list(window.opening) or ["measure", "key:fifths:0", "time", "beats:4", "beat-type:4"]
        pointers = [0] * len(symbols)
        for count, (i, pitch) in enumerate(played[:whole_measures]):
            octave, step = divmod(pitch, 12)
            note = [f"{'C D EF G A B'[step]}{octave - 1}", "voice:1", "quarter", "stem:up", "staff:1"]
            note = ["measure", *note] if count and count % 4 == 0 else note
            symbols += note
            pointers += [i] * len(note)
        more = whole_measures < len(played)
        return [Written(tuple(symbols), np.full(len(symbols), 0.9, np.float32), np.array(pointers), more)]


def test_windows_meet_at_barlines_and_lose_no_note() -> None:
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    seconds = np.cumsum(0.5 + 0.15 * np.sin(np.arange(48) / 5))
    notes = tuple(Note(float(t), float(t) + 0.4, scale[i % 8], 64) for i, t in enumerate(seconds))
    trunk = Scripted()
    measures, _, warnings = PlayedReader(trunk, Performance(notes)).read()
    written = [note.midi_pitch for measure in measures for note in measure.notes if note.pitch]
    assert trunk.windows > 4
    assert written == [note.pitch for note in notes]
    assert len(measures) == 12
    assert not warnings

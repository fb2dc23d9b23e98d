"""Performances that are made of scores, and the answers that come with them."""

from __future__ import annotations

import numpy as np

from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.training.performance.dataset import IGNORED, Renditions, batch, beat_task, value_task
from model_runtime.training.performance.playing import PLAIN, Rendition, draw_excerpt, play
from model_runtime.training.performance.scores import Score
from model_runtime.unified.performance_features import BAR_STARTS, ORNAMENT, VALUES


def _played(score: Score, seed: int) -> Rendition:
    rng = np.random.default_rng(seed)
    return play(draw_excerpt(score, 100, rng), rng)


def test_a_rendition_is_a_performance_in_order_of_time(waltz: Score) -> None:
    for seed in range(20):
        rendition = _played(waltz, seed)
        assert (np.diff(rendition.onset_s) >= 0).all() and rendition.onset_s[0] >= 0
        assert (rendition.offset_s > rendition.onset_s).all()
        assert rendition.pitch.min() >= 21 and rendition.pitch.max() <= 108
        assert rendition.velocity.min() >= 1 and rendition.velocity.max() <= 127
        assert (rendition.pedal[:, 1] > rendition.pedal[:, 0]).all()


def test_the_same_seed_plays_the_same_and_another_does_not(waltz: Score) -> None:
    first, again, other = _played(waltz, 5), _played(waltz, 5), _played(waltz, 6)
    assert np.array_equal(first.onset_s, again.onset_s)
    assert len(first.onset_s) != len(other.onset_s) or not np.allclose(first.onset_s, other.onset_s)


def test_no_key_is_struck_while_it_is_held(waltz: Score) -> None:
    for seed in range(10):
        rendition = _played(waltz, seed)
        for pitch in np.unique(rendition.pitch):
            own = rendition.pitch == pitch
            gaps = rendition.onset_s[own][1:] - rendition.offset_s[own][:-1]
            assert (gaps > -0.021).all()


def test_notes_are_played_about_when_the_tempo_says(waltz: Score) -> None:
    for seed in range(20):
        rendition = _played(waltz, seed)
        plain = rendition.kind == PLAIN
        late = rendition.onset_s[plain] - rendition.seconds(rendition.tick[plain])
        assert np.abs(late).max() < 0.5 and abs(float(np.median(late))) < 0.05


def test_every_chord_on_a_barline_is_told_so(waltz: Score) -> None:
    for seed in range(10):
        rendition = _played(waltz, seed)
        task = beat_task(rendition, waltz)
        phase, bar, period = task.answers.T
        at_barline = bar == BAR_STARTS[1]
        on_beat = phase == 0
        assert at_barline.sum() > 20 and (on_beat & at_barline).sum() > 20
        assert set(np.unique(phase)) <= {IGNORED, 0, 6, ORNAMENT}  # the beat, its half, and slips
        assert (period >= 0).all()


def test_values_and_staves_are_those_of_the_score(waltz: Score) -> None:
    rendition = _played(waltz, 3)
    task = value_task(rendition, waltz, np.random.default_rng(0))
    plain = np.flatnonzero(rendition.kind == PLAIN)
    plain = plain[np.lexsort((rendition.pitch[plain], rendition.tick[plain]))]
    written = [float(VALUES[value]) for value in task.answers[:, 0]]
    assert written == (rendition.length[plain] / TICKS_PER_QUARTER).tolist()
    assert (task.answers[:, 1] == rendition.staff[plain] - 1).all()


def test_batches_are_padded_and_cut(waltz: Score) -> None:
    renditions = Renditions([([waltz], 1.0)], seed=1)
    tasks = [renditions.tasks(number)[1] for number in range(3)]
    given = batch(tasks, np.random.default_rng(0))
    sizes = given["there"].sum(axis=1)
    assert given["features"].shape[:2] == given["there"].shape
    assert [min(len(task.features), 320) for task in tasks] == sizes.tolist()
    assert (given["answers"][~given["there"]] == IGNORED).all()

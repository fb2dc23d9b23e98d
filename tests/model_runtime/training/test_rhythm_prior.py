"""The prior is counted from scores, and costs are lower for what is usual."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from model_runtime.notation.rhythm_prior import SUBDIVISIONS, beat_prior, meter_priors, positions_of, subdivision_of
from model_runtime.notation.score_notes import WrittenMeasure, WrittenNote
from model_runtime.training.rhythm_prior import count_rhythms


def test_counting_follows_onsets_through_the_measure() -> None:
    measure = WrittenMeasure(length=Fraction(4))
    measure.notes = [WrittenNote(Fraction(i), 60 + i, Fraction(1)) for i in range(4)]
    counts = count_rhythms(iter([[measure, measure]]))
    places = list(positions_of(4, 4))
    assert counts["advance_4_4"][0, places.index(0), places.index(24)] == 2
    assert counts["advance_4_4"][0, places.index(72), places.index(0)] == 1
    assert counts["start_4_4"][places.index(0)] == 1
    assert counts["follow_simple"][0, 0] == 7


def test_the_coarsest_subdivision_is_found() -> None:
    phases = [Fraction(0), Fraction(1, 3), Fraction(1, 2)]
    assert SUBDIVISIONS[subdivision_of(phases)] == 6
    assert SUBDIVISIONS[subdivision_of([Fraction(0)])] == 1
    assert subdivision_of([Fraction(1, 11)]) is None


def test_the_shipped_prior_knows_that_full_triplets_are_usual_and_triplets_after_sixteenths_are_not() -> None:
    prior = beat_prior(False)
    index = {parts: i for i, parts in enumerate(SUBDIVISIONS)}
    assert prior.chain[index[3], 1, 2] < prior.chain[index[3], 0, 2]
    assert prior.follow[index[4], index[4]] < prior.follow[index[4], index[3]]


def test_every_metre_starts_most_easily_on_its_barline() -> None:
    for meter in meter_priors():
        assert meter.positions[int(np.argmin(meter.start))] == 0
        assert np.isfinite(meter.advance).all()
        assert np.isfinite(meter.accent).all()

"""What tempo words mean."""

from fractions import Fraction

import pytest

from model_runtime.playback.tempo_marks import TempoCurve, TempoEvent, words_as_tempo

BARS = [Fraction(4 * i) for i in range(11)]


@pytest.mark.parametrize(
    ("words", "slower", "faster"),
    [
        ("Largo", 40, 60),
        ("Andante con moto", 70, 90),
        ("Allegro ma non troppo", 110, 131),
        ("Presto", 168, 200),
        ("Sehr langsam", 40, 55),
        ("Très vif", 150, 180),
        ("Mässig bewegt", 80, 120),
    ],
)
def test_headings_set_a_tempo(words: str, slower: float, faster: float) -> None:
    meaning = words_as_tempo(words)
    assert meaning is not None and meaning[0] == "absolute" and slower <= meaning[1] <= faster


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("rit.", "gradual"),
        ("poco rall.", "gradual"),
        ("accel. e cresc.", "gradual"),
        ("zurückhaltend", "gradual"),
        ("cédez un peu", "gradual"),
        ("a tempo", "return"),
        ("Im Tempo", "return"),
        ("Tempo.", "return"),
        ("Tempo I.", "first"),
        ("1° Tempo", "first"),
        ("Più mosso", "factor"),
        ("langsamer", "factor"),
    ],
)
def test_changes_are_told_apart(words: str, kind: str) -> None:
    meaning = words_as_tempo(words)
    assert meaning is not None and meaning[0] == kind


@pytest.mark.parametrize(
    "words", ["dolce", "L.H.", "con Ped.", "pizz.", "cresc.", "espressivo", "", "2", "Vivian sings"]
)
def test_other_words_say_nothing_about_the_tempo(words: str) -> None:
    assert words_as_tempo(words) is None


def test_poco_and_molto_grade_a_change() -> None:
    poco, plain, molto = (words_as_tempo(w) for w in ("poco rit.", "rit.", "molto rit."))
    assert poco and plain and molto and 1 > poco[1] > plain[1] > molto[1] > 0.3


def test_a_ritardando_that_nothing_ends_is_over_after_two_measures() -> None:
    curve = TempoCurve([TempoEvent(Fraction(0), "absolute", 100), TempoEvent(Fraction(8), "gradual", 0.7)], BARS)
    assert curve.at(Fraction(7)) == 100 > curve.at(Fraction(12)) > curve.at(Fraction(15)) > 69
    assert curve.at(Fraction(16)) == 100


def test_at_the_end_of_a_piece_it_stays_slow() -> None:
    curve = TempoCurve([TempoEvent(Fraction(0), "absolute", 100), TempoEvent(Fraction(36), "gradual", 0.7)], BARS)
    assert curve.at(Fraction(39)) < 80


def test_tempo_primo_returns_further_than_a_tempo() -> None:
    events = [TempoEvent(Fraction(0), "absolute", 120), TempoEvent(Fraction(8), "absolute", 60)]
    assert TempoCurve([*events, TempoEvent(Fraction(16), "return")], BARS).at(Fraction(17)) == 60
    assert TempoCurve([*events, TempoEvent(Fraction(16), "first")], BARS).at(Fraction(17)) == 120


def test_a_fermata_holds_only_its_own_time() -> None:
    hold = (Fraction(4), Fraction(5), 2.0)
    curve = TempoCurve([TempoEvent(Fraction(0), "absolute", 100)], BARS, [hold, hold])
    assert [curve.at(Fraction(q)) for q in (3, 4, 5)] == [100, 50, 100]

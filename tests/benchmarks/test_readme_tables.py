"""The tables of benchmarks/README.md: they say what the results say, and what is missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import readme
from benchmarks.readme import README, RESULTS, Aim, aims, number, renewed

DOCUMENT = {
    "command": "python -m benchmarks.load --json load.json",
    "date": "2026-01-02T03:04:05+00:00",
    "machine": {"processor": "Abacus", "cores": 2, "memory_gb": 8.0, "system": "Linux 6", "python": "3.11.2"},
    "figures": {"jobs_lost": 0.0, "jobs_doubled": 3.0, "jobs_per_s": 159.444},
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "load.json").write_text(json.dumps(DOCUMENT))
    return tmp_path


TEXT = "before\n<!-- figures: load -->\nold\n<!-- end of figures -->\nafter\n"


def test_the_committed_tables_are_those_of_the_committed_results() -> None:
    text = README.read_text(encoding="utf-8")
    assert renewed(text, RESULTS) == text, "run python -m benchmarks.readme"


def test_every_results_file_has_its_table() -> None:
    text = README.read_text(encoding="utf-8")
    for path in RESULTS.glob("*.json"):
        assert f"<!-- figures: {path.stem} -->" in text


def test_only_what_stands_between_the_markers_is_renewed(results: Path) -> None:
    new = renewed(TEXT, results)
    assert new.startswith("before\n<!-- figures: load -->\n") and new.endswith("<!-- end of figures -->\nafter\n")
    assert "old" not in new
    assert renewed(new, results) == new
    for shown in ("`python -m benchmarks.load --json load.json`", "2026-01-02", "Abacus, 2 cores, 8.0 GB", "| 159 |"):
        assert shown in new


def test_a_missed_aim_is_said_above_the_table_and_in_it(results: Path) -> None:
    new = renewed(TEXT, results)
    assert "**Missed:** `jobs_doubled` is 3, the aim = 0. All other aims are met." in new
    assert "| `jobs_doubled` | 3 **missed** | = 0 |" in new
    assert "| `jobs_lost` | 0 | = 0 |" in new


def test_figures_that_differ_in_the_engine_share_a_line() -> None:
    figures = {
        "note_f1_scorebridge_with_map": 0.61,
        "note_f1_musescore_with_map": 0.38,
        "note_f1_music21_with_map": 0.75,
        "full_measures": 100.0,
    }
    lines = readme.table(readme.ENGINES["notation"], aims("notation", figures), figures)
    assert "| figure | unified | scorebridge | musescore | music21 |" in lines
    assert "| `note_f1_<engine>_with_map` |  | 0.610 **missed** | 0.380 | 0.750 |" in lines
    assert "| `full_measures` | 100 | = 100 |" in lines


def test_reading_scores_must_load_within_a_second_and_stay_below_a_gigabyte() -> None:
    met = {"load_s": 1.0, "page_peak_mb": 1000.0}
    missed = {"load_s": 1.01, "page_peak_mb": 1001.0}
    wanted = aims("omr", met)
    assert all(aim.is_met(name, met) for name in met for aim in wanted[name])
    assert not any(aim.is_met(name, missed) for name in missed for aim in wanted[name])


def test_ours_must_not_be_below_the_package_on_any_file() -> None:
    figures = {"onset_f1_basic-pitch_voice": 0.5, "onset_f1_basic_pitch_package_voice": 0.6, "hour_time_ratio": 1.0}
    wanted = aims("transcription", figures)
    assert wanted["onset_f1_basic-pitch_voice"] == [Aim("≥", "onset_f1_basic_pitch_package_voice")]
    assert "`onset_f1_basic-pitch_voice` is 0.500, the aim ≥ 0.600" in readme.verdict(wanted, figures)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (22548.0, "22548"), (184.095, "184"), (52.7852, "52.8"), (2.93818, "2.94"), (0.691136, "0.691")],
)
def test_numbers_have_the_digits_that_a_reader_needs(value: float, shown: str) -> None:
    assert number(value) == shown

"""A benchmark's table and JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import report


def test_the_json_holds_command_date_machine_and_flat_figures(tmp_path: Path) -> None:
    path = tmp_path / "results" / "doors.json"
    report.write({"hello_p50_ms": 0.512345678, "jobs_lost": 0}, [{"door": "zeromq", "p50": 0.5}], path, "Doors")
    document = json.loads(path.read_text())
    assert list(document) == ["command", "date", "machine", "figures"]
    assert document["figures"] == {"hello_p50_ms": 0.512346, "jobs_lost": 0}
    assert document["machine"]["cores"] >= 1 and document["machine"]["processor"]
    assert [file.name for file in path.parent.iterdir()] == ["doors.json"]


def test_the_table_shows_every_row_and_column(capsys: pytest.CaptureFixture[str]) -> None:
    report.write({}, [{"file": "bach", "ours": 0.81234}, {"file": "voice", "theirs": 0.7}], None, "Onset F1")
    shown = capsys.readouterr().out
    for text in ("Onset F1", "file", "ours", "theirs", "bach", "0.812", "voice", "0.700"):
        assert text in shown


def test_a_figure_that_is_no_number_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    with pytest.raises(ValueError, match="f1"):
        report.write({"f1": float("nan")}, [], path, "")
    assert not path.exists()


def test_the_command_names_no_folder_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        sys, "argv", ["bench", "--data", str(tmp_path / "shared"), f"--json={tmp_path}/out.json", "--runs", "3"]
    )
    command = report.command()
    assert str(tmp_path) not in command
    assert command.endswith("--data DIR --json=out.json --runs 3")

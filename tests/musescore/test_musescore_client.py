"""The dialog's logic, tested outside MuseScore, and against the real daemon's door."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from node_tests import run_node_tests

import plugins
from model_runtime.options import Options

PLUGIN = Path(plugins.__file__).parent / "musescore"


@pytest.mark.parametrize("name", ["session.test.js", "dialog_parts.test.js"])
def test_the_dialogs_scripts_do_what_they_say(name: str) -> None:
    run_node_tests(name)


def test_every_option_of_a_task_is_one_of_the_daemons_and_has_words() -> None:
    node = Path(sys.executable).with_name("node")
    script = (
        f"const t = require({json.dumps(str(PLUGIN / 'tasks.js'))});"
        f"const o = require({json.dumps(str(PLUGIN / 'options.js'))});"
        f"const schema = {json.dumps(Options.model_json_schema())};"
        "console.log(JSON.stringify(t.tasks().map(k => ({names: k.options, fields: o.fields(schema, k.options, [])}))))"
    )
    ran = subprocess.run([str(node), "-e", script], capture_output=True, text=True, check=True, timeout=60)
    for task in json.loads(ran.stdout):
        assert [field["name"] for field in task["fields"]] == task["names"]
        assert all(field["label"] != field["name"].replace("_", " ") for field in task["fields"])


@pytest.mark.parametrize("path", sorted(PLUGIN.glob("*.js")), ids=lambda path: path.name)
def test_scripts_are_such_as_the_oldest_qt_reads(path: Path) -> None:
    """Official 3.x builds read ECMAScript 5; the Qt of this machine would read more."""
    text = re.sub(r"^\.(import|pragma) .*$", "", path.read_text("utf-8"), flags=re.MULTILINE)
    code = re.sub(r"//.*|\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])*'", "''", text)
    for newer in (
        r"=>",
        r"\b(let|const|class|of)\s+\w+\s*(=|\{|in\b)",
        r"`",
        r"\.\.\.",
        r"\basync\b",
        r"\?\.\w",
        r"\?\?",
    ):
        assert not re.search(newer, code), f"{newer} is newer than ECMAScript 5"

"""The plugin's header, read as each MuseScore reads it: some run the file, 4.4 and later read it as text."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

import plugins

PLUGIN = Path(plugins.__file__).parent / "musescore"
FILE = PLUGIN / "ScoreBridge.qml"
TEXT_PROPERTIES = {"title", "description", "pluginType", "categoryCode", "thumbnailName", "requiresScore", "version"}


def header_as_text(text: str) -> dict[str, str]:
    """The properties that MuseScore 4.4 and later find without running the file.

    One property a line, between the first line that ends with a brace and the next one; a line that begins "//4.4 " is
    read as if it did not; other lines that begin with a stroke are comments.
    """
    found: dict[str, str] = {}
    is_inside = False
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("//4.4 "):
            line = line[6:]
        if line.startswith("/"):
            continue
        if line.endswith("{"):
            if is_inside:
                break
            is_inside = True
            continue
        name, colon, value = line.partition(":")
        if colon and name in TEXT_PROPERTIES:
            value = value.strip().rstrip(";")
            value = re.sub(r'^qsTr\("(.*)"\)$', r'"\1"', value)
            found[name] = value[1:-1] if value.startswith('"') and value.endswith('"') else value
    return found


def test_versions_from_4_4_on_find_title_type_and_category_in_the_text() -> None:
    header = header_as_text(FILE.read_text("utf-8"))
    assert header["title"] == "ScoreBridge"
    assert header["pluginType"] == "dialog"
    assert header["categoryCode"] == "composing-arranging-tools"
    assert header["requiresScore"] == "false"
    assert header["version"] == version("scorebridge")
    assert header["description"].startswith("Translates between")


def test_versions_of_3_find_no_property_that_they_do_not_know() -> None:
    """A root `title:` keeps 3.x from loading the file."""
    lines = [line.strip() for line in FILE.read_text("utf-8").splitlines()]
    assert not [line for line in lines if line.startswith(("title:", "categoryCode:", "thumbnailName:"))]
    assert 'menuPath: "Plugins.ScoreBridge"' in lines


def test_versions_4_0_to_4_3_are_given_their_title_when_the_file_runs() -> None:
    text = FILE.read_text("utf-8")
    completed = text[text.index("Component.onCompleted") :]
    assert 'root.title = "ScoreBridge"' in completed[:300]


def test_only_the_plugin_itself_looks_like_one() -> None:
    """MuseScore lists every .qml file below its plugin folder; the dialog's parts are called otherwise."""
    assert [path.name for path in PLUGIN.rglob("*.qml")] == ["ScoreBridge.qml"]
    listed = dict(line.split(" 1.0 ") for line in (PLUGIN / "ui" / "qmldir").read_text("utf-8").splitlines())
    assert sorted(listed.values()) == sorted(path.name for path in (PLUGIN / "ui").glob("*.part"))
    for path in (PLUGIN / "ui").glob("*.part"):
        assert "MuseScore {" not in path.read_text("utf-8")


@pytest.mark.parametrize("path", [FILE, *sorted((PLUGIN / "ui").glob("*.part"))], ids=lambda path: path.name)
def test_what_is_imported_is_in_every_version(path: Path) -> None:
    known = {
        "QtQuick 2.9", "QtQuick.Layouts 1.3", "QtQuick.Window 2.2", "QtQuick.Templates 2.2 as T", "MuseScore 3.0",
        "FileIO 3.0", '"ui"',
    }  # fmt: skip
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("import ") and not (script := re.match(r'import "((?:\.\./)?\w+\.js)" as [A-Z]\w+$', line)):
            assert line.removeprefix("import ") in known
        elif line.startswith("import "):
            assert script and (path.parent / script[1]).is_file()


@pytest.mark.parametrize("path", [FILE, *sorted((PLUGIN / "ui").glob("*.part"))], ids=lambda path: path.name)
def test_nothing_in_it_is_newer_than_qt_5_9(path: Path) -> None:
    text = re.sub(r"//.*", "", path.read_text("utf-8"))
    for newer in (
        r"=>",
        r"\b(let|const)\s",
        r"`",
        r"\brequired property\b",
        r"^\s*component\s",
        r"\bpalette\.(?!window)",
    ):
        assert not re.search(newer, text, flags=re.MULTILINE), newer
    assert not re.search(r"\bon[A-Z]\w*:\s*(function\b|\()", text), "Qt 5.9 knows no function as a handler"
    assert not re.search(r"property \w+ on[A-Z]", text), "a property so called is taken for a handler"


def test_what_users_read_can_be_translated() -> None:
    for path in [FILE, *(PLUGIN / "ui").glob("*.part")]:
        for line in path.read_text("utf-8").splitlines():
            shown = re.match(r'\s*(?:text|placeholderText|message|hint): "([^"]+)"', line)
            assert not shown or not re.search("[A-Za-z]{2}", shown[1]), f"{path.name}: {line.strip()}"

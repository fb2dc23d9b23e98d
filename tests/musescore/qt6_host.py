"""Qt 6 as MuseScore 4 gives it to plugins: the modules `MuseScore 3.0` and `FileIO 3.0`, and no more than that.

Stricter than MuseScore: a warning of the QML engine is an error, and what MuseScore 4 does not have (`readScore`,
`newQProcess`, a `QProcess.start` that splits) is not there.

    python qt6_host.py PLUGIN HOME [--score NOTES] [--dark]

with NOTES as in strict_score.js, and then what is selected of them: {"notes": […], "range": [start, end, first, end]};
loads the plugin, runs it, and reads commands as JSON from standard input, one a line; answers are JSON lines.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import (
    Property,
    QEvent,
    QObject,
    QProcess,
    Qt,
    QtMsgType,
    QUrl,
    Signal,
    Slot,
    qInstallMessageHandler,
)
from PySide6.QtGui import QColor, QGuiApplication, QKeyEvent, QPalette
from PySide6.QtQml import QJSValue, qmlRegisterType
from PySide6.QtQuick import QQuickItem, QQuickView

said: list[str] = []
complaints: list[str] = []


class Plugin(QQuickItem):
    """The type `MuseScore`."""

    run = Signal()

    def __init__(self, parent: QQuickItem | None = None) -> None:
        super().__init__(parent)
        self._texts = {
            "title": "",
            "categoryCode": "",
            "version": "",
            "description": "",
            "pluginType": "",
            "menuPath": "",
        }
        self._requires_score = True
        self._score: Any = None

    def _text(name: str) -> Any:
        def read(self: Plugin) -> str:
            return self._texts[name]

        def write(self: Plugin, value: str) -> None:
            self._texts[name] = value

        return Property(str, read, write)

    title = _text("title")
    categoryCode = _text("categoryCode")
    version = _text("version")
    description = _text("description")
    pluginType = _text("pluginType")
    menuPath = _text("menuPath")

    def _read_requires(self) -> bool:
        return self._requires_score

    def _write_requires(self, value: bool) -> None:
        self._requires_score = value

    requiresScore = Property(bool, _read_requires, _write_requires)
    curScore = Property("QVariant", lambda self: self._score, constant=True)
    Segment = Property("QVariantMap", lambda self: {"ChordRest": 512, "KeySig": 16}, constant=True)
    mscoreVersion = Property(int, lambda self: 40400, constant=True)
    mscoreMajorVersion = Property(int, lambda self: 4, constant=True)
    mscoreMinorVersion = Property(int, lambda self: 4, constant=True)
    division = Property(int, lambda self: 480, constant=True)

    @Slot(str)
    def cmd(self, name: str) -> None:
        said.append(f"cmd {name}")

    @Slot()
    def quit(self) -> None:
        said.append("quit")
        self.window().close()


class FileIO(QObject):
    """The type `FileIO`."""

    home = ""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._source = ""

    def _read_source(self) -> str:
        return self._source

    def _write_source(self, value: str) -> None:
        self._source = value

    source = Property(str, _read_source, _write_source)

    @Slot(result=bool)
    def exists(self) -> bool:
        return Path(self._source).is_file()

    @Slot(result=str)
    def read(self) -> str:
        return Path(self._source).read_text("utf-8")

    @Slot(result=str)
    def homePath(self) -> str:
        return FileIO.home


class Process(QProcess):
    """The type `QProcess` of MuseScore 4.3 and later."""

    @Slot(str, "QVariantList")
    def startWithArgs(self, program: str, arguments: list[str]) -> None:
        QProcess.start(self, program, [str(word) for word in arguments])


class Host:
    """A window with the plugin in it."""

    def __init__(self, application: QGuiApplication, plugin: Path, home: Path, score: dict[str, Any] | None) -> None:
        self._application = application
        FileIO.home = str(home)
        qmlRegisterType(Plugin, "MuseScore", 3, 0, "MuseScore")
        qmlRegisterType(Process, "MuseScore", 3, 0, "QProcess")
        qmlRegisterType(FileIO, "FileIO", 3, 0, "FileIO")
        self.view = QQuickView()
        self.view.setResizeMode(QQuickView.ResizeMode.SizeRootObjectToView)
        self.view.setSource(QUrl.fromLocalFile(str(plugin)))
        errors = [error.toString() for error in self.view.errors()]
        if errors:
            raise SystemExit("\n".join(errors))
        self.root = self.view.rootObject()
        if score is not None:
            self.root._score = self._strict_score(score)
        self.view.show()
        self.view.requestActivate()
        self.root.run.emit()
        self.spin(0.05)

    def _strict_score(self, wanted: dict[str, Any]) -> QJSValue:
        engine = self.view.engine()
        source = (Path(__file__).parent / "strict_score.js").read_text("utf-8")
        script = f"const score = {source.rstrip()}({json.dumps(wanted['notes'])});"
        if wanted.get("range"):
            script += f"score.selectRange(...{json.dumps(wanted['range'])});"
        made = engine.evaluate(f"(function () {{ {script} return score; }})()", "strict_score.js")
        if made.isError():
            raise SystemExit(f"strict_score.js: {made.toString()}")
        return made

    def spin(self, seconds: float) -> None:
        """Let Qt work for so long."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._application.processEvents()
            time.sleep(0.005)

    # ---- commands --------------------------------------------------------------------------------------------------

    def value(self, expression: str) -> Any:
        """A property of the dialog, by its path: `view.link`."""
        found: Any = self.root
        for name in expression.split("."):
            found = found.property(name)
        if isinstance(found, QJSValue):
            return None if found.isNull() or found.isUndefined() else found.toVariant()
        return found

    def until(self, expression: str, wanted: Any, within_s: float = 30.0) -> Any:
        """Wait until a property has a value; returns what it has."""
        end_s = time.monotonic() + within_s
        while (found := self.value(expression)) != wanted and time.monotonic() < end_s:
            self.spin(0.1)
        return found

    def key(self, name: str) -> None:
        """Press a key."""
        code = getattr(Qt.Key, f"Key_{name}")
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            self._application.sendEvent(self.view, QKeyEvent(kind, code, Qt.KeyboardModifier.NoModifier))
        self.spin(0.05)

    def type(self, text: str) -> None:
        """Type a text where the keyboard is."""
        for character in text:
            for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                event = QKeyEvent(kind, 0, Qt.KeyboardModifier.NoModifier, character)
                self._application.sendEvent(self.view, event)
        self.spin(0.05)

    def texts(self) -> list[str]:
        """Every text that can be seen, from top to bottom of the tree."""
        return [item.property("text") for item in _visible(self.view.contentItem()) if item.property("text")]

    def focus(self) -> str:
        """The text of what has the keyboard, or its type."""
        item = self.view.activeFocusItem()
        return (item.property("text") or item.metaObject().className()) if item else ""

    def picture(self, path: str) -> None:
        """Write what the window shows."""
        self.view.grabWindow().save(path)

    def close(self) -> None:
        """Close the window as its frame's button does."""
        self.view.close()
        self.spin(0.1)


def _visible(item: QQuickItem) -> list[QQuickItem]:
    if not item.isVisible() or item.opacity() == 0:
        return []
    return [item, *(inner for child in item.childItems() for inner in _visible(child))]


def _heard(kind: QtMsgType, context: Any, message: str) -> None:
    if kind == QtMsgType.QtDebugMsg:
        said.append(message)
    elif "propagateSizeHints" not in message:  # the offscreen platform has none
        complaints.append(message)


def _darkened(application: QGuiApplication) -> None:
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.Window, QColor("#2b2b2b"))
    palette.setColor(QPalette.ColorRole.WindowText, QColor("#e8e8e8"))
    application.setPalette(palette)


def main() -> None:
    qInstallMessageHandler(_heard)
    application = QGuiApplication(sys.argv[:1])
    if "--dark" in sys.argv:
        _darkened(application)
    score = json.loads(sys.argv[sys.argv.index("--score") + 1]) if "--score" in sys.argv else None
    host = Host(application, Path(sys.argv[1]), Path(sys.argv[2]), score)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        commands: dict[str, Callable[..., Any]] = {
            "value": host.value, "until": host.until, "key": host.key, "type": host.type, "texts": host.texts,
            "focus": host.focus, "picture": host.picture, "spin": host.spin, "close": host.close,
            "said": lambda: said, "complaints": lambda: complaints,
        }  # fmt: skip
        print(json.dumps(commands[name](*arguments)), flush=True)


if __name__ == "__main__":
    main()

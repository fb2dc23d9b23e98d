"""Where a translation of the command line is done: by the running daemon, or here and now without one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

OnProgress = Callable[[str, float, float], None]


@dataclass(frozen=True)
class Request:
    """One file to translate.

    Attributes:
        source: The file.
        targets: Formats to make.
        options: The protocol's options.
        clip: `offset`, `duration`, `playrate`, `reverse` of the protocol's path source.
    """

    source: Path
    targets: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)
    clip: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of it: files in a folder that lasts until the runner's next translation."""

    files: tuple[tuple[Path, str], ...]
    engine: str
    warnings: tuple[str, ...]
    timing: Mapping[str, float]


class Runner(Protocol):
    """Translates files, one after the other."""

    name: str

    def run(self, request: Request, on_progress: OnProgress) -> Outcome:
        """Translate one file.

        Raises:
            MusicError, ProtocolError: with one sentence.
        """
        ...


class DaemonRunner:
    """Lets the running daemon do it."""

    name = "the daemon"

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, request: Request, on_progress: OnProgress) -> Outcome:
        from protocol.errors import DaemonError
        from protocol.messages import PathSource

        path = str(request.source.resolve())
        if not _is_unicode(path) and request.source.is_file():
            return self._send(request, on_progress)
        try:
            return self._follow(request, PathSource(path=path, **request.clip), [], on_progress)
        except DaemonError as error:
            # The file lies where the daemon reads nothing by name; whoever runs this command may read it, and send it.
            # A device such as /dev/zero never ends.
            if error.code != "not_allowed" or not request.source.is_file() or not os.access(request.source, os.R_OK):
                raise
        return self._send(request, on_progress)

    def _send(self, request: Request, on_progress: OnProgress) -> Outcome:
        """Send the file's content instead of its path."""
        from protocol.messages import BytesSource

        format = request.source.suffix.lstrip(".").lower()
        name = os.fsencode(request.source.name).decode("utf-8", "replace")
        inline = BytesSource(format=format or "bin", name=name, **request.clip)
        return self._follow(request, inline, [request.source.read_bytes()], on_progress)

    def _follow(self, request: Request, source: Any, buffers: Sequence[bytes], on_progress: OnProgress) -> Outcome:
        from protocol.async_client import LEASE_S
        from protocol.errors import DaemonError, JobCancelled
        from protocol.messages import Cancelled, Done, Failed, Progress, Submit, new_id

        submit = Submit.model_validate(
            {
                "job": new_id(),
                "source": source,
                "target": list(request.targets),
                "options": dict(request.options),
                "lease": LEASE_S,
            }
        )
        try:
            for event in self._client.run(submit, buffers):
                if isinstance(event, Progress):
                    on_progress(event.stage, event.current, event.total)
                elif isinstance(event, Failed):
                    raise DaemonError(event.message, hint=event.hint, code=event.code)
                elif isinstance(event, Cancelled):
                    raise JobCancelled(event.message)
                elif isinstance(event, Done):
                    files = tuple((Path(a.path), a.format) for a in event.artefacts)
                    return Outcome(files, event.engine, tuple(event.warnings), event.timing)
        except KeyboardInterrupt:
            self._client.cancel(submit.job)
            raise
        raise DaemonError("The job's events ended without saying how it ended.")


class LocalRunner:
    """Does it in this process."""

    name = "this process"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, request: Request, on_progress: OnProgress) -> Outcome:
        from pydantic import ValidationError

        from model_runtime.errors import InvalidValue
        from model_runtime.modality import Clip
        from model_runtime.options import Options
        from model_runtime.translation import translate_files

        try:
            options = Options.model_validate(request.options)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise InvalidValue(f"The option {name} cannot be used: {first['msg']}.") from None
        clip = Clip(
            request.clip.get("offset", 0.0),
            request.clip.get("duration"),
            request.clip.get("playrate", 1.0),
            request.clip.get("reverse", False),
        )
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        made = translate_files(
            request.source,
            request.targets,
            folder,
            clip=clip if request.clip else None,
            options=options,
            on_progress=on_progress,
        )
        return Outcome(tuple((f.path, f.format) for f in made.files), made.engine, made.warnings, made.timing)


def _is_unicode(path: str) -> bool:
    """Whether a message can hold this path: a file's name may be any bytes."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def runner(*, local: bool) -> Iterator[Runner]:
    """The daemon where one runs and `local` is not asked for, else this process."""
    from protocol.errors import DaemonNotRunning

    if not local:
        from protocol.client import Client

        try:
            with Client.connect(name="scorebridge command line") as client:
                client.hello()
                yield DaemonRunner(client)
                return
        except DaemonNotRunning:
            pass
    with tempfile.TemporaryDirectory(prefix="scorebridge-") as folder:
        yield LocalRunner(Path(folder))


def place(made: Path, target: Path) -> None:
    """Copy a result to where it was asked for, by a temporary name, so that nobody sees half of it.

    Raises:
        MusicError: the place cannot be written.
    """
    from model_runtime.errors import MusicError

    temporary = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made, temporary)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise MusicError(
            f"{target} could not be written: {error.strerror}.",
            hint="Choose another place or make room.",
            code="not_writable",
        ) from None

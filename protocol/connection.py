"""The connection file: where the running daemon listens, and the keys that its user's programs need to talk to it.

The file lies in the user's runtime folder, and a copy at a fixed place under the home folder for hosts whose scripts
know no other (MuseScore's QML). `SCOREBRIDGE_RUNTIME` names another folder for the one file; no copy is made then.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
import tempfile
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocol import PROTOCOL_VERSION
from protocol.errors import DaemonNotRunning, ProtocolError

RUNTIME_VARIABLE = "SCOREBRIDGE_RUNTIME"
FILE_NAME = "connection.json"
MAX_FILE_BYTES = 64 << 10

Port = Annotated[int, Field(ge=0, le=65535)]


class UnsafeConnectionFile(ProtocolError):
    """The connection file could have been read or written by somebody else, or is not one."""

    code = "unsafe_connection_file"


def new_key() -> str:
    """A fresh random key: 256 bits, hexadecimal."""
    return secrets.token_hex(32)


class Connection(BaseModel):
    """What the connection file holds. Ports are 0 where a door is closed.

    Attributes:
        protocol: Protocol version of the daemon.
        server: Its name and version.
        pid: Its process.
        process_started: Which process of that number it is (see `process_start`).
        transport: Always "tcp" in this version.
        ip: Address of the ZeroMQ sockets; OSC and HTTP are on 127.0.0.1 always.
        requests_port: ZeroMQ ROUTER for every request.
        control_port: ZeroMQ ROUTER for `CONTROL_TYPES`.
        events_port: ZeroMQ PUB.
        heartbeat_port: ZeroMQ REP.
        osc_udp_port: OSC over UDP.
        osc_tcp_port: OSC over TCP with SLIP framing.
        http_port: HTTP and WebSocket.
        key: Signs ZeroMQ messages.
        token: Opens the OSC and HTTP doors.
        curve_key: The server's public CURVE key in Z85, where the ZeroMQ door is encrypted.
        curve_client_public: A client key pair for programs of this user on this machine; another machine's client
            brings its own, whose public half is in the daemon's allow-list.
        curve_client_secret: The other half.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    protocol: str = PROTOCOL_VERSION
    server: str = ""
    pid: Annotated[int, Field(gt=0)]
    process_started: str = ""
    transport: str = "tcp"
    ip: str = "127.0.0.1"
    requests_port: Port = 0
    control_port: Port = 0
    events_port: Port = 0
    heartbeat_port: Port = 0
    osc_udp_port: Port = 0
    osc_tcp_port: Port = 0
    http_port: Port = 0
    key: Annotated[str, Field(min_length=16, repr=False)]
    token: Annotated[str, Field(min_length=16, repr=False)]
    curve_key: str | None = None
    curve_client_public: str | None = None
    curve_client_secret: Annotated[str | None, Field(repr=False)] = None

    def endpoint(self, port: int) -> str:
        """The ZeroMQ address of one of the ports."""
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"{self.transport}://{host}:{port}"


def connection_path() -> Path:
    """Where the connection file lies, whether or not it exists."""
    chosen = os.environ.get(RUNTIME_VARIABLE)
    if chosen:
        return Path(chosen) / FILE_NAME
    return _runtime_folder() / FILE_NAME


def connection_copies() -> list[Path]:
    """Where copies for hosts with fixed paths lie."""
    if os.environ.get(RUNTIME_VARIABLE):
        return []
    return [Path.home() / ".scorebridge" / FILE_NAME]


def write_connection(connection: Connection) -> Path:
    """Write the file and its copies, readable by this user alone, each by rename so that no reader sees half of one.

    Raises:
        UnsafeConnectionFile: the folder belongs to somebody else.
    """
    text = connection.model_dump_json(indent=2)
    path = connection_path()
    for target in (path, *connection_copies()):
        _write_private(target, text)
    return path


def read_connection(path: Path | None = None) -> Connection:
    """Read the connection file of the running daemon.

    Args:
        path: Another file than this user's own.

    Raises:
        DaemonNotRunning: there is no file, or the process that wrote it is gone.
        UnsafeConnectionFile: others may read it, it belongs to somebody else, or it is not a connection file.
    """
    path = path or connection_path()
    try:
        connection = Connection.model_validate_json(_read_private(path))
    except ValidationError as error:
        raise UnsafeConnectionFile(f"{path} is not a connection file.", hint=_RESTART) from error
    if not is_alive(connection):
        raise DaemonNotRunning("The ScoreBridge daemon has ended without removing its connection file.")
    return connection


def remove_connection(connection: Connection) -> None:
    """Remove the file and its copies, unless another daemon has written its own there since."""
    for target in (connection_path(), *connection_copies()):
        with contextlib.suppress(ProtocolError, ValidationError, OSError):
            present = Connection.model_validate_json(_read_private(target))
            if present.key == connection.key:
                target.unlink()


def is_alive(connection: Connection) -> bool:
    """Whether the process that wrote the file still runs; another process that was given its number does not count."""
    started = process_start(connection.pid)
    return started is not None and connection.process_started in ("", started)


def process_start(pid: int) -> str | None:
    """What tells a process from any other that had or will have its number; None where there is no such process.

    On Linux the boot and the clock ticks since then, which a change of the wall clock does not touch.
    """
    if sys.platform == "linux":
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if after_name[0] in "ZX":  # a zombie listens nowhere
                return None
            boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        except (OSError, IndexError):
            return None
        return f"{boot}:{after_name[19]}"  # field 22 of the line, `starttime`
    import psutil  # 25 ms, and not needed on Linux

    try:
        return str(round(psutil.Process(pid).create_time()))
    except psutil.NoSuchProcess:
        return None


_RESTART = "Stop the daemon and start it again: scorebridge serve"


def _runtime_folder() -> Path:
    import platformdirs

    if sys.platform.startswith("linux"):
        # Without a login session there is no /run/user/1000, and platformdirs would name a folder in /tmp that anybody
        # could have made first: the user's state folder is safe.
        session = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
        if session.is_absolute() and session.is_dir():
            return session / "scorebridge"
        return Path(platformdirs.user_state_path("scorebridge", appauthor=False))
    return Path(platformdirs.user_runtime_path("scorebridge", appauthor=False))


def _write_private(target: Path, text: str) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid") and target.parent.stat().st_uid != os.getuid():
        raise UnsafeConnectionFile(f"The folder {target.parent} belongs to another user.")
    descriptor, temporary = tempfile.mkstemp(prefix=".connection-", dir=target.parent)  # mode 0600 from the start
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read_private(path: Path) -> bytes:
    # Checked on the open file: between a check by name and the reading somebody could put another file there.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise DaemonNotRunning from None
    except OSError as error:
        raise UnsafeConnectionFile(f"{path} cannot be read: {error.strerror}.", hint=_RESTART) from error
    try:
        _check_private(path, os.fstat(descriptor))
        data = b""
        while len(data) <= MAX_FILE_BYTES and (piece := os.read(descriptor, MAX_FILE_BYTES)):
            data += piece
    finally:
        os.close(descriptor)
    if len(data) > MAX_FILE_BYTES:
        raise UnsafeConnectionFile(f"{path} is too large to be a connection file.", hint=_RESTART)
    return data


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeConnectionFile(f"{path} is not a regular file.", hint=_RESTART)
    if not hasattr(os, "getuid"):
        return  # Windows: the user's own folders are private
    if status.st_uid != os.getuid():
        raise UnsafeConnectionFile(f"{path} belongs to another user.", hint=_RESTART)
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise UnsafeConnectionFile(
            f"{path} can be read or written by other users.", hint=f"Make it private: chmod 600 {path}"
        )

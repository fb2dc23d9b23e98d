"""CURVE: the keys that let ZeroMQ's door be opened to other machines.

In the folder, which only this user may enter:

    server.json         the daemon's own key pair, made on first use
    clients/NAME.key    one file for each program that may connect: its public key, 40 characters of Z85
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import zmq

from bridge.doors.door import DoorError

_Z85_KEY = re.compile(rb"(?<![0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#])[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}(?!\S)")


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key pair in Z85."""

    public: bytes
    secret: bytes

    @classmethod
    def new(cls) -> KeyPair:
        """A fresh pair."""
        return cls(*zmq.curve_keypair())


def is_loopback(ip: str) -> bool:
    """Whether an address reaches this machine alone.

    Raises:
        DoorError: it is not an IP address.
    """
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        raise DoorError(f"{ip!r} is not an IP address.", hint="Use 127.0.0.1 for this machine alone.") from None


class CurveFolder:
    """The daemon's key pair and the public keys of those who may connect.

    Args:
        folder: Made, for this user alone, if it does not exist.

    Raises:
        DoorError: others may read the secret key, or it is not one.
    """

    def __init__(self, folder: Path) -> None:
        self._clients = folder / "clients"
        self._clients.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.server = _load_or_make(folder / "server.json")

    def allowed(self) -> set[bytes]:
        """Public keys of the clients that may connect, in Z85; read anew, so removing a file counts at once."""
        keys: set[bytes] = set()
        for path in self._clients.glob("*.key"):
            # A file that vanishes meanwhile, or a folder of that name, admits nobody.
            with contextlib.suppress(OSError):
                keys.update(_Z85_KEY.findall(path.read_bytes()[:4096].replace(b'"', b" ")))
        return keys


def _load_or_make(path: Path) -> KeyPair:
    if not path.exists():
        pair = KeyPair.new()
        text = json.dumps({"public": pair.public.decode(), "secret": pair.secret.decode()})
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        return pair
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise DoorError(f"The secret key {path} can be read by other users.", hint=f"Make it private: chmod 600 {path}")
    try:
        fields = json.loads(path.read_text("utf-8"))
        pair = KeyPair(fields["public"].encode("ascii"), fields["secret"].encode("ascii"))
        matches = zmq.curve_public(pair.secret) == pair.public
    except (ValueError, KeyError, TypeError, AttributeError, zmq.ZMQError):
        matches = False
    if not matches:
        raise DoorError(f"{path} does not hold a key pair.", hint="Remove the file; the daemon makes a new pair.")
    return pair

"""Message ⇄ ZeroMQ frames, and the signature over them.

    [identity…]  delimiter  signature  header  content  [buffer…]

`header` and `content` are JSON objects. The signature is the hexadecimal HMAC-SHA256, under the connection's key, of
the hexadecimal SHA-256 digests of header, content and every buffer, one after the other. Digests have one length, so
no byte can move from one frame to the next, no buffer can be added, dropped or swapped, without the signature failing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from protocol.errors import ProtocolError
from protocol.messages import Message

DELIMITER = b"<ScoreBridge>"
SIGNATURE_LENGTH = 64  # hexadecimal digits of a SHA-256
MAX_HEADER_BYTES = 4 << 10
MAX_CONTENT_BYTES = 16 << 20
MAX_BUFFER_BYTES = 512 << 20  # of all buffers of a message together
MAX_BUFFERS = 16


class WireError(ProtocolError):
    """The frames are not a message for us."""

    code = "bad_frame"


class BadSignature(WireError):
    """The signature does not fit: another key, or something was changed on the way."""

    code = "bad_signature"


class TooLarge(WireError):
    """A frame passes its limit."""

    code = "too_large"


class EmptyKey(WireError):
    """Signing with an empty key would protect nothing."""

    code = "empty_key"


@dataclass(frozen=True)
class Envelope:
    """A message as it came off the wire.

    Attributes:
        message: The message.
        buffers: What follows it.
        sent_s: The sender's steady clock when it signed, in seconds (see `protocol.replay`).
        identity: The frames before the delimiter: where an answer goes.
    """

    message: Message
    buffers: tuple[bytes, ...]
    sent_s: float
    identity: tuple[bytes, ...] = ()


def sign(key: bytes, header: bytes, content: bytes, buffers: Sequence[bytes] = ()) -> bytes:
    """The signature of a message's parts, 64 hexadecimal digits.

    Raises:
        EmptyKey: `key` is empty.
    """
    if not key:
        raise EmptyKey("A message cannot be signed with an empty key.")
    signature = hmac.new(key, digestmod=hashlib.sha256)
    for part in (header, content, *buffers):
        signature.update(hashlib.sha256(part).hexdigest().encode("ascii"))
    return signature.hexdigest().encode("ascii")


def encode(
    message: Message,
    key: bytes,
    buffers: Sequence[bytes] = (),
    *,
    identity: Sequence[bytes] = (),
    sent_s: float | None = None,
) -> list[bytes]:
    """Turn a message into signed frames.

    Args:
        message: What is said.
        key: Shared key of the connection file.
        buffers: Raw bytes that go with it.
        identity: Routing frames that go first.
        sent_s: The sender's steady clock; None takes the wall clock.

    Raises:
        EmptyKey: `key` is empty.
        TooLarge: a part passes its limit.
    """
    header = _compact(
        {
            "id": message.id,
            "parent": message.parent,
            "session": message.session,
            "version": message.version,
            "type": message.type,
            "sent": time.time() if sent_s is None else sent_s,
        }
    )
    content = _compact(message.content)
    _check_sizes(header, content, buffers)
    return [*identity, DELIMITER, sign(key, header, content, buffers), header, content, *buffers]


def decode(frames: Sequence[bytes], key: bytes) -> Envelope:
    """Turn frames into a message, after checking sizes and signature; JSON is parsed only once the signature fits.

    Raises:
        WireError: frames are missing, too large, tampered with, or not a message.
    """
    identity, frames = split_identity(frames)
    if len(frames) < 3:
        raise WireError("The message has too few frames.")
    signature, header, content, *buffers = frames
    _check_sizes(header, content, buffers)
    if not hmac.compare_digest(sign(key, header, content, buffers), signature):
        raise BadSignature(
            "The message's signature is wrong.", hint="Read the key from the connection file of the running daemon."
        )
    fields = _json_object(header, "header")
    try:
        sent_s = float(fields.pop("sent"))
        message = Message(**fields, content=_json_object(content, "content"))
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise WireError("The message's header is not complete.") from error
    return Envelope(message, tuple(buffers), sent_s, identity)


def split_identity(frames: Sequence[bytes]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Split frames at the delimiter: routing frames before it, the message's frames after it.

    Raises:
        WireError: there is no delimiter within the first frames.
    """
    for index, frame in enumerate(frames[:4]):
        if frame == DELIMITER:
            return tuple(frames[:index]), tuple(frames[index + 1 :])
    raise WireError("The message has no delimiter.")


def _check_sizes(header: bytes, content: bytes, buffers: Sequence[bytes]) -> None:
    if len(header) > MAX_HEADER_BYTES:
        raise TooLarge(f"The message's header has more than {MAX_HEADER_BYTES >> 10} KiB.")
    if len(content) > MAX_CONTENT_BYTES:
        raise TooLarge(
            f"The message's content has more than {MAX_CONTENT_BYTES >> 20} MiB.",
            hint="Send large files as a buffer, or by their path.",
        )
    if len(buffers) > MAX_BUFFERS:
        raise TooLarge(f"The message has more than {MAX_BUFFERS} buffers.")
    if sum(len(buffer) for buffer in buffers) > MAX_BUFFER_BYTES:
        raise TooLarge(
            f"The message carries more than {MAX_BUFFER_BYTES >> 20} MiB.", hint="Send large files by their path."
        )


def _compact(value: dict[str, Any]) -> bytes:
    # allow_nan=False: NaN is not JSON, and other languages' parsers stop at it.
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (TypeError, ValueError) as error:
        raise WireError("The message holds a value that JSON cannot say.") from error


def _json_object(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireError(f"The message's {what} is not JSON.") from error
    if not isinstance(value, dict):
        raise WireError(f"The message's {what} is not a JSON object.")
    return value

"""What a client sent with a job, checked before the job is taken."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from bridge.access import Refused
from bridge.validation import sentence_of
from protocol.messages import BytesSource, LiveHeardSource, NotesSource, PathSource


def content_of(
    source: PathSource | BytesSource | NotesSource | LiveHeardSource, buffers: Sequence[bytes], max_bytes: int
) -> bytes | None:
    """The bytes that came with a request: the first buffer, base64, or a notes document; None for a path.

    Raises:
        Refused: there are none, they are not base64, or too many.
    """
    if isinstance(source, PathSource):
        return None
    if isinstance(source, LiveHeardSource):  # the daemon has put what was heard in its place by now
        raise Refused("invalid_source", "Live sessions are not held here.")
    if isinstance(source, NotesSource):
        content = json.dumps(source.document).encode()
    elif source.data is not None:
        content = _from_base64(source.data, max_bytes)
    elif buffers:
        content = bytes(buffers[0])
    else:
        raise Refused(
            "invalid_source", "The content of the file is missing.", "Send it as a buffer, or base64 in `data`."
        )
    if not content:
        raise Refused("unreadable_file", "The file is empty.")
    if len(content) > max_bytes:
        raise _too_large(len(content), max_bytes)
    return content


def check_options(options: Mapping[str, Any]) -> None:
    """See that the options hold what they may.

    Raises:
        Refused: with code "invalid_options", naming the option.
    """
    from model_runtime.options import Options

    try:
        Options.model_validate(options)
    except ValidationError as error:
        raise Refused("invalid_options", sentence_of(error, "option")) from None


def unknown_options(options: Mapping[str, Any]) -> list[str]:
    """A warning for each option that this version does not know and ignores."""
    from model_runtime.options import Options

    unknown = [name for name in options if name not in Options.model_fields]
    return [f"The option {name[:64]!r} is not known to this version and was ignored." for name in unknown]


def _from_base64(data: str, max_bytes: int) -> bytes:
    if len(data) // 4 * 3 > max_bytes + 3:
        raise _too_large(len(data) // 4 * 3, max_bytes)
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("invalid_source", "The content of the file is not base64.") from None


def _too_large(size: int, most: int) -> Refused:
    return Refused(
        "too_large",
        f"The file has {size / 1e6:.0f} MB; with a request at most {most / 1e6:.0f} MB are taken.",
        "Send its path instead.",
    )

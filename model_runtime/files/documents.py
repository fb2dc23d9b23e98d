"""JSON documents that somebody else wrote, checked against their models."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from model_runtime.errors import UnreadableFile

Document = TypeVar("Document", bound=BaseModel)


def validated(model: type[Document], data: bytes, kind: str) -> Document:
    """A JSON document as its model.

    Raises:
        UnreadableFile: not JSON, or not such a document; the sentence names the first field that is wrong.
    """
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        at = f" at {where}" if where else ""
        raise UnreadableFile(f"The {kind} document is not valid{at}: {first['msg']}.") from error

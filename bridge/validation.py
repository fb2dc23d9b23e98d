"""What is wrong with a request, as a sentence for the musician instead of a validator's report."""

from __future__ import annotations

from pydantic import ValidationError


def fault_of(error: ValidationError) -> tuple[str, str]:
    """The first fault: the field's name ("source.path", "tempo_map.bpm") and what it should be, as half a sentence."""
    first = error.errors(include_url=False)[0]
    # Of a choice between kinds, pydantic names the kind that was tried as if it were a field.
    where = ".".join(str(part) for part in first["loc"])
    what = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    if first["type"] == "missing":
        return where, "is missing"
    what = what.replace("Input should be", "should be").replace("Input should", "should")
    if first["type"] == "union_tag_not_found":
        return where, 'needs a `kind`: "path", "bytes" or "notes"'
    shown = repr(first.get("input"))
    given = f", and is {shown}" if len(shown) <= 60 and not isinstance(first.get("input"), (dict, list)) else ""
    return where, f"{what[:1].lower()}{what[1:]}{given}"


def sentence_of(error: ValidationError, subject: str = "field") -> str:
    """The first fault as a sentence: "The option 'swing' should be less than or equal to 0.75, and is 2.0."."""
    where, what = fault_of(error)
    more = error.error_count() - 1
    others = f" ({more} more)" if more else ""
    return f"The {subject} {where!r} {what}.{others}" if where else f"The request is not complete: {what}.{others}"

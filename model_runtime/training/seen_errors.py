"""What the image reader made of the pages, beside what stands there, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def errors_table(counts: Mapping[str, int], editions: Iterable[str]) -> str:
    """What was missed, invented and mistaken, for each edition and kind, as Markdown.

    Rates are per 1,000 that are there; where there are none, how often it happened.
    """
    lines = []
    for edition in editions:
        keys = [key.split("|")[1:] for key in counts if key.startswith(f"{edition}|") and key.count("|") == 2]
        if not keys:
            continue
        compared, kept, true = (
            counts.get(f"{edition}|{what}", 0) for what in ("measures compared", "windows kept", "true measures")
        )
        lines += [
            f"## {edition}: {compared} measures compared, {kept} of {true} found",
            "",
            "| what | there | missed | invented | wrong |",
            "|---|---:|---:|---:|---:|",
        ]
        lines += [_row(counts, edition, name) for name in sorted({name for name, _ in keys}, key=_order)]
        lines.append("")
    return "\n".join(lines)


def _order(name: str) -> tuple[bool, bool, str]:
    """Kinds first, then their attributes, then what was read as what."""
    return " read as " in name, "." in name, name


def _row(counts: Mapping[str, int], edition: str, name: str) -> str:
    def times(*whats: str) -> int:
        return sum(counts.get(f"{edition}|{name}|{what}", 0) for what in whats)

    there = times("there")
    numbers = (times("missed"), times("invented"), times("wrong", "taken for another"))
    cells = [f"{1000 * n / there:.0f}" if there else f"{n} times" if n else "" for n in numbers]
    return f"| {name} | {there or ''} | {' | '.join(cells)} |"

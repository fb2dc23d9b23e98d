"""What the image reader made of the pages, beside what stands there, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def errors_table(counts: Mapping[str, int], editions: Iterable[str]) -> str:
    """What was missed, invented and mistaken, for each edition and kind, as Markdown; per 1,000 that are there."""
    lines = []
    for edition in editions:
        own = {
            tuple(k.split("|")[1:]): n for k, n in counts.items() if k.startswith(f"{edition}|") and k.count("|") == 2
        }
        if not own:
            continue
        lines += [
            f"## {edition}: {counts.get(f'{edition}|measures compared', 0)} measures compared, "
            f"{counts.get(f'{edition}|windows kept', 0)} of {counts.get(f'{edition}|true measures', 0)} found",
            "",
            "| what | there | missed | invented | wrong |",
            "|---|---:|---:|---:|---:|",
        ]
        for name in sorted({name for name, _ in own}, key=lambda name: ("." in name, name)):
            there = own.get((name, "there"), 0)
            wrong = own.get((name, "wrong"), 0) + own.get((name, "taken for another"), 0)
            rates = [own.get((name, "missed"), 0), own.get((name, "invented"), 0), wrong]
            lines.append(f"| {name} | {there} | " + " | ".join(f"{1000 * n / max(there, 1):.0f}" for n in rates) + " |")
        lines.append("")
    return "\n".join(lines)

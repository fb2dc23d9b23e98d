"""How large a file may be before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class Limits:
    """What a reader accepts. The defaults hold an opera's score, a day in the studio, and nothing a machine dies of.

    Attributes:
        audio_bytes: Size of a recording on disk.
        document_bytes: Size of any other file on disk.
        pages: Pages of a score image.
        page_pixels: Pixels of one page.
        notes: Notes of a performance or a score.
        seconds: Length of a recording or a performance.
        unpacked_bytes: Size of a zip archive's content once unpacked.
        unpacking_ratio: How many times larger than packed that content may be.
    """

    audio_bytes: int = 8 * GIBIBYTE
    document_bytes: int = 256 * MEBIBYTE
    pages: int = 200
    page_pixels: int = 80_000_000
    notes: int = 500_000
    seconds: float = 8 * 3600.0
    unpacked_bytes: int = 256 * MEBIBYTE
    unpacking_ratio: float = 300.0

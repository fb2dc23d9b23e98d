"""Small files of every format, made on the spot."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from model_runtime.modality import FloatArray, Note, Performance, SampledAudio

RATE = 22050


def sine(seconds: float = 0.5, channels: int = 2, rate: int = RATE) -> FloatArray:
    """A tone that differs from channel to channel, float32, shape (frames, channels)."""
    t = np.arange(round(seconds * rate)) / rate
    return np.stack([0.4 * np.sin(2 * np.pi * 330 * (c + 1) * t) for c in range(channels)], axis=1).astype(np.float32)


def recording(seconds: float = 0.5, channels: int = 2) -> SampledAudio:
    return SampledAudio(sine(seconds, channels), RATE)


def sound_bytes(format: str, subtype: str | None = None, seconds: float = 0.5) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, sine(seconds), RATE, format=format, subtype=subtype)
    return buffer.getvalue()


def performance() -> Performance:
    return Performance((Note(0.0, 0.5, 60, 90), Note(0.5, 1.0, 64, 70), Note(0.5, 1.0, 67, 71)), tracks=("Piano",))


def track(*events: bytes) -> bytes:
    """A MIDI track chunk."""
    body = b"".join(events)
    return b"MTrk" + struct.pack(">I", len(body)) + body


def midi_bytes(*tracks: bytes, format: int = 1, division: int = 480, count: int | None = None) -> bytes:
    """A MIDI file; `division` may be negative for SMPTE time."""
    header = struct.pack(">HHH", format, len(tracks) if count is None else count, division & 0xFFFF)
    return b"MThd" + struct.pack(">I", 6) + header + b"".join(tracks)


END_OF_TRACK = b"\x00\xff\x2f\x00"
TEMPO_120 = b"\x00\xff\x51\x03\x07\xa1\x20"

SCORE = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" \
"http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Flöte</part-name></score-part></part-list>
<part id="P1"><measure number="1"><attributes><divisions>1</divisions><key><fifths>0</fifths></key>
<time><beats>4</beats><beat-type>4</beat-type></time><clef><sign>G</sign><line>2</line></clef></attributes>
<note><pitch><step>C</step><octave>5</octave></pitch><duration>4</duration><voice>1</voice><type>whole</type></note>
</measure></part></score-partwise>
"""


def musicxml_bytes(encoding: str = "UTF-8") -> bytes:
    return SCORE.format(encoding=encoding).encode(encoding)


def picture(width: int = 60, height: int = 40) -> Image.Image:
    """White paper with a black bar in its upper left quarter."""
    page = np.full((height, width), 255, np.uint8)
    page[: height // 4, : width // 2] = 0
    return Image.fromarray(page)


def picture_bytes(format: str, image: Image.Image | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    (image or picture()).save(buffer, format=format, **options)
    return buffer.getvalue()


def pdf_bytes(*, encrypted: bool = False, pages: int = 1, size: tuple[float, float] = (72.0, 144.0)) -> bytes:
    """A PDF whose pages have a black square at their lower left; encrypted, it wants a password."""
    content = b"0 0 0 rg 0 0 36 36 re f"
    kids = " ".join(f"{4 + i} 0 R" for i in range(pages))
    page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] /Contents 3 0 R >>".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        *[page] * pages,
    ]
    trailer = b"/Root 1 0 R"
    if encrypted:
        key = "ab" * 32  # no password gives this
        objects.append(f"<< /Filter /Standard /V 1 /R 2 /O <{key}> /U <{key}> /P -4 >>".encode())
        trailer += f" /Encrypt {len(objects)} 0 R /ID [<00><00>]".encode()
    data = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d %s >>\n" % (
        len(objects) + 1,
        table,
        len(objects) + 1,
        trailer,
    )
    return data + b"startxref\n%d\n%%%%EOF\n" % start


def write_file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path

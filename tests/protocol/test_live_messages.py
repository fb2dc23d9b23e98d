"""Short forms of sources and destinations say the same as their fields."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from protocol.live import LiveStart


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("reastream", {"kind": "reastream", "identifier": "", "carries": "audio", "host": "127.0.0.1", "port": 58710}),
        ("reastream:Piano", {"identifier": "Piano"}),
        ("reastream@5000", {"identifier": "", "port": 5000}),
        ("reastream:me@home", {"identifier": "me@home", "port": 58710}),
        ("reastream:a:b@0.0.0.0:5000", {"identifier": "a:b", "host": "0.0.0.0", "port": 5000}),
        ("reastream-midi:keys@::1:5000", {"identifier": "keys", "carries": "midi", "host": "::1", "port": 5000}),
        ("soundcard", {"kind": "soundcard", "device": ""}),
        ("soundcard:USB: Audio", {"device": "USB: Audio"}),
        ("jack:system:capture_1,system:capture_2", {"ports": ["system:capture_1", "system:capture_2"]}),
        ("recording:/a/take.wav", {"kind": "recording", "path": "/a/take.wav", "from_start": True}),
        ("file:/a/b:c.wav", {"kind": "file", "path": "/a/b:c.wav", "offset": 0.0}),
        ("midi", {"kind": "midi", "port": ""}),
    ],
)
def test_a_source_in_words(text: str, fields: dict[str, object]) -> None:
    source = LiveStart.model_validate({"source": text}).source.model_dump()
    assert {name: source[name] for name in fields} == fields
    assert LiveStart.model_validate({"source": source}).source.model_dump() == source


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("reaper", {"kind": "reaper", "host": "127.0.0.1", "port": 8000, "channel": 0, "early": True}),
        ("reaper:9001", {"port": 9001}),
        ("osc:studio.local:9000", {"kind": "osc", "host": "studio.local", "port": 9000}),
        ("midi:Band", {"kind": "midi", "name": "Band"}),
        ("midi", {"name": "ScoreBridge live"}),
    ],
)
def test_a_destination_in_words(text: str, fields: dict[str, object]) -> None:
    (destination,) = LiveStart.model_validate({"source": "midi", "destinations": [text]}).destinations
    assert {name: getattr(destination, name) for name in fields} == fields


@pytest.mark.parametrize(
    "content",
    [
        {"source": "gramophone"},
        {"source": "reastream@0"},
        {"source": {"kind": "reastream", "identifier": "x" * 33}},
        {"source": "midi", "destinations": ["osc"]},
        {"source": "midi", "destinations": ["reaper:70000"]},
        {"source": "midi", "destinations": ["telegraph:1"]},
        {"source": "midi", "lease": 0},
        {"source": "midi", "live": "no spaces"},
    ],
)
def test_what_makes_no_sense_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LiveStart.model_validate(content)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import wire
from protocol.messages import Hello, Message

KEY = b"k" * 32
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.builds(
    Message,
    id=st.text(min_size=1, max_size=128),
    parent=st.none() | st.text(max_size=40),
    session=st.text(max_size=40),
    version=st.text(max_size=10),
    type=st.text(max_size=64),
    content=st.dictionaries(st.text(max_size=8), JSON, max_size=5),
)
BUFFERS = st.lists(st.binary(max_size=200), max_size=4)


@given(MESSAGES, BUFFERS, st.lists(st.binary(min_size=1, max_size=8), max_size=2), st.floats(0, 1e12))
def test_a_message_comes_back_from_its_frames(
    message: Message, buffers: list[bytes], identity: list[bytes], sent_s: float
) -> None:
    envelope = wire.decode(wire.encode(message, KEY, buffers, identity=identity, sent_s=sent_s), KEY)
    assert envelope == wire.Envelope(message, tuple(buffers), sent_s, tuple(identity))


@given(MESSAGES, BUFFERS, st.data())
def test_any_flipped_bit_is_refused(message: Message, buffers: list[bytes], data: st.DataObject) -> None:
    frames = wire.encode(message, KEY, buffers, sent_s=0.0)
    index = data.draw(st.sampled_from([i for i, frame in enumerate(frames) if frame]))
    frame = bytearray(frames[index])
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    frames[index] = bytes(frame)
    with pytest.raises(wire.WireError):
        wire.decode(frames, KEY)


@given(BUFFERS.filter(bool), st.data())
def test_buffers_cannot_be_dropped_doubled_swapped_or_moved(buffers: list[bytes], data: st.DataObject) -> None:
    frames = wire.encode(Message(type="hello", id="i"), KEY, buffers, sent_s=0.0)
    head, tail = frames[:4], frames[4:]
    changed = data.draw(
        st.sampled_from([tail[:-1], [*tail, tail[-1]], tail[::-1], [b"".join(tail), b""], [tail[0] + b"x", *tail[1:]]])
    )
    if changed != tail:
        with pytest.raises(wire.BadSignature):
            wire.decode([*head, *changed], KEY)


def test_bytes_cannot_move_from_header_to_content() -> None:
    delimiter, signature, header, content = wire.encode(Message.of(Hello()), KEY)
    with pytest.raises(wire.BadSignature):
        wire.decode([delimiter, signature, header + content[:1], content[1:]], KEY)


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_garbage_is_refused_and_nothing_else_happens(frames: list[bytes]) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(frames, KEY)
    with pytest.raises(wire.WireError):
        wire.decode([wire.DELIMITER, *frames], KEY)


@pytest.mark.parametrize("header", [b"[]", b"{", b'{"type":"hello"}', b'{"id":"","type":"a","sent":0}', b"[" * 4000])
def test_a_signed_header_that_is_no_header_is_refused(header: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode([wire.DELIMITER, wire.sign(KEY, header, b"{}"), header, b"{}"], KEY)


def test_an_empty_key_signs_nothing() -> None:
    with pytest.raises(wire.EmptyKey):
        wire.encode(Message.of(Hello()), b"")
    with pytest.raises(wire.EmptyKey):
        wire.decode(wire.encode(Message.of(Hello()), KEY), b"")


def test_another_key_is_refused_with_a_hint() -> None:
    with pytest.raises(wire.BadSignature, match="connection file"):
        wire.decode(wire.encode(Message.of(Hello()), KEY), b"another key")


@pytest.mark.parametrize(
    "message, buffers",
    [
        (Message(type="x", id="i", session="s" * 128, parent="p" * 5000), []),
        (Message(type="x", content={"text": "x" * (wire.MAX_CONTENT_BYTES + 1)}), []),
        (Message(type="x"), [b""] * (wire.MAX_BUFFERS + 1)),
    ],
)
def test_what_passes_a_limit_is_refused_before_it_is_sent(message: Message, buffers: list[bytes]) -> None:
    with pytest.raises(wire.TooLarge):
        wire.encode(message, KEY, buffers)


def test_what_passes_a_limit_is_refused_before_it_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_BUFFER_BYTES", 1000)
    frames = [wire.DELIMITER, b"", b"{}", b"{}", b"x" * 1001]
    monkeypatch.setattr(wire, "sign", lambda *_: pytest.fail("hashed"))
    with pytest.raises(wire.TooLarge):
        wire.decode(frames, KEY)


def test_a_value_that_json_cannot_say_is_refused() -> None:
    with pytest.raises(wire.WireError):
        wire.encode(Message(type="x", content={"value": float("nan")}), KEY)

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.slip import SlipDecoder, SlipError, encode

# Many of the bytes that SLIP escapes.
PIECES = st.one_of(st.sampled_from([b"\xc0", b"\xdb", b"\xdc", b"\xdd"]), st.binary(max_size=4))
PACKETS = st.lists(PIECES, max_size=20).map(b"".join)


@given(st.lists(PACKETS.filter(bool), max_size=6), st.data())
def test_packets_come_back_however_the_stream_is_cut(packets: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(encode(packet) for packet in packets)
    decoder = SlipDecoder(1000)
    received = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        received += decoder.feed(stream[:size])
        stream = stream[size:]
    assert received == packets


@given(st.binary(max_size=200))
def test_garbage_does_not_harm_the_packet_after_it(garbage: bytes) -> None:
    decoder = SlipDecoder(100)
    decoder.feed(garbage)
    assert decoder.feed(encode(b"after"))[-1] == b"after"


@given(st.integers(0, 300))
def test_a_packet_that_is_too_long_is_reported_once_and_not_kept(extra: int) -> None:
    decoder = SlipDecoder(100)
    assert decoder.feed(b"x" * (201 + extra)) == []
    assert decoder.feed(b"x" * 50) == []
    [error, packet] = decoder.feed(encode(b"after"))
    assert isinstance(error, SlipError) and packet == b"after"


def test_an_unknown_escape_is_an_error_in_its_place() -> None:
    [before, error, after] = SlipDecoder(100).feed(b"a\xc0b\xdbc\xc0d\xc0")
    assert (before, after) == (b"a", b"d") and isinstance(error, SlipError)

"""SLIP framing (RFC 1055, with an END on both sides as OSC 1.1 asks): packets in a stream of bytes."""

from __future__ import annotations

from protocol.errors import ProtocolError

END = 0xC0
ESC = 0xDB
ESC_END = 0xDC
ESC_ESC = 0xDD


class SlipError(ProtocolError):
    """A packet breaks the framing or passes the limit; what follows the next END can be read again."""

    code = "bad_frame"


def encode(packet: bytes) -> bytes:
    """Frame one packet."""
    escaped = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + escaped + b"\xc0"


class SlipDecoder:
    """Takes a stream apart.

    Args:
        max_bytes: Longest packet; a longer one is thrown away as it comes in.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._raw = bytearray()
        self._overflow = False

    def feed(self, data: bytes) -> list[bytes | SlipError]:
        """The packets, and the errors in the place of broken ones, that `data` completes, in order."""
        packets: list[bytes | SlipError] = []
        *ended, rest = data.split(b"\xc0")
        for piece in ended:
            self._add(piece)
            if self._overflow:
                packets.append(SlipError(f"The packet has more than {self._max_bytes} bytes."))
            elif self._raw:  # nothing between two ENDs is no packet
                packets.append(_unescaped(bytes(self._raw)))
            self._raw.clear()
            self._overflow = False
        self._add(rest)
        return packets

    def _add(self, piece: bytes) -> None:
        # Escaping at most doubles a packet.
        if self._overflow or len(self._raw) + len(piece) > 2 * self._max_bytes:
            self._overflow = True
            self._raw.clear()
        else:
            self._raw += piece


def _unescaped(raw: bytes) -> bytes | SlipError:
    first, *rest = raw.split(b"\xdb")
    packet = bytearray(first)
    for piece in rest:
        if piece[:1] == b"\xdc":
            packet.append(END)
        elif piece[:1] == b"\xdd":
            packet.append(ESC)
        else:
            return SlipError("The packet holds an escape that SLIP does not know.")
        packet += piece[1:]
    return bytes(packet)

"""Refusing messages that were seen before, without locking anybody out when a clock jumps.

Remembering every id for ever needs endless memory; forgetting the oldest lets an attacker send it again. So each
message says when it was signed, and the receiver accepts only what was signed within a window around its own time and
remembers the ids of that window. When a flood fills the memory before the window has passed, the oldest ids are
forgotten and everything signed before them is refused from then on (`floor_s`): memory stays bounded and nothing that
was seen can be seen again.

Clocks: both sides count with a *steady* clock — the wall clock at the process's start plus monotonic time since — so a
clock that jumps while they run changes nothing. A client that started after a jump, or on another machine, is off by
a constant: its first message is refused with code `stale`, and that answer (signed, bound to the request by `parent`)
carries the daemon's time. The client adds the difference to its own time and sends again. An attacker cannot make use
of this: the refused message stays refused, and only the holder of the key can sign a new one.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict

from protocol.wire import WireError

WINDOW_S = 60.0
MAX_SEEN = 200_000


class Replayed(WireError):
    """A message with this id was received before."""

    code = "replayed"


class Stale(WireError):
    """The message was signed too long ago, or by a clock that is off: the answer says what time it is here."""

    code = "stale"


class SteadyClock:
    """Seconds since the epoch that never jump: wall clock at construction, monotonic since, plus a correction.

    Attributes:
        correction_s: What to add to reach the other side's time; learnt from its answers.
    """

    def __init__(self) -> None:
        self._start_s = time.time() - time.monotonic()
        self.correction_s = 0.0

    def now_s(self) -> float:
        """The present time in seconds."""
        return self._start_s + time.monotonic() + self.correction_s

    def follow(self, other_s: float) -> None:
        """Correct this clock to another's present time."""
        self.correction_s += other_s - self.now_s()


class ReplayGuard:
    """Remembers what was received.

    Args:
        clock: The receiver's clock.
        window_s: How far a sender's time may lie from it.
        max_seen: Ids that are remembered at most.
    """

    def __init__(self, clock: SteadyClock, *, window_s: float = WINDOW_S, max_seen: int = MAX_SEEN) -> None:
        self._clock = clock
        self._window_s = window_s
        self._max_seen = max_seen
        self._seen: OrderedDict[str, float] = OrderedDict()  # id → time signed, in order of arrival
        self.floor_s = -math.inf

    def check(self, message_id: str, sent_s: float) -> None:
        """Accept a message once.

        Raises:
            Replayed: the id was seen before.
            Stale: its time lies outside the window, or where ids have been forgotten already.
        """
        if message_id in self._seen:
            raise Replayed("This message was received before.", hint="Give every message its own id.")
        now_s = self._clock.now_s()
        # Written so that NaN is refused too.
        if not (abs(sent_s - now_s) <= self._window_s and sent_s > self.floor_s):
            raise Stale("The message was signed at another time.", hint="Take the time of this answer and send again.")
        self._forget(now_s)
        self._seen[message_id] = sent_s

    def _forget(self, now_s: float) -> None:
        # An id outlives the window that would accept it: it goes when it is two windows old or when memory is full.
        while self._seen:
            oldest_s = next(iter(self._seen.values()))
            if len(self._seen) >= self._max_seen:
                self.floor_s = max(self.floor_s, oldest_s)
            elif oldest_s >= now_s - 2 * self._window_s:
                return
            self._seen.popitem(last=False)

    def __len__(self) -> int:
        return len(self._seen)

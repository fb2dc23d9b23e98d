"""A queue that is fair between clients: they take turns, however many jobs each has sent."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items of each client in the order of their arrival; clients by turns."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Item]] = {}  # the client whose turn is next stands first

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def waiting(self, client: str) -> int:
        """How many items of a client wait."""
        return len(self._lines.get(client, ()))

    def put(self, client: str, item: Item) -> None:
        """Add an item at the end of its client's line."""
        self._lines.setdefault(client, deque()).append(item)

    def put_first(self, client: str, item: Item) -> None:
        """Put an item back that was taken: it is the next one again."""
        line = self._lines.pop(client, deque())
        line.appendleft(item)
        self._lines = {client: line, **self._lines}

    def take(self) -> Item:
        """Take the next item; its client's next turn comes after everybody else's.

        Raises:
            IndexError: nothing waits.
        """
        if not self._lines:
            raise IndexError("nothing waits")
        client = next(iter(self._lines))
        line = self._lines.pop(client)
        item = line.popleft()
        if line:
            self._lines[client] = line
        return item

    def remove(self, client: str, item: Item) -> None:
        """Take an item out of its line, wherever it stands.

        Raises:
            ValueError: it does not wait.
        """
        line = self._lines.get(client, deque())
        line.remove(item)
        if not line:
            self._lines.pop(client, None)

    def position(self, client: str, item: Item) -> int:
        """How many items are taken before this one.

        Raises:
            ValueError: it does not wait.
        """
        turn = self._lines.get(client, deque()).index(item)
        earlier_clients = True
        before = turn
        for other, line in self._lines.items():
            if other == client:
                earlier_clients = False
            else:
                before += min(len(line), turn + 1 if earlier_clients else turn)
        return before

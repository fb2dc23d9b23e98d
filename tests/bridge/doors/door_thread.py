"""Runs a door in a loop of its own thread, for tests that speak to it with blocking sockets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self

from echo_service import EchoService

from bridge.doors.door import Door


class DoorThread:
    def __init__(self, folder: Path, make: Callable[[EchoService], Door]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.service = EchoService(folder)
        self.door = make(self.service)

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def __enter__(self) -> Self:
        try:
            self.call(self.door.start())
        except BaseException:
            self._end()
            raise
        self.fields = self.door.connection_fields()
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self.door.stop())
        self.call(self.service.close())
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

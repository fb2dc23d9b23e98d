"""Where events of jobs are published and listened to."""

from __future__ import annotations

import logging
from collections.abc import Callable

from bridge.service import EventListener
from protocol.messages import Message

log = logging.getLogger(__name__)


class EventHub:
    """Hands each event to every listener, in the order of publication. Belongs to one event loop."""

    def __init__(self) -> None:
        self._listeners: dict[object, EventListener] = {}

    def subscribe(self, listener: EventListener) -> Callable[[], None]:
        """Call `listener` for every event from now on; returns what ends it."""
        key = object()
        self._listeners[key] = listener

        def unsubscribe() -> None:
            self._listeners.pop(key, None)

        return unsubscribe

    def publish(self, event: Message) -> None:
        """Tell every listener; one that fails does not keep the others from hearing it."""
        for listener in tuple(self._listeners.values()):
            try:
                listener(event)
            except Exception:
                log.exception("A listener failed on a %s event", event.type)

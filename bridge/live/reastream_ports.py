"""The UDP ports that sessions listen to ReaStream on: opened for the first session of each, closed after the last."""

from __future__ import annotations

import asyncio
import socket

from bridge.access import Refused
from bridge.live.reastream_port import ReaStreamPort, Route
from protocol.live import LiveSourceInfo
from protocol.live_places import ReaStreamSource

LISTEN_AROUND_S = 0.4  # for senders, when asked what there is


class ReaStreamPorts:
    """The open ports; belongs to the daemon's event loop."""

    def __init__(self) -> None:
        self._ports: dict[tuple[str, int], ReaStreamPort] = {}

    def join(self, source: ReaStreamSource) -> tuple[ReaStreamPort, Route, socket.socket]:
        """Listen to a sender; returns its port, the route, and the socket that a session reads packets from.

        Raises:
            Refused: the port is taken, or the address is not this machine's.
        """
        port = self._open(source.host, source.port)
        route, packets = port.join(source.identifier, source.carries)
        return port, route, packets

    async def leave(self, port: ReaStreamPort, route: Route) -> None:
        """Stop listening. Idempotent."""
        port.leave(route)
        await self._close_idle()

    async def senders(self) -> list[LiveSourceInfo]:
        """Who sends to the usual port, as far as they were heard lately."""
        wanted = ReaStreamSource()
        known = (wanted.host, wanted.port) in self._ports
        try:
            port = self._open(wanted.host, wanted.port)
        except Refused as refused:
            told = {"reason": refused.message, "hint": refused.hint}
            return [LiveSourceInfo(kind="reastream", name="ReaStream", ready=False, **told)]
        if not known:
            await asyncio.sleep(LISTEN_AROUND_S)
        found = [
            LiveSourceInfo(
                kind="reastream",
                source=f"reastream{'-midi' if carries == 'midi' else ''}:{identifier}",
                name=f"ReaStream{' MIDI' if carries == 'midi' else ''}: {identifier}",
            )
            for carries, identifier in port.senders()
        ]
        await self._close_idle()
        hint = "Put ReaStream on a track in REAPER and choose to send to 127.0.0.1; the session may be started before."
        return found or [LiveSourceInfo(kind="reastream", source="reastream", name="ReaStream: any sender", hint=hint)]

    async def close(self) -> None:
        """Let go of every port."""
        for port in self._ports.values():
            await asyncio.to_thread(port.close)
        self._ports.clear()

    def _open(self, host: str, number: int) -> ReaStreamPort:
        port = self._ports.get((host, number))
        if port is None:
            port = self._ports[host, number] = ReaStreamPort(host, number)
        return port

    async def _close_idle(self) -> None:
        for address, port in tuple(self._ports.items()):
            if port.idle:
                del self._ports[address]
                await asyncio.to_thread(port.close)

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path

import pytest
from door_thread import DoorThread

from bridge.doors.http import HttpDoor
from protocol.connection import Connection, new_key
from protocol.errors import DaemonError, DaemonNotRunning
from protocol.page import page_link

TOKEN = new_key()


def connection(**changes: object) -> Connection:
    return Connection.model_validate({"pid": 1, "key": new_key(), "token": TOKEN, **changes})


def test_a_link_opens_the_page_once_and_each_is_another(tmp_path: Path) -> None:
    with DoorThread(tmp_path, lambda service: HttpDoor(service, TOKEN)) as door:
        link, other = page_link(connection(**door.fields)), page_link(connection(**door.fields))
        assert link.startswith(f"http://127.0.0.1:{door.fields['http_port']}/#ticket=") and link != other
        assert TOKEN not in link
        browser = http.client.HTTPConnection("127.0.0.1", door.fields["http_port"], timeout=5)
        for status in (200, 403):
            browser.request("POST", "/api/session", json.dumps({"ticket": link.partition("=")[2]}))
            answer = browser.getresponse()
            assert (answer.status, bool(answer.read())) == (status, True)
        browser.close()
        with pytest.raises(DaemonError, match="token"):
            page_link(connection(**door.fields, token=new_key()))


def test_without_a_door_it_says_so() -> None:
    with pytest.raises(DaemonError, match="no HTTP door"):
        page_link(connection())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        with pytest.raises(DaemonNotRunning):
            page_link(connection(http_port=taken.getsockname()[1]))

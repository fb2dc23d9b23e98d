"""The link that opens the daemon's page: good once, for a minute."""

from __future__ import annotations

import json

from protocol.connection import Connection, read_connection
from protocol.errors import DaemonError, DaemonNotRunning

TIMEOUT_S = 5.0


def page_link(connection: Connection | None = None, page: str = "") -> str:
    """A fresh one-time link to a page of the running daemon, for the user's browser.

    Args:
        connection: Of the daemon; None: the one that runs.
        page: "live", or empty for the page of jobs.

    Raises:
        DaemonNotRunning: no daemon is there.
        DaemonError: it has no page, or did not give a link.
    """
    import http.client

    connection = connection or read_connection()
    if not connection.http_port:
        raise DaemonError("The daemon has no HTTP door.", code="unsupported")
    server = http.client.HTTPConnection("127.0.0.1", connection.http_port, timeout=TIMEOUT_S)
    try:
        server.request("POST", "/api/tickets", headers={"X-ScoreBridge-Token": connection.token})
        answer = json.loads(server.getresponse().read())
    except OSError as error:
        raise DaemonNotRunning("The daemon's HTTP door does not answer.") from error
    except (ValueError, http.client.HTTPException) as error:
        raise DaemonError("The daemon's answer cannot be understood.") from error
    finally:
        server.close()
    if "url" not in answer:
        raise DaemonError(
            str(answer.get("message", "")), hint=str(answer.get("hint", "")), code=str(answer.get("code"))
        )
    return str(answer["url"]).replace("/#", f"/{page}#")

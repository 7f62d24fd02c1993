"""OTLP over HTTP, with one connection a signal that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Final
from urllib.parse import urlsplit

from vaportrail.telemetry.otlp import BY_KIND
from vaportrail.telemetry.shipper_loop import Answer, Reply
from vaportrail.telemetry.spool import Kind

__all__ = ["HttpCollector"]

_REFUSALS: Final = (400, 413)
"""Replies to a request that would be refused again; OTLP says so of 400."""
_REASON_LIMIT: Final = 200


class HttpCollector:
    """The run's collector.

    A reply is 200 only when what was posted is stored; so the signals are posted at the same time
    and then waited for.

    Args:
        url: `http://<host>:<port>`.
        token: the run's bearer token.
        timeout: seconds for a reply.
    """

    def __init__(self, url: str, token: str, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"collector {url!r} is not http://HOST:PORT")
        self._address = parts.hostname, parts.port or 80
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self._timeout = timeout
        self._kept: dict[Kind, HTTPConnection] = {}

    def post(self, requests: Mapping[Kind, bytes]) -> dict[Kind, Answer]:
        """Post one request a signal and return what became of each."""
        sent = {kind: self._send(kind, body) for kind, body in requests.items()}
        return {
            kind: connection if isinstance(connection, Answer) else self._answer(kind, connection)
            for kind, connection in sent.items()
        }

    def close(self) -> None:
        """Close the connections."""
        while self._kept:
            self._kept.popitem()[1].close()

    def _send(self, kind: Kind, body: bytes) -> HTTPConnection | Answer:
        connection = self._kept.pop(kind, None)
        if connection is not None:
            # The other end closes what was idle for long: that is no failure.
            with suppress(OSError, HTTPException):
                if not _is_closed(connection):
                    self._request(connection, kind, body)
                    return connection
            connection.close()
        connection = HTTPConnection(*self._address, timeout=self._timeout)
        try:
            self._request(connection, kind, body)
        except (OSError, HTTPException) as error:
            connection.close()
            return Answer(Reply.FAILED, _reason(error))
        return connection

    def _request(self, connection: HTTPConnection, kind: Kind, body: bytes) -> None:
        connection.request("POST", f"/v1/{BY_KIND[kind].file}", body, self._headers)

    def _answer(self, kind: Kind, connection: HTTPConnection) -> Answer:
        try:
            response = connection.getresponse()
            content = response.read(_REASON_LIMIT)
            response.read()
        except (OSError, HTTPException) as error:
            connection.close()
            return Answer(Reply.FAILED, _reason(error))
        if response.will_close:
            connection.close()
        else:
            self._kept[kind] = connection
        return _meaning(response, content)


def _meaning(response: HTTPResponse, content: bytes) -> Answer:
    if response.status == 200:
        return Answer(Reply.STORED)
    told = " ".join(content.decode("utf-8", "replace").split())
    reply = Reply.REFUSED if response.status in _REFUSALS else Reply.FAILED
    return Answer(reply, f"{response.status} {response.reason} {told}".strip())


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _is_closed(connection: HTTPConnection) -> bool:
    """Return whether the other end has closed a connection on which nothing is awaited."""
    from select import select

    return connection.sock is None or bool(select([connection.sock], [], [], 0)[0])

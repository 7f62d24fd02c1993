"""OTLP over HTTP, with one connection a signal that is kept."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from select import select
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from vaportrail.contract.otlp_signals import BY_KIND, Kind
from vaportrail.shipper.shipper import PostResult, Reply

__all__ = ["HttpCollector"]

_REFUSALS: Final = (400, 413)
"""Replies to a request that would be refused again; OTLP says so of 400."""
_REASON_LIMIT: Final = 200
_TAKE_SECONDS: Final = 5.0
"""For a connection, and for what is sent to be taken."""
_LOOK_SECONDS: Final = 0.2
_NO_TIME: Final = "no reply in time"


class HttpCollector:
    """The run's collector.

    A reply is 200 only when what was posted is stored; so the signals are posted at the same time
    and then waited for.

    Args:
        url: `http://<host>:<port>`.
        token: the run's bearer token.
        timeout: seconds for a reply: longer than the collector itself tries to store.
    """

    def __init__(self, url: str, token: str, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"collector {url!r} is not http://HOST:PORT")
        self._address = parts.hostname, parts.port or 80
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self._timeout = timeout
        self._kept: dict[Kind, HTTPConnection] = {}

    def post(self, requests: Mapping[Kind, bytes], left: Callable[[], float]) -> dict[Kind, PostResult]:
        """Post one request a signal and return what became of each, when `left` is used up at the latest."""
        sent = {kind: self._send(kind, body, left) for kind, body in requests.items()}
        until = monotonic() + self._timeout
        return {
            kind: connection
            if isinstance(connection, PostResult)
            else self._post_result(kind, connection, left, until)
            for kind, connection in sent.items()
        }

    def close(self) -> None:
        """Close the connections."""
        while self._kept:
            self._kept.popitem()[1].close()

    def _send(self, kind: Kind, body: bytes, left: Callable[[], float]) -> HTTPConnection | PostResult:
        seconds = min(_TAKE_SECONDS, left())
        if seconds <= 0:
            return PostResult(Reply.FAILED, _NO_TIME)
        connection = self._kept.pop(kind, None)
        if connection is not None:
            # The other end closes what was idle for long: that is no failure.
            with suppress(OSError, HTTPException):
                if not _is_readable(connection, 0.0):
                    _socket(connection).settimeout(seconds)
                    self._request(connection, kind, body)
                    return connection
            connection.close()
        connection = HTTPConnection(*self._address, timeout=seconds)
        try:
            connection.connect()
            _notice_death(_socket(connection))
            self._request(connection, kind, body)
        except (OSError, HTTPException) as error:
            connection.close()
            return PostResult(Reply.FAILED, _reason(error))
        return connection

    def _request(self, connection: HTTPConnection, kind: Kind, body: bytes) -> None:
        connection.request("POST", BY_KIND[kind].path, body, self._headers)

    def _post_result(
        self, kind: Kind, connection: HTTPConnection, left: Callable[[], float], until: float
    ) -> PostResult:
        try:
            # In short looks: a signal that ends the shipper leaves less time than there was.
            while not _is_readable(connection, _LOOK_SECONDS):
                if min(until - monotonic(), left()) <= 0:
                    raise TimeoutError(_NO_TIME)
            response = connection.getresponse()
            content = response.read(_REASON_LIMIT)
            response.read()
        except (OSError, HTTPException) as error:
            connection.close()
            return PostResult(Reply.FAILED, _reason(error))
        if response.will_close:
            connection.close()
        else:
            self._kept[kind] = connection
        return _meaning(response, content)


def _meaning(response: HTTPResponse, content: bytes) -> PostResult:
    if response.status == 200:
        return PostResult(Reply.STORED)
    told = " ".join(content.decode("utf-8", "replace").split())
    reply = Reply.REFUSED if response.status in _REFUSALS else Reply.FAILED
    return PostResult(reply, f"{response.status} {response.reason} {told}".strip())


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _socket(connection: HTTPConnection) -> socket.socket:
    if connection.sock is None:
        raise ConnectionError("the connection is closed")
    return connection.sock


def _is_readable(connection: HTTPConnection, seconds: float) -> bool:
    """Return whether the other end says something, or is gone, within so many seconds."""
    return bool(select([_socket(connection)], [], [], seconds)[0])


def _notice_death(sock: socket.socket) -> None:
    """Have a reply no longer waited for when the other end's machine is gone: it says nothing of that."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 15_000)

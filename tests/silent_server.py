"""A server that takes every connection and never answers; for what must not wait for ever."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["silent_server"]


@contextmanager
def silent_server() -> Iterator[tuple[str, threading.Event]]:
    """Yield the server's URL, and what is set as soon as it is asked something."""
    asked = threading.Event()
    connections: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection = server.accept()[0]
                connections.append(connection)
                if connection.recv(1):
                    asked.set()

    server = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
    finally:
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for each in [server, *connections]:
            each.close()

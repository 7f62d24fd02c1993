"""A port that is open while something goes on, for the kubelet's probe to ask."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["listening"]


@contextmanager
def listening(port: int) -> Iterator[int]:
    """Accept connections, and close them at once, for the length of a block.

    Args:
        port: where; 0 for any.

    Yields:
        The port.

    Example:
        >>> with listening(0) as port:
        ...     socket.create_connection(("127.0.0.1", port)).close()
    """
    with _server(port) as server:
        threading.Thread(target=_serve, args=(server,), name="vaportrail-ready", daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            # Wakes the thread, which closing alone does not.
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)


def _server(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _serve(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            server.accept()[0].close()

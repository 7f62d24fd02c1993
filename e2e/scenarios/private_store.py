"""What a platform has before its bucket: TLS of its own authority, and a proxy that alone knows the way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from e2e.private_authority import Authority, authority

__all__ = ["HOST", "PrivateStore", "private_store"]

HOST = "store.private.test"
"""A name that nothing but the proxy resolves."""
_CHUNK = 1 << 16


@dataclass
class PrivateStore:
    """The bucket as pods reach it.

    Attributes:
        authority: vouches for it.
        port: of the proxy, on this machine's end of the link to the cluster.
        asked: the hosts that the proxy was asked for, each once.
    """

    authority: Authority
    port: int
    asked: set[str] = field(default_factory=set)

    @property
    def endpoint(self) -> str:
        """The store's address for who goes through the proxy."""
        return f"https://{HOST}"


@contextmanager
def private_store(folder: Path, address: str, port: int, *, proxy_at: str) -> Iterator[PrivateStore]:
    """Put TLS and a proxy before an S3 server at an address.

    Args:
        folder: for the authority's files.
        address: of the server.
        port: of the server.
        proxy_at: an address of this machine that the cluster's pods reach.
    """
    private = authority(folder)
    context = private.server(HOST)
    with ExitStack() as stack:
        front, proxy = (stack.enter_context(_listening(where)) for where in ("127.0.0.1", proxy_at))
        store = PrivateStore(private, proxy.getsockname()[1])

        def encrypted(client: socket.socket) -> None:
            with context.wrap_socket(client, server_side=True) as plain:
                _relay(plain, socket.create_connection((address, port)))

        def connected(client: socket.socket) -> None:
            line = _head(client).partition(b"\r\n")[0].decode(errors="replace").split()
            target = line[1] if len(line) > 1 else ""
            host = urlsplit(target if "//" in target else f"//{target}").hostname or ""
            store.asked.add(host)
            if line[:1] != ["CONNECT"] or host != HOST:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _relay(client, socket.create_connection(front.getsockname()))

        for server, serve in ((front, encrypted), (proxy, connected)):
            threading.Thread(target=_accept, args=(server, serve), daemon=True).start()
        yield store


@contextmanager
def _listening(address: str) -> Iterator[socket.socket]:
    with socket.create_server((address, 0)) as server:
        yield server
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # wakes who waits for a connection


def _accept(server: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    def served(client: socket.socket) -> None:
        # A handshake that is refused is the client's to tell.
        with suppress(OSError), client:
            serve(client)

    with suppress(OSError):
        while True:
            client, _ = server.accept()
            threading.Thread(target=served, args=(client,), daemon=True).start()


def _head(client: socket.socket) -> bytes:
    raw = b""
    while b"\r\n\r\n" not in raw and (chunk := client.recv(_CHUNK)):
        raw += chunk
    return raw


def _relay(one: socket.socket, other: socket.socket) -> None:
    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(_CHUNK):
                target.sendall(chunk)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    with other:
        back = threading.Thread(target=copy, args=(other, one), daemon=True)
        back.start()
        copy(one, other)
        back.join()

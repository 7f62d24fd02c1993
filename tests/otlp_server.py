"""An HTTP server in this process that takes OTLP as the run's collector does: a part a request."""

from __future__ import annotations

import gzip
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Store = Callable[[str, bytes], None]
"""Keeps a part under a name."""


class CollectorServer:
    """Answers 200 once a part is stored.

    Attributes:
        status: answered instead of storing; 200 to store.
        posted: set by every request that was answered.
        asked: set by every request that has come.
        opened: requests are answered only while this is set.
        requests: of each its signal, the client's port and the token.
    """

    def __init__(self, store: Store, port: int = 0) -> None:
        self.status = 200
        self.posted, self.asked, self.opened = threading.Event(), threading.Event(), threading.Event()
        self.opened.set()
        self.requests: list[tuple[str, int, str]] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                signal = self.path.removeprefix("/v1/")
                with outer._lock:
                    client = self.client_address[1]
                    outer.requests.append((signal, client, self.headers["Authorization"]))
                    number = next(outer._numbers)
                outer.asked.set()
                outer.opened.wait()
                if outer.status == 200:
                    store(f"{signal}_{number:08d}.json.gz", gzip.compress(body, 1))
                self.send_response(outer.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")
                outer.posted.set()

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self.opened.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def collector_server(store: Store, port: int = 0) -> Iterator[CollectorServer]:
    server = CollectorServer(store, port)
    try:
        yield server
    finally:
        server.close()

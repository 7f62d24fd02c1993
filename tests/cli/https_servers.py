"""An API server's stand-in with TLS on loopback, which keeps how it was asked; and a proxy before it."""

from __future__ import annotations

import json
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Certificates:
    """Files in PEM: an authority, and a server's and a client's certificate of it, each with its key."""

    folder: Path

    def file(self, name: str) -> Path:
        return self.folder / name

    def text(self, name: str) -> str:
        return self.file(name).read_text()


def make_certificates(folder: Path) -> Certificates:
    """Make them; the server's is for 127.0.0.1 and for the name `inside.example`."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj")
    openssl(*new, "/CN=authority", "-keyout", "authority.key", "-out", "authority.pem")
    names = "subjectAltName=IP:127.0.0.1,DNS:inside.example"
    for name, extension in (("server", names), ("client", "extendedKeyUsage=clientAuth")):
        signed = ("-CA", "authority.pem", "-CAkey", "authority.key", "-addext", extension)
        leaf = ("-addext", "basicConstraints=critical,CA:FALSE")
        openssl(*new, f"/CN={name}", *signed, *leaf, "-keyout", f"{name}.key", "-out", f"{name}.pem")
    return Certificates(folder)


@dataclass
class Asked:
    """How a server was asked: a request's headers, the name asked for, the client's certificate."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Return the values of a header, one for each time it was sent."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@contextmanager
def api_server_stand_in(certificates: Certificates) -> Iterator[tuple[str, Asked]]:
    """Yield the address of a server that has each run, and how it was asked."""
    asked = Asked()

    class Handler(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            assert isinstance(self.connection, ssl.SSLSocket)
            peer: Any = self.connection.getpeercert() or {"subject": ((("", ""),),)}
            asked.clients.append(peer["subject"][0][0][1])
            asked.headers += self.headers.items()
            asked.paths.append(self.path)
            body = json.dumps({"kind": "PipelineRun", "metadata": {"name": "mnist"}}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.file("server.pem"), certificates.file("server.key"))
    tls.load_verify_locations(certificates.file("authority.pem"))
    tls.verify_mode = ssl.CERT_OPTIONAL
    tls.sni_callback = lambda _socket, name, _context: asked.server_names.append(name)
    with _serving(Handler, tls) as port:
        yield f"https://127.0.0.1:{port}", asked


@contextmanager
def proxy() -> Iterator[tuple[str, Asked]]:
    """Yield the address of an HTTP proxy with tunnels, and how it was asked."""
    asked = Asked()

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.paths.append(self.path)
            asked.headers += self.headers.items()
            host, _, port = self.path.partition(":")
            with socket.create_connection((host, int(port))) as there:
                self.send_response(200)
                self.end_headers()
                ends = {self.connection: there, there: self.connection}
                while True:
                    for ready in select.select(list(ends), [], [])[0]:
                        content = ready.recv(65536)
                        if not content:
                            self.close_connection = True
                            return
                        ends[ready].sendall(content)

        def log_message(self, *_: Any) -> None:
            pass

    with _serving(Handler, None) as port:
        yield f"http://127.0.0.1:{port}", asked


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that leave in the middle: that is what some tests are about."""


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()

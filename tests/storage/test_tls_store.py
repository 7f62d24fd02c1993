"""A store behind TLS of a private authority: reached where that is trusted, else said at once, by name."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from e2e.private_authority import Authority, authority

Serve = Callable[[ssl.SSLContext], str]
PROBE = """
from vaportrail.storage.probe import probe
from vaportrail.storage.store import open_store
from vaportrail.errors import StoreUnsafe
try:
    probe(open_store("s3://records/ml"), "spool/1")
except StoreUnsafe:
    print("reached")
"""


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("authority"))


class Takes(BaseHTTPRequestHandler):
    """Takes whatever is put, twice as well."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("ETag", '"x"')
        body = (
            b"<DeleteResult><Deleted><Key>ml/spool/1/probe</Key></Deleted></DeleteResult>"
            if self.command == "POST"
            else b""
        )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_POST = do_PUT

    def log_message(self, *_: object) -> None:
        pass


class Quiet(ThreadingHTTPServer):
    """Says nothing of handshakes that fail."""

    def handle_error(self, *_: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[ssl.SSLContext], str]]:
    running: list[tuple[Quiet, threading.Thread]] = []

    def start(context: ssl.SSLContext) -> str:
        server = Quiet(("127.0.0.1", 0), Takes)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        running.append((server, thread))
        return f"https://localhost:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


def probed(endpoint: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Probe a store in a process of its own: what it trusts is read once."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SSL_"))}
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": endpoint}
    return subprocess.run(
        [sys.executable, "-c", PROBE],
        env={**own, "NO_PROXY": "*", **keys, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_certificate_of_an_authority_that_is_not_trusted_is_named_at_once(
    serve: Serve, private: Authority
) -> None:
    endpoint = serve(private.server("localhost"))
    done = probed(endpoint)
    said = done.stderr.splitlines()[-1]
    host = endpoint.removeprefix("https://")
    assert f"the certificate of {host} is of an authority that is not trusted here (UnknownIssuer)" in said
    assert "SSL_CERT_FILE" in said
    assert "runPods.caBundle" in said
    assert "retries" not in said  # a minute of them


def test_a_certificate_of_another_name_is_said_as_such(serve: Serve, private: Authority) -> None:
    done = probed(serve(private.server("elsewhere.test")), SSL_CERT_FILE=str(private.bundle))
    assert "is not for that name" in done.stderr.splitlines()[-1]


def test_with_its_authority_trusted_the_store_is_reached(serve: Serve, private: Authority) -> None:
    done = probed(serve(private.server("localhost")), SSL_CERT_FILE=str(private.bundle))
    assert done.stdout == "reached\n", done.stderr


def test_a_store_that_has_nothing_yet_is_no_fault(s3: dict[str, str]) -> None:
    # What is asked for first is not there, which a real server says.
    done = probed(s3["AWS_ENDPOINT_URL"], **s3)
    assert done.returncode == 0, done.stderr

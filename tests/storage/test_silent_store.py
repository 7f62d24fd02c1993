"""Stores that are away for a while, never answer, or take their time over large objects."""

from __future__ import annotations

import hashlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from silent_server import silent_server
from vaportrail.errors import RecordError, RootUnwritable
from vaportrail.storage import store as stores
from vaportrail.storage.interruptible import interruptibly, side_by_side
from vaportrail.storage.probe import probe
from vaportrail.storage.store import ObjectStore, is_outage, open_store

SILENCE = 0.5
LARGE = 3 * 2**20


class Interrupted(BaseException):
    """What the handler of a signal raises."""


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can wait for."""
    monkeypatch.setattr(stores, "SILENCE_SECONDS", SILENCE)
    monkeypatch.setattr(stores, "RETRY_SECONDS", SILENCE)
    monkeypatch.setattr(stores, "SLOWEST", 2**20)


def opened(monkeypatch: pytest.MonkeyPatch, url: str) -> ObjectStore:
    settings = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    for name, value in {**settings, "AWS_ENDPOINT_URL": url}.items():
        monkeypatch.setenv(name, value)
    return open_store("s3://bucket/prefix")


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ObjectStore, threading.Event]]:
    """A store that never answers, and what is set when it is asked."""
    with silent_server() as (url, asked):
        yield opened(monkeypatch, url), asked


CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "create": lambda store: store.create("a", b"x"),
    "get": lambda store: store.get("a"),
    "chunks": lambda store: list(store.chunks("a")),
    "entries": lambda store: store.entries("a/"),
    "folders": lambda store: store.folders("a/"),
    "size": lambda store: store.size("a"),
    "delete": lambda store: store.delete("a"),
}


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_store_that_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[ObjectStore], object]
) -> None:
    with silent_server() as (url, _), pytest.raises(RecordError, match=r"s3://bucket/prefix/a"):
        call(opened(monkeypatch, url))


@contextmanager
def alarm(asked: threading.Event, *, elsewhere: bool) -> Iterator[None]:
    """Raise `Interrupted` by a signal as soon as the store was asked.

    Args:
        asked: is set then.
        elsewhere: give the signal to another thread than the main one, as the system may.
    """

    def hear(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    def send() -> None:
        if asked.wait(30):
            main = threading.main_thread().ident or 0
            signal.pthread_kill(threading.get_ident() if elsewhere else main, signal.SIGUSR2)

    before = signal.signal(signal.SIGUSR2, hear)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        sender.join()
        signal.signal(signal.SIGUSR2, before)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["main thread", "another thread"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_signal_is_heard_while_a_store_does_not_answer(
    silent: tuple[ObjectStore, threading.Event], call: Callable[[ObjectStore], object], elsewhere: bool
) -> None:
    store, asked = silent
    begun = time.monotonic()

    with pytest.raises(Interrupted), alarm(asked, elsewhere=elsewhere):
        call(store)

    assert time.monotonic() - begun < stores.SILENCE_SECONDS / 2


class Slow(BaseHTTPRequestHandler):
    """Takes longer over an object than a store may be silent; sends it bit by bit."""

    protocol_version = "HTTP/1.1"
    content = b"0123456789abcdef" * (LARGE // 16)
    stored: dict[str, int]

    def do_PUT(self) -> None:
        size = int(self.headers["Content-Length"])
        self.rfile.read(size)
        pause(1.5 * SILENCE)
        self.stored[self.path] = size
        self._head(200, 0)

    def do_GET(self) -> None:
        self._head(200, LARGE)
        for begin in range(0, LARGE, LARGE // 4):
            self.wfile.write(self.content[begin : begin + LARGE // 4])
            pause(SILENCE / 2)

    def _head(self, status: int, size: int) -> None:
        self.send_response(status)
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Mon, 23 Nov 2026 01:00:00 GMT")
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        return


class Refusing(BaseHTTPRequestHandler):
    """Answers with the statuses it is given, then with an object of no bytes."""

    statuses: list[int]

    def do_GET(self) -> None:
        self.send_response(self.statuses.pop(0) if self.statuses else 200)
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Mon, 23 Nov 2026 01:00:00 GMT")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        return


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], **state: object) -> Iterator[str]:
    """Serve by a handler of its own state; yield the URL."""
    own: Any = type("Handler", (handler,), state)
    server = ThreadingHTTPServer(("127.0.0.1", 0), own)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, limits: None) -> Iterator[ObjectStore]:
    """A store behind a slow line."""
    with serving(Slow, stored={}) as url:
        yield opened(monkeypatch, url)


def test_it_is_the_time_and_not_a_count_of_tries_that_gives_a_store_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(Refusing, statuses=[503] * 11) as url:
        assert opened(monkeypatch, url).get("a") == b""


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize(("status", "outage"), [(503, True), (429, True), (403, False), (404, False)])
def test_a_store_that_is_busy_is_told_from_one_that_refuses(
    monkeypatch: pytest.MonkeyPatch, status: int, outage: bool
) -> None:
    with serving(Refusing, statuses=[status] * 1000) as url, pytest.raises(RecordError) as raised:
        opened(monkeypatch, url).folders("a/")

    assert is_outage(raised.value) == outage


@pytest.mark.usefixtures("limits")
def test_a_store_that_cannot_be_reached_or_is_silent_is_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_server() as (url, _), pytest.raises(RecordError) as silent:
        opened(monkeypatch, url).folders("a/")
    with pytest.raises(RecordError) as gone:
        opened(monkeypatch, url).folders("a/")

    assert is_outage(silent.value)
    assert is_outage(gone.value)


@contextmanager
def full_listener() -> Iterator[socket.socket]:
    """Yield a socket that listens, and takes no connection: all that may wait for it do."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener


def test_a_connection_that_times_out_is_tried_again_also_for_what_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stores, "CONNECT_SECONDS", SILENCE)
    own: Any = type("Handler", (Slow,), {"stored": {}})
    served: list[threading.Thread] = []
    with full_listener() as listener:
        server = ThreadingHTTPServer(listener.getsockname(), own, bind_and_activate=False)
        server.socket.close()
        server.socket = listener

        def serve() -> None:
            # After the first try has failed: it is the next one that is answered.
            if not served:
                listener.listen(64)
                served.append(threading.Thread(target=server.serve_forever))
                served[0].start()

        monkeypatch.setattr(stores, "pause_between_tries", serve)
        try:
            store = opened(monkeypatch, f"http://127.0.0.1:{listener.getsockname()[1]}")
            assert store.create("a", b"x")
        finally:
            assert served
            server.shutdown()
            served[0].join()
    assert own.stored


@pytest.mark.usefixtures("limits")
def test_what_could_not_be_sent_in_time_says_so_first_and_the_address_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stores, "CONNECT_SECONDS", SILENCE)
    with full_listener() as listener, pytest.raises(RecordError) as raised:
        opened(monkeypatch, f"http://127.0.0.1:{listener.getsockname()[1]}").create("a", b"x")
    said = str(raised.value)
    assert said.startswith(
        "cannot write s3://bucket/prefix/a: no answer in time: HTTP error of http://127.0.0.1"
    )
    assert said.count("http://") == 1
    assert is_outage(raised.value)


@pytest.mark.usefixtures("limits")
def test_why_a_store_cannot_be_reached_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(RecordError, match="a: Connection refused: HTTP error of http://"):
        opened(monkeypatch, f"http://127.0.0.1:{port}").create("a", b"x")


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("status", [403, 503])
def test_a_root_to_which_nothing_can_be_written_is_told_from_one_that_is_unsafe(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    class Denying(Refusing):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_DELETE = do_PUT

    with serving(Denying, statuses=[]) as url, pytest.raises(RootUnwritable, match="spool/x/probe"):
        probe(opened(monkeypatch, url), "spool/x")


def test_what_a_folder_lacks_is_no_outage(tmp_path: Path) -> None:
    with pytest.raises(RecordError) as raised:
        open_store(str(tmp_path)).get("a")

    assert not is_outage(raised.value)


def test_a_large_upload_has_the_time_that_a_slow_line_needs(slow: ObjectStore) -> None:
    assert slow.create("large", b"x" * LARGE)


def test_a_small_upload_has_not(slow: ObjectStore) -> None:
    with pytest.raises(RecordError, match="cannot write"):
        slow.create("small", b"x")


def test_a_large_download_takes_as_long_as_its_bytes_come(slow: ObjectStore) -> None:
    assert len(slow.get("large")) == LARGE
    assert b"".join(slow.chunks("large")) == Slow.content


def test_a_large_object_comes_back_from_a_real_store(
    s3: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    store = open_store("s3://records/large")
    source = tmp_path / "source"
    source.write_bytes(b"0123456789" * 3_000_000)

    store.put_stream("stream", source, hashlib.sha256(source.read_bytes()).hexdigest())
    store.create("whole", source)

    assert b"".join(store.chunks("stream")) == store.get("whole") == source.read_bytes()


@pytest.mark.usefixtures("limits")
def test_a_probe_of_a_store_that_never_answers_says_what_was_tried_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with silent_server() as (url, _), pytest.raises(RecordError, match=r"cannot write .*/spool/x/probe"):
        probe(opened(monkeypatch, url), "spool/x")


def test_what_takes_too_long_is_not_waited_for() -> None:
    never = threading.Event()

    with pytest.raises(TimeoutError):
        interruptibly(never.wait, 0.01)
    never.set()


def test_calls_side_by_side_give_their_results_in_order_and_the_first_error() -> None:
    together = threading.Barrier(4)

    def call(number: int) -> int:
        together.wait(30)  # each needs the others
        if number == 7:
            raise RecordError("seven")
        return number * 2

    assert side_by_side(call, range(4), at_once=4) == [0, 2, 4, 6]
    with pytest.raises(RecordError, match="seven"):
        side_by_side(call, range(4, 8), at_once=4)

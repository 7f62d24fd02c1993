"""The shipper as a process beside others: over real HTTP, from a real folder, to its exit status."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otlp_server import CollectorServer, collector_server
from vaportrail.shipper.otlp_http import HttpCollector
from vaportrail.shipper.shipper import PostResult, Reply
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.spool import Header, Writer
from vaportrail.telemetry.values import attributes, read_attributes

TOKEN = "not-for-logs-0123456789"
REQUESTS = {"L": b'{"resourceLogs":[]}', "T": b'{"resourceSpans":[]}'}


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    folder = tmp_path / "parts"
    folder.mkdir()
    return folder


@pytest.fixture
def server(parts: Path) -> Iterator[CollectorServer]:
    with collector_server(lambda name, raw: bool((parts / name).write_bytes(raw)) and None) as made:
        yield made


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    resource = {"attributes": attributes({c.WRITER_ID: "worker-1"})}
    made = Writer(tmp_path / "spool" / "uid-1", Header("worker-1", "worker", 1, resource))
    yield made
    made.close()


def write(writer: Writer, count: int) -> None:
    for _ in range(count):
        writer.append("L", "s", lambda seq: {"timeUnixNano": "7", "attributes": attributes({c.SEQ: seq})})


def stored(parts: Path) -> list[int]:
    """Return the numbers of the writer's records in all parts."""
    found = []
    for path in sorted(parts.iterdir()):
        for group in json.loads(gzip.decompress(path.read_bytes()))["resourceLogs"]:
            if read_attributes(group["resource"]["attributes"])[c.WRITER_ID] == "worker-1":
                for scope in group["scopeLogs"]:
                    found += [read_attributes(r["attributes"])[c.SEQ] for r in scope["logRecords"]]
    return found


@contextmanager
def shipper(tmp_path: Path, url: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    environ = {
        **os.environ,
        "VAPORTRAIL_COLLECTOR": url,
        "VAPORTRAIL_COLLECTOR_TOKEN": TOKEN,
        "VAPORTRAIL_SPOOL": str(tmp_path / "spool"),
        **more,
    }
    command = [sys.executable, "-m", "vaportrail.shipper"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def test_it_ships_what_is_written_and_drains_on_sigterm(
    tmp_path: Path, writer: Writer, parts: Path, server: CollectorServer
) -> None:
    write(writer, 3)
    with shipper(tmp_path, server.url) as process:
        assert server.posted.wait(30)
        write(writer, 2)
        code, said = end(process)

    assert (code, stored(parts)) == (0, [1, 2, 3, 4, 5])
    assert TOKEN not in said


def test_it_waits_for_a_collector_that_is_not_there_yet(tmp_path: Path, writer: Writer, parts: Path) -> None:
    with collector_server(lambda name, raw: None) as gone:
        port = gone.port
    write(writer, 1)
    with shipper(tmp_path, f"http://127.0.0.1:{port}") as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        with collector_server(
            lambda name, raw: bool((parts / name).write_bytes(raw)) and None, port
        ) as server:
            assert server.posted.wait(30)
            code, _ = end(process)

    assert "does not store: ConnectionRefusedError" in first
    assert (code, set(stored(parts))) == (0, {1})


def test_it_exits_with_1_where_it_cannot_drain_in_time(
    tmp_path: Path, writer: Writer, server: CollectorServer
) -> None:
    server.status = 503
    write(writer, 1)
    with shipper(tmp_path, server.url, VAPORTRAIL_DRAIN_SECONDS="1") as process:
        assert server.posted.wait(30)
        code, said = end(process)

    assert code == 1
    assert "not all is stored after 1 s" in said


def test_it_says_which_variable_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vaportrail.shipper"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "VAPORTRAIL_SPOOL": "x"}
    )

    assert (done.returncode, done.stderr) == (2, "shipper: the variable VAPORTRAIL_COLLECTOR is not set\n")


def test_it_ends_in_time_although_a_reply_is_being_waited_for(
    tmp_path: Path, writer: Writer, server: CollectorServer
) -> None:
    server.opened.clear()
    write(writer, 1)
    with shipper(tmp_path, server.url, VAPORTRAIL_DRAIN_SECONDS="1") as process:
        assert server.asked.wait(30)
        code, said = end(process)

    assert code == 1
    assert "not all is stored after 1 s" in said


def test_a_reply_that_comes_in_the_drain_counts(
    tmp_path: Path, writer: Writer, parts: Path, server: CollectorServer
) -> None:
    server.opened.clear()
    write(writer, 1)
    with shipper(tmp_path, server.url) as process:
        assert server.asked.wait(30)
        process.send_signal(signal.SIGTERM)
        server.opened.set()
        code, _ = end(process)

    assert (code, stored(parts)) == (0, [1])


def test_one_that_starts_again_sends_only_what_is_new(
    tmp_path: Path, writer: Writer, parts: Path, server: CollectorServer
) -> None:
    for _ in range(2):
        server.posted.clear()
        write(writer, 2)
        with shipper(tmp_path, server.url) as process:
            assert server.posted.wait(30)
            assert end(process)[0] == 0

    assert stored(parts) == [1, 2, 3, 4]


def test_it_loads_nothing_heavy() -> None:
    # Without the package's public names, which every process of a run has anyway.
    code = (
        "import sys, types, pathlib, importlib.util as u\n"
        "package = types.ModuleType('vaportrail')\n"
        "package.__path__ = list(u.find_spec('vaportrail').submodule_search_locations)\n"
        "sys.modules['vaportrail'] = package\n"
        "import vaportrail.shipper.__main__\n"
        "print(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    heavy = {"pydantic", "opentelemetry", "obstore", "ray", "click", "yaml", "numpy"}
    assert heavy & set(done.stdout.split()) == set()


def test_the_token_is_sent_with_every_request(server: CollectorServer) -> None:
    collector = HttpCollector(server.url, TOKEN, 10)
    collector.post(REQUESTS, lambda: 60)
    collector.close()

    assert [(signal, token) for signal, _, token in sorted(server.requests)] == [
        ("logs", f"Bearer {TOKEN}"),
        ("traces", f"Bearer {TOKEN}"),
    ]


def test_a_signal_keeps_its_connection(server: CollectorServer) -> None:
    collector = HttpCollector(server.url, TOKEN, 10)
    for _ in range(5):
        collector.post(REQUESTS, lambda: 60)
    collector.close()

    assert len({port for _, port, _ in server.requests}) == 2


def test_a_connection_that_the_collector_closed_is_no_failure(parts: Path) -> None:
    with collector_server(lambda name, raw: None) as first:
        collector = HttpCollector(first.url, TOKEN, 10)
        collector.post(REQUESTS, lambda: 60)
        port = first.port
        connection = collector._kept["L"]
        assert connection.sock is not None
        connection.sock.shutdown(2)
    with collector_server(lambda name, raw: None, port):
        answers = collector.post(REQUESTS, lambda: 60)
        collector.close()

    assert answers["L"].reply is Reply.STORED


@pytest.mark.parametrize(
    ("status", "reply"),
    [(200, Reply.STORED), (400, Reply.REFUSED), (413, Reply.REFUSED), (401, Reply.FAILED),
     (429, Reply.FAILED), (500, Reply.FAILED), (503, Reply.FAILED)],
)  # fmt: skip
def test_only_200_is_stored_and_only_what_is_no_use_is_refused(
    server: CollectorServer, status: int, reply: Reply
) -> None:
    server.status = status
    collector = HttpCollector(server.url, TOKEN, 10)
    answers = collector.post(REQUESTS, lambda: 60)
    collector.close()

    assert {answer.reply for answer in answers.values()} == {reply}


def test_all_signals_together_take_no_longer_than_there_is(server: CollectorServer) -> None:
    server.opened.clear()
    collector = HttpCollector(server.url, TOKEN, 60)
    asked: list[None] = []

    def left() -> float:
        """Nothing is left once both are sent."""
        asked.append(None)
        return 60 if len(asked) <= len(REQUESTS) else 0

    answers = collector.post(REQUESTS, left)
    collector.close()

    assert set(answers.values()) == {PostResult(Reply.FAILED, "TimeoutError: no reply in time")}


def test_a_reply_is_waited_for_no_longer_than_the_collector_tries(server: CollectorServer) -> None:
    server.opened.clear()
    collector = HttpCollector(server.url, TOKEN, 0)
    answers = collector.post(REQUESTS, lambda: 60)
    collector.close()

    assert {answer.reply for answer in answers.values()} == {Reply.FAILED}


def test_nothing_is_sent_when_no_time_is_left(server: CollectorServer) -> None:
    collector = HttpCollector(server.url, TOKEN, 10)
    answers = collector.post(REQUESTS, lambda: 0)

    assert ({answer.reply for answer in answers.values()}, server.requests) == ({Reply.FAILED}, [])


def test_a_machine_that_is_gone_is_noticed(server: CollectorServer) -> None:
    collector = HttpCollector(server.url, TOKEN, 10)
    collector.post(REQUESTS, lambda: 60)
    sock = collector._kept["L"].sock
    assert sock is not None
    probes = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    milliseconds = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    collector.close()

    assert (probes, milliseconds) == (1, 15_000)


@pytest.mark.parametrize("url", ["https://collector:4318", "collector:4318", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not http://HOST:PORT"):
        HttpCollector(url, TOKEN, 10)

"""The embedded Ray listens on loopback only, and to nobody without its token."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
from test_stopping_runs import endless_run

CONNECT = """
import os, sys
os.environ["RAY_gcs_rpc_server_connect_timeout_s"] = "5"
from ray._raylet import GcsClient
GcsClient(address=sys.argv[1]).internal_kv_keys(b"", b"", timeout=5)
print("answered")
"""


def listening(pid: int) -> set[tuple[str, int]]:
    """Return the addresses on which a process or a descendant of it accepts connections."""
    process = psutil.Process(pid)
    return {
        (connection.laddr.ip, connection.laddr.port)
        for each in [process, *process.children(recursive=True)]
        for connection in each.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def ask(address: str, token: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    return subprocess.run(
        [sys.executable, "-c", CONNECT, address], env=env, capture_output=True, text=True, timeout=60
    )


def test_it_listens_on_loopback_and_answers_only_with_the_token(tmp_path: Path) -> None:
    with endless_run(tmp_path) as run:
        addresses = listening(run.pid)
        server = next(p for p in psutil.Process(run.pid).children(True) if p.name() == "gcs_server")
        token = server.environ()["RAY_AUTH_TOKEN"]
        niceness = {each.nice() for each in psutil.Process(run.pid).children(recursive=True)}
        places = {
            f"{c.laddr.ip.removeprefix('::ffff:')}:{c.laddr.port}"
            for c in server.net_connections("inet")
            if c.status == psutil.CONN_LISTEN
        }
        with_token = [ask(place, token) for place in places]
        without = [ask(place, "0" * 64) for place in places]

    assert niceness == {os.nice(0)}, "a task gets its share of a busy machine"
    assert addresses
    assert 44217 not in {port for _, port in addresses}, "Ray's monitor answers there without a token"
    assert {ip.removeprefix("::ffff:") for ip, _ in addresses} <= {"127.0.0.1", "::1"}
    assert any("answered" in answer.stdout for answer in with_token), "the right token must be answered"
    assert not any("answered" in answer.stdout for answer in without)

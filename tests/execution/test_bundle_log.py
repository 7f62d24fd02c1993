"""What has begun and what is taken back is decided once, by the order of lines in one file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vaportrail.execution.bundle_log import BundleLog, make_bundle_log, read_bundle_log, take_back


def made(folder: Path) -> str:
    path = str(folder / "log")
    Path(path).unlink(missing_ok=True)
    make_bundle_log(path)
    return path


def test_what_has_begun_and_ended_is_read_back(tmp_path: Path) -> None:
    path = made(tmp_path)
    log = BundleLog(path)

    assert [log.begin(0), log.begin(1)] == [True, True]
    log.ended(0, b"how it ended")

    assert read_bundle_log(path) == (2, {0: b"how it ended"})
    log.close()


def test_of_what_is_taken_back_nothing_begins(tmp_path: Path) -> None:
    path = made(tmp_path)
    log = BundleLog(path)

    assert log.begin(0)
    assert take_back(path).begun == 1
    assert not log.begin(1)
    assert not log.begin(2)
    assert read_bundle_log(path).begun == 1
    log.close()


def test_where_it_is_taken_back_before_its_worker_comes_nothing_begins(tmp_path: Path) -> None:
    path = made(tmp_path)
    assert take_back(path).begun == 0

    log = BundleLog(path)
    assert not log.begin(0)
    log.close()


def test_where_there_is_no_log_nothing_begins(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        BundleLog(str(tmp_path / "log"))
    assert take_back(str(tmp_path / "log")).begun == 0


def test_a_line_that_its_writer_was_killed_at_is_none(tmp_path: Path) -> None:
    path = made(tmp_path)
    log = BundleLog(path)
    log.begin(0)
    log.ended(0, b"how it ended")
    log.close()
    whole = Path(path).read_bytes()
    for length in range(len(whole)):
        Path(path).write_bytes(whole[:length])
        seen = read_bundle_log(path)
        assert seen.ended == {}
        assert seen.begun == (length >= 7)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["begin", "end", "take back"]), max_size=12))
def test_in_any_order_the_runner_knows_what_the_worker_was_let_begin(tmp_path: Path, acts: list[str]) -> None:
    path = made(tmp_path)
    log, begun = BundleLog(path), 0
    known: list[int] = []
    for act in acts:
        if act == "begin":
            begun += log.begin(begun)
        elif act == "end" and begun:
            log.ended(begun - 1, b"")
        elif act == "take back":
            known.append(take_back(path).begun)
    log.close()

    assert set(known) <= {begun}
    assert read_bundle_log(path).begun == begun


def test_two_processes_at_once_agree_on_what_has_begun(tmp_path: Path) -> None:
    for _ in range(20):
        path = made(tmp_path)
        ready = threading.Event()
        counts: list[int] = []

        def work(path: str = path, ready: threading.Event = ready, counts: list[int] = counts) -> None:
            log, number = BundleLog(path), 0
            while log.begin(number):
                number += 1
                ready.set()
            counts.append(number)
            log.close()

        worker = threading.Thread(target=work)
        worker.start()
        ready.wait(60)
        seen = take_back(path)
        worker.join(60)

        assert counts == [seen.begun]
        assert read_bundle_log(path).begun == seen.begun


KILLED = """
import os, signal, sys
from vaportrail.execution import packed_bundle
from vaportrail.execution.bundle_log import BundleLog

place, path = sys.argv[1], sys.argv[2]

def killing(name, when):
    method, calls = getattr(BundleLog, name), []
    def call(self, *args):
        calls.append(1)
        if len(calls) == 2 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = method(self, *args)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    setattr(BundleLog, name, call)

if place == "before the first":
    os.kill(os.getpid(), signal.SIGKILL)
elif place == "as the second is about to begin":
    killing("begin", "before")
elif place == "in the second":
    killing("begin", "after")
elif place == "as the second is about to end":
    killing("ended", "before")
elif place == "after the second":
    killing("ended", "after")
packed_bundle.run_packed = lambda *_: (b"", None)
packed, *_ = packed_bundle.pack_bundle(path, [(b"",)] * 3)
for _ in packed_bundle.run_bundle("", packed):
    pass
if place == "after the last":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("place", "begun", "ended"),
    [
        ("before the first", 0, set()),
        ("as the second is about to begin", 1, {0}),
        ("in the second", 2, {0}),
        ("as the second is about to end", 2, {0}),
        ("after the second", 2, {0, 1}),
        ("after the last", 3, {0, 1, 2}),
    ],
)
def test_wherever_a_worker_is_killed_its_log_says_what_it_had_begun(
    tmp_path: Path, place: str, begun: int, ended: set[int]
) -> None:
    path = made(tmp_path)

    killed = subprocess.run([sys.executable, "-c", KILLED, place, path], timeout=120)

    assert killed.returncode == -signal.SIGKILL
    seen = read_bundle_log(path)
    assert (seen.begun, set(seen.ended)) == (begun, ended)
    assert os.stat(path).st_mode & 0o077 == 0

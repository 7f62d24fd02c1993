"""A child process takes on the attempt that its environment names, if the spool is its user's own."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import pytest

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.record.spooled import spooled_records
from vaportrail.storage.store import open_store
from vaportrail.telemetry import active_recorder
from vaportrail.telemetry import attempt_scope as scopes
from vaportrail.telemetry.attempt_scope import AttemptScope, attempt_scope, set_attempt_scope
from vaportrail.telemetry.children import (
    CHILD_VARIABLE,
    adopt,
    child_variables,
    end_reusable_processes,
    no_child,
)
from vaportrail.telemetry.context import context
from vaportrail.telemetry.logger import log
from vaportrail.telemetry.stdlib_logging import SpoolHandler

SCOPE = AttemptScope("t-1", "t", 1, "0123456789abcdef", None, "/nowhere")


@pytest.fixture
def run(tmp_path: Path) -> RunSettings:
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    return RunSettings(RunIdentity("uid", "p", "p", 1), str(spool), str(tmp_path), "runs/p/x")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is no child before and after each test."""
    monkeypatch.setattr(active_recorder, "_active", None)
    monkeypatch.setattr(scopes, "_settings", None)
    monkeypatch.delenv(CHILD_VARIABLE, raising=False)
    yield
    set_attempt_scope(None)


def enter(monkeypatch: pytest.MonkeyPatch, run: RunSettings, scope: AttemptScope | None = SCOPE) -> None:
    for name, value in child_variables(run, scope).items():
        monkeypatch.setenv(name, value)


def test_a_child_takes_on_its_attempt(run: RunSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, run)

    assert adopt() == run
    assert attempt_scope() == SCOPE


def test_a_child_knows_its_context_before_it_logs(run: RunSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, run)

    assert (context().task, context().attempt) == ("t-1", 1)


def test_a_child_of_the_body_has_no_context(run: RunSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, run, None)

    with pytest.raises(LookupError):
        context()


def test_a_child_that_logs_nothing_writes_nothing(run: RunSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, run)
    subprocess.run([sys.executable, "-c", "import vaportrail"], check=True)

    assert [path.name for path in Path(run.spool).iterdir()] == ["children.json"]


def test_a_child_writes_a_spool_and_a_ledger_of_its_own(
    run: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(monkeypatch, run)
    program = "import logging, vaportrail; logging.getLogger('x').info('said')"
    subprocess.run([sys.executable, "-c", program], check=True)

    names = sorted(path.name.rpartition("-")[0] + path.suffix for path in Path(run.spool).iterdir())
    assert names == [".json", "child.ledger", "child.spool"]
    (spool,) = Path(run.spool).glob("*.spool")
    (record,) = spooled_records(open_store(run.spool), spool.name)
    assert (record.scope, record.attributes["cicd.pipeline.task.run.id"]) == ("x", "t-1")


def test_what_children_are_handed_is_private_and_holds_no_secret(run: RunSettings) -> None:
    (value,) = child_variables(run, SCOPE).values()

    assert (Path(run.spool) / "children.json").stat().st_mode & 0o777 == 0o600
    assert "uid" not in value


@pytest.mark.parametrize("deadline", [None, 1_700_000_000_000_000_000])
@pytest.mark.parametrize("name", ["train", 'a "quoted" näme', "per cent %(attempt)s"])
def test_what_children_are_handed_is_the_attempts_scope(
    name: str, deadline: int | None, run: RunSettings
) -> None:
    scope = AttemptScope(f"{name}-1", name, 2, "0123456789abcdef", deadline, "/scr\udc80tch")
    (value,) = child_variables(run, scope).values()

    said = json.loads(value)
    assert AttemptScope(**said["scope"]) == scope
    assert said["settings"] == f"{run.spool}/children.json"


def damaged_mode(settings: Path) -> None:
    settings.chmod(0o622)


def damaged_folder(settings: Path) -> None:
    settings.parent.chmod(0o777)


def damaged_link(settings: Path) -> None:
    other = settings.with_name("other.json")
    settings.rename(other)
    settings.symlink_to(other)


def damaged_text(settings: Path) -> None:
    settings.write_text("[]")


def damaged_place(settings: Path) -> None:
    settings.write_text(settings.read_text().replace(str(settings.parent), "/tmp"))


def gone(settings: Path) -> None:
    settings.unlink()


def pipe(settings: Path) -> None:
    settings.unlink()
    os.mkfifo(settings, 0o600)


@pytest.mark.parametrize(
    "damage", [damaged_mode, damaged_folder, damaged_link, damaged_text, damaged_place, gone, pipe]
)
def test_a_spool_that_is_not_this_users_own_or_is_gone_is_not_written_to(
    run: RunSettings, monkeypatch: pytest.MonkeyPatch, damage: object
) -> None:
    enter(monkeypatch, run)
    assert callable(damage)
    damage(Path(run.spool) / "children.json")

    with pytest.warns(UserWarning, match="in a child process of a run whose spool cannot be reached"):
        log.metric("m", 1)
    assert list(Path(run.spool).glob("*.spool")) == []


@pytest.mark.parametrize("value", ["", "{}", "null", "[1]", '{"settings": 1, "scope": 2}'])
def test_a_variable_that_is_no_word_of_ours_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(CHILD_VARIABLE, value)

    assert adopt() is None


def test_a_run_that_a_child_starts_is_its_own(run: RunSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, run)
    with no_child():
        assert CHILD_VARIABLE not in os.environ

    assert CHILD_VARIABLE in os.environ


def test_outside_a_run_the_warning_says_so() -> None:
    with pytest.warns(UserWarning, match="called outside a run"):
        log.metric("m", 1)


def test_a_child_that_logs_does_not_warn(run: RunSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, run)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log.metric("m", 1)

    assert len(list(Path(run.spool).glob("child-*.spool"))) == 1


def test_a_forked_child_that_logs_after_the_seal_leaves_nothing_and_is_told(run: RunSettings) -> None:
    active_recorder.install(run, "worker")
    child = os.fork()
    if child == 0:
        shutil.rmtree(run.spool)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            SpoolHandler().emit(logging.makeLogRecord({"name": "x", "msg": "late", "levelno": 20}))
            log.metric("late", 1)
        os._exit(0 if len(told) == 1 and not Path(run.spool).exists() else 1)
    _, status = os.waitpid(child, 0)
    active_recorder.uninstall()

    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.timeout(60)
def test_the_server_ends_although_a_forked_child_still_holds_its_pipe() -> None:
    child = multiprocessing.get_context("forkserver").Process(target=print)
    child.start()
    child.join()
    begin, end = os.pipe()
    left = os.fork()
    if left == 0:
        os.close(end)
        os.read(begin, 1)
        os._exit(0)
    os.close(begin)
    try:
        end_reusable_processes()
        assert forkserver._forkserver._forkserver_pid is None  # type: ignore[attr-defined]
        assert os.waitpid(left, os.WNOHANG) == (0, 0)
    finally:
        os.close(end)
        os.waitpid(left, 0)


def test_the_server_that_forks_children_ends_with_the_attempt() -> None:
    method = multiprocessing.get_context("forkserver")
    child = method.Process(target=print)
    child.start()
    child.join()
    server = forkserver._forkserver  # type: ignore[attr-defined]
    pid = server._forkserver_pid
    end_reusable_processes()

    assert pid is not None
    assert server._forkserver_pid is None

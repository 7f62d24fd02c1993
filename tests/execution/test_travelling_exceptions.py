"""A task's exception on its way to the driver: it takes none of the worker's secrets along."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray  # noqa: F401 - whose cloudpickle is taken then

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import TaskFailed
from vaportrail.execution.attempt import _report
from vaportrail.execution.described_failure import describe_failure
from vaportrail.execution.run_cancellation import RunCancelled
from vaportrail.execution.travelling_exception import unpickled
from vaportrail.execution.verdict import CANCELLED
from vaportrail.telemetry.active_recorder import install, uninstall

SECRET = "hunter2hunter2xyz"


class Refused(Exception):
    """Keeps what it was given beside its message."""

    def __init__(self, host: str, login: dict[str, str]) -> None:
        super().__init__(host, login)
        self.login = login


class Assembled(Exception):
    """Only its text tells the secret, of which it holds the halves."""

    def __str__(self) -> str:
        return "".join(self.args)


def noted() -> Exception:
    error = ValueError("no way in")
    error.add_note(f"with {SECRET}")
    return error


HOLDERS: dict[str, Callable[[], BaseException]] = {
    "message": lambda: ConnectionError(f"login {SECRET} refused"),
    "bytes": lambda: ConnectionError(f"login {SECRET} refused".encode()),
    "attribute": lambda: Refused("db", {"password": SECRET}),
    "system": lambda: OSError(2, f"no {SECRET}", f"/tokens/{SECRET}"),
    "note": noted,
    "text": lambda: Assembled(SECRET[:5], SECRET[5:]),
    "group": lambda: ExceptionGroup("two", [ValueError(SECRET), KeyError(1)]),
    "exit": lambda: SystemExit(SECRET),
}


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is a worker whose environment holds a secret that the driver's does not."""
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    identity = RunIdentity("7d2ab5c0-0000-4000-8000-000000000001", "mnist", "first", 5)
    install(RunSettings(identity, str(tmp_path / "spool"), str(tmp_path), "runs/mnist/x"), "worker")
    yield
    uninstall()


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.usefixtures("worker")
def test_what_the_driver_is_given_of_a_tasks_exception_holds_no_secret_of_the_worker(holder: str) -> None:
    report = _report(HOLDERS[holder](), (Exception,))
    assert report.failure is not None
    failed = TaskFailed("t-1", Outcome.FAILED, report.failure)
    failed.__cause__ = pickle.loads(report.error) if report.error else None

    assert SECRET.encode() not in report.error
    assert SECRET not in describe_failure(failed).traceback


@pytest.mark.usefixtures("worker")
def test_an_exception_travels_with_the_secret_in_its_message_replaced() -> None:
    error = ConnectionError(f"login {SECRET} refused")

    cause = pickle.loads(_report(error, (Exception,)).error)

    assert type(cause) is ConnectionError
    assert cause.args == ("login [redacted:DB_PASSWORD] refused",)
    assert error.args == (f"login {SECRET} refused",)


@pytest.mark.usefixtures("worker")
def test_an_exception_without_a_secret_travels_as_it_is() -> None:
    cause = pickle.loads(_report(Refused("db", {"user": "me"}), (Exception,)).error)

    assert (cause.args, cause.login) == (("db", {"user": "me"}), {"user": "me"})


class LeavesWhereItIsRead(Exception):
    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return (exit_with, (3,))


def exit_with(code: int) -> None:
    raise SystemExit(code)


def test_an_exception_that_ends_the_process_that_reads_it_stays_where_it_is() -> None:
    report = _report(LeavesWhereItIsRead("the users words"), (Exception,))

    assert (report.error, report.failure and report.failure.message) == (b"", "the users words")


class Interrupts:
    """Interrupts whoever loads it, as if a user had."""

    def __reduce__(self) -> Any:
        return signal.raise_signal, (signal.SIGINT,)


@pytest.mark.parametrize(
    "raw",
    [b"no pickle", pickle.dumps("no exception"), pickle.dumps(Interrupts())],
    ids=["damaged", "text", "SIGINT"],
)
def test_an_exception_that_cannot_be_rebuilt_is_none(raw: bytes) -> None:
    assert unpickled(raw) is None


def test_a_cancellation_while_an_exception_is_rebuilt_ends_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    def cancelled(_raw: bytes) -> None:
        raise RunCancelled(CANCELLED)

    monkeypatch.setattr("ray.cloudpickle.loads", cancelled)
    with pytest.raises(RunCancelled):
        unpickled(b"")

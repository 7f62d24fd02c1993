"""An attempt that Ray says was cancelled has one type, and words that tell how it came to that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.exceptions import RayTaskError, TaskCancelledError

from vaportrail.authoring.options import TaskOptions
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.execution.attempt import AttemptSpec
from vaportrail.execution.backend import AttemptEnd
from vaportrail.execution.ray_backend import RayBackend

SPEC = AttemptSpec("t-1", "t", 1, "a" * 16, b"")


class OneTask:
    """Ray as far as the backend knows it, with one task whose end is told by `ends`."""

    exceptions = ray.exceptions

    def __init__(self) -> None:
        self.landed: Callable[[Callable[[], Any]], None] | None = None

    def remote(self, *args: Any, **_: Any) -> Any:
        return (self, None) if args else lambda fn: self

    def options(self, **_: Any) -> OneTask:
        return self

    def expect(self, _report: object, landed: Callable[[Callable[[], Any]], None]) -> None:
        self.landed = landed

    def ends(self, error: BaseException) -> None:
        def get() -> Any:
            raise error

        assert self.landed is not None
        self.landed(get)

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 8.0}

    def cancel(self, *_: Any, **__: Any) -> None: ...


@pytest.mark.parametrize(
    ("forces", "in_worker", "says"),
    [
        ([False], False, "cancelled before it ran, or its process ended as it was cancelled"),
        ([False], True, "cancelled as it was about to run or to end"),
        ([False, True], False, "cancelled, and ended by force, as it did not end by itself"),
        ([False, True], True, "cancelled, and ended by force, as it did not end by itself"),
    ],
    ids=["queued", "beginning", "deaf", "deaf, said by its worker"],
)
def test_an_attempt_that_cannot_say_so_itself_is_cancelled_by_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forces: list[bool], in_worker: bool, says: str
) -> None:
    fake = OneTask()
    monkeypatch.setattr("ray.remote", fake.remote)
    backend = RayBackend(
        RunSettings(RunIdentity("uid", "p", "p", 1), str(tmp_path), "root", "runs/p/x"), complete=False
    )
    backend._ray = fake
    backend._reports = fake  # type: ignore[assignment]
    ends: list[AttemptEnd] = []
    running = backend.start(SPEC, TaskOptions(), b"", [], ends.append)
    for force in forces:
        backend.stop(running, force=force)
    error: BaseException = TaskCancelledError()
    if in_worker:
        error = RayTaskError("t", "", TaskCancelledError()).as_instanceof_cause()

    fake.ends(error)

    (end,) = ends
    assert end.failure is not None
    assert (end.outcome, end.failure.type) == (
        Outcome.CANCELLED,
        "vaportrail.execution.attempt_cancellation.AttemptCancelled",
    )
    assert end.failure.message == says

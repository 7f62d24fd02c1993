"""Secrets of a runner's environment: not in its pod's log, and not in the answer that becomes the status."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vaportrail.cli.progress import PlainProgress
from vaportrail.cli.redacted import RedactedProgress, Redaction
from vaportrail.cluster.join import Join
from vaportrail.contract.outcome import Failure, Outcome

if TYPE_CHECKING:
    from tests.cluster.conftest import Head, Runners

SECRET = "hunter2hunter2"
CODE = {
    "the import raises": "raise ConnectionError(f'no way to app:{password}@db')",
    "the import loads another": """
os.environ["API_TOKEN"] = password[::-1]
raise ConnectionError(f"no way to {password[::-1]}")
""",
    "the import takes it out": """
del os.environ["DB_PASSWORD"]
raise ConnectionError(f"no way to app:{password}@db")
""",
    "the import ends Python": "raise SystemExit(password)",
    "the import ends Python by hand": "raise KeyboardInterrupt(password)",
}


@pytest.fixture
def nobody() -> Head:
    """A head that is never there."""
    from tests.cluster.conftest import Head

    return Head(port=1, token="")


@pytest.mark.parametrize("code", CODE.values(), ids=CODE.keys())
def test_neither_the_answer_nor_the_log_of_a_runner_holds_a_secret(
    nobody: Head, runners: Runners, tmp_path: Path, code: str
) -> None:
    (tmp_path / "broken.py").write_text(f"import os\npassword = os.environ['DB_PASSWORD']\n{code}\n")
    identity = {"uid": tmp_path.name, "pipeline": "flow", "name": "a", "created_unix_nano": 1}
    runner = runners(
        nobody,
        environment={"DB_PASSWORD": SECRET},
        identity={**identity, "entrypoint": "broken:flow"},
        source={"folder": str(tmp_path)},
    )
    runner.end()
    said = f"{runner.out}{runner.err}{(runner.folder / 'answer').read_text()}"

    assert "[redacted:" in runner.report.message
    assert SECRET not in said
    assert SECRET[::-1] not in said


def test_no_line_of_the_progress_holds_a_secret() -> None:
    out = io.StringIO()
    progress = RedactedProgress(PlainProgress(out), Redaction({"DB_PASSWORD": SECRET}))
    failure = Failure("ConnectionError", f"no way to app:{SECRET}@db")

    progress.task_submitted("read-1", f"read(key={SECRET})")
    progress.attempt_started("read-1", 1)
    progress.attempt_retried("read-1", 2, 1.0, failure)
    progress.task_ended("read-1", Outcome.FAILED, 1.0, failure, "")
    progress.stage(f"failed: {SECRET}")

    assert [line.count("[redacted:DB_PASSWORD]") for line in out.getvalue().splitlines()] == [1, 1, 1, 1]
    assert SECRET not in out.getvalue()


def test_a_failure_that_is_cut_does_not_show_half_a_secret() -> None:
    out = io.StringIO()
    progress = RedactedProgress(PlainProgress(out), Redaction({"DB_PASSWORD": SECRET}))

    progress.task_ended("read-1", Outcome.FAILED, 1.0, Failure("Odd", f"{'x' * 290}{SECRET}"), "")

    assert SECRET[:8] not in out.getvalue()


def test_without_a_secret_every_line_stays_as_it_is() -> None:
    out = io.StringIO()

    RedactedProgress(PlainProgress(out), Redaction({})).stage("Ray started")

    assert out.getvalue().endswith(" Ray started\n")


def test_of_what_starts_ray_a_secret_in_which_the_cut_lies_leaves_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "hunter2-hunter2-hunter2")
    join = Join("head", 6379, 1.0, tmp_path)
    (tmp_path / "ray-start.log").write_text("x" * 1000 + "hunter2-hunter2-hunter2" + "y" * 590)

    assert join._said().startswith("…")
    assert "hunter" not in join._said()
    assert join._said().endswith("]" + "y" * 590)

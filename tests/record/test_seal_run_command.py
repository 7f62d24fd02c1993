"""`vaportrail seal-run` in a sealer's pod, and `vaportrail seal` for a run of a cluster, by hand."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.cluster.termination_message import fitted
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_environment import TERMINATION_MESSAGE_LIMIT
from vaportrail.contract.pod_messages import SealReport, SealRequest
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.storage.layout import run_path

if TYPE_CHECKING:
    from tests.conftest import Cli, Finished

IDENTITY = RunIdentity("3f2b0c1e-0000-4000-8000-000000000001", "mnist", "mnist-1", 1_800_000_000_000_000_000)
PATH = run_path(IDENTITY)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A record root in which a run waits that never got further than its start."""
    folder = tmp_path / "root"
    spool = folder / "spool" / IDENTITY.uid
    spool.mkdir(parents=True)
    settings = RunSettings(IDENTITY, f"/vaportrail/spool/{IDENTITY.uid}", str(folder), PATH)
    (spool / "run.json").write_text(settings.to_json())
    (spool / "logs_1.json.gz").write_bytes(gzip.compress(b'{"resourceLogs":[]}'))
    return folder


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    return tmp_path / "termination-log"


def seal_run(cli: Cli, answer: Path, request: str | None) -> Finished:
    env = {"VAPORTRAIL_TERMINATION_MESSAGE": str(answer)}
    return cli("seal-run", env=env if request is None else {**env, "VAPORTRAIL_SEAL_REQUEST": request})


def request(root: Path | str, **more: object) -> str:
    return SealRequest(identity=IDENTITY, root=str(root), path=PATH, **more).model_dump_json()  # type: ignore[arg-type]


def test_a_run_is_sealed_and_the_answer_is_the_termination_message(
    cli: Cli, root: Path, answer: Path
) -> None:
    done = seal_run(cli, answer, request(root, outcome=Outcome.CANCELLED, message="cancelled by its user"))
    said = SealReport.model_validate_json(answer.read_text())

    assert done.code == 0, done.err
    assert (said.outcome, said.message, said.uri) == ("CANCELLED", "cancelled by its user", f"{root}/{PATH}")
    assert cli("verify", f"{root}/{PATH}").code == 0


def test_progress_is_printed(cli: Cli, root: Path, answer: Path) -> None:
    lines = seal_run(cli, answer, request(root)).out.splitlines()

    assert lines[0].startswith("1 parts")
    assert lines[-1].startswith(f"sealed {root}/{PATH} ")


def test_a_run_that_cannot_be_sealed_says_why_in_one_line(cli: Cli, root: Path, answer: Path) -> None:
    (root / "spool" / IDENTITY.uid / "seal-plan.json").write_text("{}")
    done = seal_run(cli, answer, request(root))

    assert done.code == 2
    assert answer.read_text().count("\n") == 0
    assert "seal-plan.json: " in answer.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "VAPORTRAIL_SEAL_REQUEST is not set"), ("{}", "is not a request to seal a run")],
)
def test_a_request_that_is_none_is_told(cli: Cli, answer: Path, text: str | None, message: str) -> None:
    done = seal_run(cli, answer, text)

    assert (done.code, message in answer.read_text()) == (2, True)


def test_a_store_that_cannot_be_opened_is_told(cli: Cli, answer: Path) -> None:
    done = seal_run(cli, answer, request("ftp://host/records"))

    assert (done.code, "record root 'ftp://host/records'" in answer.read_text()) == (2, True)


def test_the_command_is_not_in_the_help(cli: Cli) -> None:
    assert "seal-run" not in cli("--help").out


@given(message=st.text(max_size=9000), uri=st.text(max_size=300))
def test_an_answer_is_json_that_the_kubelet_keeps_whole(message: str, uri: str) -> None:
    whole = SealReport(
        outcome=Outcome.FAILED,
        message=message,
        uri=uri,
        sha256="0" * 64,
        loss="None",
        tasks={"SUCCEEDED": 10},
    )
    text = fitted(whole)

    assert len(text.encode()) <= TERMINATION_MESSAGE_LIMIT
    assert json.loads(text)["message"].removesuffix("…") == message[
        : len(json.loads(text)["message"]) - 1
    ] or (json.loads(text)["message"] == message)

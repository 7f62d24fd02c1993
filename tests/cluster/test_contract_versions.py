"""Pods of an image that is older or newer than the operator: what they cannot read, they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vaportrail.contract.pod_environment import CONTRACT_VERSION
from vaportrail.contract.versions import OLDEST_READ

NEWER = CONTRACT_VERSION + 1
# What another version asks for is nothing that this one knows.
REQUEST = {"contract_version": NEWER, "work": {"secret": "hunter2"}}


@pytest.mark.parametrize(
    ("command", "variable"),
    [("runner", "VAPORTRAIL_RUN_REQUEST"), ("seal-run", "VAPORTRAIL_SEAL_REQUEST")],
)
@pytest.mark.parametrize("version", [NEWER, OLDEST_READ - 1, 10**30])
def test_a_pod_says_that_it_does_not_read_what_another_release_asks_for(
    tmp_path: Path, command: str, variable: str, version: int
) -> None:
    answer = tmp_path / "answer"
    done = subprocess.run(
        [str(Path(sys.executable).with_name("vaportrail")), command],
        env={
            variable: json.dumps({**REQUEST, "contract_version": version}),
            "VAPORTRAIL_TERMINATION_MESSAGE": str(answer),
        },
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert f"{variable} cannot be read: it is of contract version {version:.9g}, " in answer.read_text()
    assert "use images of the operator's release" in answer.read_text()
    assert "hunter2" not in answer.read_text() + done.stderr

"""The container's last message: always whole JSON, never more than the kubelet keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.cluster.termination_message import fitted, write_termination_message
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_environment import TERMINATION_MESSAGE_LIMIT
from vaportrail.contract.pod_messages import RunReport

MESSAGES = st.text(max_size=100) | st.builds(str.__mul__, st.text(max_size=20), st.integers(0, 2000))


@given(MESSAGES)
def test_an_answer_is_whole_json_within_the_limit_and_begins_with_the_message(message: str) -> None:
    text = fitted(RunReport(outcome=Outcome.FAILED, message=message))
    read = RunReport.model_validate_json(text)

    assert len(text.encode()) <= TERMINATION_MESSAGE_LIMIT
    assert message.startswith(read.message.removesuffix("…"))


def test_an_answer_whose_message_is_not_unicode_says_it_in_escapes() -> None:
    read = RunReport.model_validate_json(fitted(RunReport(outcome=Outcome.FAILED, message="no \udcff")))

    assert (read.outcome, read.message) == (Outcome.FAILED, "no \\udcff")


def test_a_short_answer_is_written_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAPORTRAIL_TERMINATION_MESSAGE", str(tmp_path / "answer"))
    answer = RunReport(outcome=Outcome.SUCCEEDED, message="3 of 3 tasks succeeded")

    write_termination_message(answer)

    assert RunReport.model_validate_json((tmp_path / "answer").read_text()) == answer

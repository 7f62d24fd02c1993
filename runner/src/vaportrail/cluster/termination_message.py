"""What a container says last: its termination message, which the kubelet keeps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vaportrail.contract.pod_environment import TERMINATION_MESSAGE_LIMIT
from vaportrail.contract.pod_messages import RunReport, SealPlanReport, SealReport
from vaportrail.telemetry.values import clean

__all__ = ["TERMINATION_MESSAGE_VARIABLE", "fitted", "write_termination_message"]

TERMINATION_MESSAGE_VARIABLE: Final = "VAPORTRAIL_TERMINATION_MESSAGE"
TERMINATION_LOG: Final = "/dev/termination-log"


def fitted(report: RunReport | SealReport) -> str:
    """Return an answer as JSON that the kubelet keeps whole, its message cut where it is too long."""
    message = clean(report.message)  # what an exception says need not be Unicode
    report = report.model_copy(update={"message": message})
    text = report.model_dump_json()
    while len(text.encode()) > TERMINATION_MESSAGE_LIMIT and message:
        # A character can take six bytes of JSON.
        message = message[: -max(1, (len(text.encode()) - TERMINATION_MESSAGE_LIMIT + 3) // 6)]
        text = report.model_copy(update={"message": f"{message}…"}).model_dump_json()
    return text


def write_termination_message(report: RunReport | SealReport | SealPlanReport) -> None:
    """Leave an answer where the kubelet looks for it."""
    target = Path(os.environ.get(TERMINATION_MESSAGE_VARIABLE, TERMINATION_LOG))
    text = report.model_dump_json() if isinstance(report, SealPlanReport) else fitted(report)
    target.write_text(text, encoding="utf-8")

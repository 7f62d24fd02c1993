"""What a container says last: its termination message, which the kubelet keeps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vaportrail.handover import ANSWER_LIMIT, RunAnswer, SealAnswer
from vaportrail.telemetry.values import clean

__all__ = ["ANSWER_VARIABLE", "fitted", "write_answer"]

ANSWER_VARIABLE: Final = "VAPORTRAIL_ANSWER"
TERMINATION_LOG: Final = "/dev/termination-log"


def fitted(answer: RunAnswer | SealAnswer) -> str:
    """Return an answer as JSON that the kubelet keeps whole, its message cut where it is too long."""
    message = clean(answer.message)  # what an exception says need not be Unicode
    answer = answer.model_copy(update={"message": message})
    text = answer.model_dump_json()
    while len(text.encode()) > ANSWER_LIMIT and message:
        # A character can take six bytes of JSON.
        message = message[: -max(1, (len(text.encode()) - ANSWER_LIMIT + 3) // 6)]
        text = answer.model_copy(update={"message": f"{message}…"}).model_dump_json()
    return text


def write_answer(answer: RunAnswer | SealAnswer) -> None:
    """Leave an answer where the kubelet looks for it."""
    target = Path(os.environ.get(ANSWER_VARIABLE, TERMINATION_LOG))
    target.write_text(fitted(answer), encoding="utf-8")

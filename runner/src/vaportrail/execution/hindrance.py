"""Attempts that wait for a node which is not there: said once, after they have waited; a cluster may grow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from vaportrail.execution.backend import Backend
from vaportrail.execution.call import TaskCall
from vaportrail.execution.graph import Step
from vaportrail.execution.inbox import Inbox

__all__ = ["look_for_hindrance"]

WAIT_SECONDS: Final = 60.0
"""How long a task may wait for a node that could take it before that is said."""


def look_for_hindrance(call: TaskCall, backend: Backend, inbox: Inbox, tell: Callable[[str], None]) -> None:
    """Look now, and where there is one once more when the attempt has waited; runs in the executor's thread.

    Args:
        call: the task whose running attempt was handed over.
        backend: knows of hindrances.
        inbox: takes the second look.
        tell: is told what the attempt waits for.
    """
    if _hindrance(call, call.attempts, backend):
        inbox.later(WAIT_SECONDS, partial(_look_again, call, call.attempts, backend, tell))


def _look_again(call: TaskCall, attempt: int, backend: Backend, tell: Callable[[str], None]) -> list[Step]:
    if why := _hindrance(call, attempt, backend):
        tell(f"{call.task_id} waits: {why}; it begins when one joins that has")
    return []


def _hindrance(call: TaskCall, attempt: int, backend: Backend) -> str:
    if call.attempts_ended >= attempt:
        return ""
    try:
        return backend.hindrance(call.options)
    except Exception:  # it is only about telling
        return ""

"""One run at a time in a process, and none where Ray is somebody else's: Ray has one driver a process."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from vaportrail.authoring import session
from vaportrail.errors import UsageError
from vaportrail.telemetry.attempt_scope import attempt_scope

__all__ = ["alone", "refuse_within"]

_RUNNING: Final = threading.Lock()
_runs_here: int | None = None
"""The thread that holds the lock."""


def refuse_within(pipeline: str) -> None:
    """Refuse to run a pipeline from a pipeline's body or a task.

    Raises:
        UsageError: this is one.
    """
    if session.current() is not None or attempt_scope() is not None:
        raise UsageError(
            f"pipeline {pipeline!r} cannot be run from within another run; call it as a function, "
            "and its tasks become tasks of that run"
        )


@contextmanager
def alone(pipeline: str) -> Iterator[None]:
    """Refuse another run of this process for the length of the block.

    Args:
        pipeline: the name of the pipeline that is to run, for the message.

    Raises:
        UsageError: a run is going on in another thread, or this process is connected to a Ray that
            is not ours; both are left alone.
    """
    global _runs_here
    if attempt_scope() is not None or _runs_here == threading.get_ident():
        refuse_within(pipeline)
    if not _RUNNING.acquire(blocking=False):
        raise UsageError(
            f"pipeline {pipeline!r}: another run is going on in this process, and Ray allows one at a time; "
            "wait for its end, or run this one in a process of its own"
        )
    try:
        ray = sys.modules.get("ray")
        if ray is not None and ray.is_initialized():
            raise UsageError(
                f"pipeline {pipeline!r}: this process has a Ray of its own, and a run starts one; "
                "call ray.shutdown() first, or run the pipeline in a process of its own"
            )
        _runs_here = threading.get_ident()
        yield
    finally:
        _runs_here = None
        _RUNNING.release()

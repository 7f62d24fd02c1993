"""Ray's own processes on this machine: where one of them ends, the run hears it, and ends before Ray ends it.

Ray ends a driver that has heard nothing of its GCS for 60 s, without a word to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from vaportrail.errors import RayLost

__all__ = ["watched_ray"]

_NEEDED: Final = ("gcs_server", "raylet")
_LOOK_SECONDS: Final = 0.5


@contextmanager
def watched_ray(lost: Callable[[RayLost], None]) -> Iterator[None]:
    """Watch the processes that this process's `ray.init` has started; without effect where it started none.

    Args:
        lost: is called once, from a thread, when one ends that Ray cannot go on without.
    """
    from ray._private import worker

    node, over = getattr(worker, "_global_node", None), threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_SECONDS):
            ended = [kind for kind in _dead(node) if kind in _NEEDED]
            # A signal may have ended both, and cancels the run: it is heard first.
            if ended and not over.wait(_LOOK_SECONDS):
                lost(RayLost(ended[0]))
                return

    thread = threading.Thread(target=watch, name="vaportrail-ray-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _dead(node: Any) -> list[str]:
    """Return the kinds of what Ray started and has ended; how, Ray's own reaping hides."""
    try:
        # It has no public name: a Ray without this one is not watched.
        return [kind for kind, _ in getattr(node, "dead_processes", list)()]
    except RuntimeError:  # `ray.shutdown()` in the body changes what is walked here
        return []

"""Finding what an attempt's time limit left behind, on whichever node it was ended.

The stacks that a process writes as its time limit ends it are the evidence that it was the limit.
They lie in the spool of the attempt's own node, and Ray does not say which that was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

__all__ = ["find_stacks", "read_stacks"]

_SECONDS: Final = 20.0
"""How long nodes may take to answer; one that does not is gone, and its evidence with it."""


def read_stacks(path: Path) -> str:
    """Return the stacks in a file of this host; empty where there are none."""
    try:
        return path.read_text(errors="backslashreplace")
    except FileNotFoundError:
        return ""


def find_stacks(path: Path) -> str:
    """Return the stacks in a file of that name on any node of Ray's; empty where none has it.

    It costs a small task on each node, so it is for attempts that can have been ended by their limit.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look: Any = ray.remote(num_cpus=0, max_retries=0)(read_stacks)
    waiting = [
        look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            path
        )
        for node in ray.nodes()
        if node["Alive"]
    ]
    while waiting:
        ended, waiting = ray.wait(waiting, num_returns=1, timeout=_SECONDS)
        if not ended:
            return ""
        try:
            found = str(ray.get(ended[0]))
        except ray.exceptions.RayError:  # the node has gone meanwhile
            continue
        if found:
            return found
    return ""

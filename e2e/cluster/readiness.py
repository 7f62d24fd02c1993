"""Waiting until a component answers: asked again and again, never longer than it lives or a deadline."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Collection
from typing import Protocol
from urllib.error import URLError
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

from e2e.cluster.components import Probe
from e2e.cluster.progress import Failed

__all__ = ["Watched", "answers", "await_true"]

_INTERVAL = 0.1
_TIMEOUT = 2.0


class Watched(Protocol):
    """The components of a cluster, as far as waiting needs them."""

    def check(self, names: Collection[str]) -> None:
        """Raise Failed if one of them has ended."""

    def tail(self, name: str) -> str:
        """Return the last lines of a component's log."""


def answers(probe: Probe) -> bool:
    """Say whether a probe's address answers 200 now."""
    # Health is all that is asked for, of addresses inside this machine, and no secret is sent.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with build_opener(HTTPSHandler(context=context), ProxyHandler({})).open(
            probe.url, timeout=_TIMEOUT
        ) as reply:
            return int(reply.status) == 200
    except (URLError, OSError):
        return False


def await_true(
    what: str, holds: Callable[[], bool], processes: Watched, watched: Collection[str], *, deadline: float
) -> None:
    """Return as soon as `holds()` does.

    Args:
        what: what is waited for, as the message says it.
        holds: asked ten times a second.
        processes: the cluster's.
        watched: the components that `what` needs; there is no point in waiting once one of them has ended.
        deadline: how many seconds to wait at most.

    Raises:
        Failed: a component ended, or the deadline passed; with the end of the components' logs.
    """
    end = time.monotonic() + deadline
    while not holds():
        processes.check(watched)
        if time.monotonic() > end:
            logs = "\n".join(f"--- {name}\n{processes.tail(name)}" for name in watched)
            raise Failed(f"{what} is not ready after {deadline:.0f} s\n{logs}")
        time.sleep(_INTERVAL)

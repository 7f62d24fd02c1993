"""A bundle on its way to a worker, and in it: quick attempts one after the other, each told as it ends."""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final

from vaportrail.execution.bundle_log import BundleLog
from vaportrail.execution.packed_attempt import run_packed
from vaportrail.execution.plain_value import PlainValue, pack_plain

__all__ = ["pack_bundle", "read_end", "run_bundle"]

_SECONDS: Final = 0.05
"""How long a bundle may have run for another of its attempts to begin."""
_APART: Final = b"\xff\xff\xff\xff"
"""What an end begins with whose value is the next of what the bundle yields."""


def pack_bundle(log: str, attempts: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return a bundle as the arguments of `run_bundle`.

    Args:
        log: the path of its log.
        attempts: each as `pack_attempt` packed it.
    """
    packed = pickle.dumps((log, [(attempt[0], len(attempt) - 1) for attempt in attempts]))
    return packed, *(value for attempt in attempts for value in attempt[1:])


def run_bundle(settings_json: str, packed: bytes, *values: Any) -> Iterator[Any]:
    """Run the attempts of a bundle, and yield the end of each as it ends, see `read_end`.

    It ends before the next attempt begins where the bundle has run for long, where the runner has taken the
    rest back, and where an attempt cannot be told of by the log: the bundle's own end then says that what
    was yielded has arrived.
    """
    begin = time.monotonic()
    path, attempts = pickle.loads(packed)
    inputs = deque(values)
    del values
    try:
        log = BundleLog(path)
    except OSError:
        return
    with closing(log):
        for number, (attempt, count) in enumerate(attempts):
            if number and time.monotonic() - begin > _SECONDS:
                return
            try:
                if not log.begin(number):
                    return
            except OSError:  # nobody knows of it, and it has not begun
                return
            report, value = run_packed(settings_json, attempt, *[inputs.popleft() for _ in range(count)])
            raw = pack_plain(value)
            if raw is None:
                yield _APART + report
                yield value
                return
            end = len(raw).to_bytes(4, "little") + raw + report
            try:
                log.ended(number, end)
            except OSError:
                yield end
                return
            yield end


def read_end(end: bytes) -> tuple[bytes, PlainValue | None]:
    """Return an attempt's report, and its value; None where that comes by itself."""
    if end.startswith(_APART):
        return end[len(_APART) :], None
    middle = 4 + int.from_bytes(end[:4], "little")
    return end[middle:], PlainValue(end[4:middle])

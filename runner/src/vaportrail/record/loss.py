"""Why nobody can say how much is missing, in plain sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["REASON_LIMIT", "loss_reasons"]

REASON_LIMIT: Final = 20
"""How many reasons a record's counts name."""
_LENGTH: Final = 300
_NAMES: Final = 5


def loss_reasons(
    missing: Mapping[str, int], unsure: Iterable[str], unreadable: int, lines: int = 0
) -> list[str]:
    """Return why a run's loss is unknown, one sentence a reason; empty where it is known.

    Args:
        missing: what the run's own processes said they did not capture: how often, by the reason.
        unsure: names of the writers whose last count is gone.
        unreadable: how many files of spools and shipped parts could not be read.
        lines: how many lines of spools held no record.

    >>> loss_reasons({"nobody reads the printer": 2}, [], 0)
    ['nobody reads the printer (2 times)']
    """
    reasons = [_sentence(reason, count) for reason, count in sorted(missing.items())]
    writers = sorted(set(unsure))
    if writers:
        names = ", ".join(writers[:_NAMES]) + (" …" if len(writers) > _NAMES else "")
        processes = "process" if len(writers) == 1 else "processes"
        reasons.append(f"the last count of {len(writers)} {processes} is gone: {names}")
    if unreadable:
        files = "file or shipped part" if unreadable == 1 else "files or shipped parts"
        reasons.append(f"{unreadable} {files} could not be read whole")
    if lines:
        held = "line of a spool holds" if lines == 1 else "lines of spools hold"
        reasons.append(f"{lines} {held} no record, and no writer of ours makes such")
    more = len(reasons) - REASON_LIMIT
    return [*reasons[:REASON_LIMIT], f"{more} more reasons"] if more > 0 else reasons


def _sentence(reason: str, count: int) -> str:
    line = " ".join(reason.split())
    line = line if len(line) <= _LENGTH else f"{line[: _LENGTH - 1]}…"
    return f"{line} ({count} times)" if count > 1 else line

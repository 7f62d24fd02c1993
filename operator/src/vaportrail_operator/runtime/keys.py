"""What the work queue holds: where the object is that a step is for."""

from __future__ import annotations

from typing import NamedTuple

from vaportrail_operator.planning.kinds import Kind

__all__ = ["Key", "RunKey", "ScheduleKey", "group_of"]

RunKey = tuple[str, str]
"""A run's namespace and name."""


class ScheduleKey(NamedTuple):
    """A schedule's namespace and name."""

    namespace: str
    name: str
    kind: Kind = Kind.SCHEDULE


Key = RunKey | ScheduleKey


def group_of(key: Key) -> tuple[str, bool]:
    """Return the group that a key takes turns in: schedules of a namespace keep none of its runs waiting."""
    return key[0], isinstance(key, ScheduleKey)

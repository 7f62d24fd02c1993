"""When a run was due, by its annotations: written by its schedule, or by whoever makes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

__all__ = ["PREVIOUS_TIME_ANNOTATION", "SCHEDULED_TIME_ANNOTATION", "ScheduledTimes", "scheduled_times"]

SCHEDULED_TIME_ANNOTATION: Final = "vaportrail.dev/scheduled-time"
PREVIOUS_TIME_ANNOTATION: Final = "vaportrail.dev/previous-scheduled-time"


def scheduled_times(annotations: Any) -> dict[str, str]:
    """Return the times that annotations say, in RFC 3339 and UTC; what is none is left out.

    >>> scheduled_times({SCHEDULED_TIME_ANNOTATION: "2027-03-28T06:00:00+02:00", "other": "a" * 9999})
    {'vaportrail.dev/scheduled-time': '2027-03-28T04:00:00Z'}
    >>> scheduled_times({SCHEDULED_TIME_ANNOTATION: "soon"}), scheduled_times(None)
    ({}, {})
    """
    said = annotations if isinstance(annotations, Mapping) else {}
    found = {name: _time(said.get(name)) for name in (SCHEDULED_TIME_ANNOTATION, PREVIOUS_TIME_ANNOTATION)}
    return {name: time for name, time in found.items() if time}


def _time(text: object) -> str:
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
        return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if time and time.tzinfo else ""
    except (ValueError, OverflowError):
        return ""


ScheduledTimes = Annotated[dict[str, str], BeforeValidator(scheduled_times)]
"""Of all annotations, which can hold the whole resource once more, these two."""

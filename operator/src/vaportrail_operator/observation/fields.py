"""What every Kubernetes object has, read from its raw form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

__all__ = ["KEPT_METADATA", "Raw", "condition_of", "controller_of", "metadata_of", "time_of"]

Raw = Mapping[str, Any]
"""An object of the Kubernetes API as JSON gives it."""
KEPT_METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
)
"""What is kept of the metadata of ours: annotations alone can hold the whole object once more."""


def metadata_of(raw: Raw) -> Raw:
    """Return an object's metadata."""
    metadata: Raw = raw.get("metadata") or {}
    return metadata


def time_of(text: str | None) -> datetime | None:
    """Return the time that a field holds, with its zone; None where it holds none.

    >>> time_of("2026-01-02T03:04:05Z").isoformat()
    '2026-01-02T03:04:05+00:00'
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def controller_of(raw: Raw) -> str:
    """Return the uid of the object's controller; empty where it has none."""
    owners = metadata_of(raw).get("ownerReferences") or []
    return next((str(owner.get("uid", "")) for owner in owners if owner.get("controller")), "")


def condition_of(raw: Raw, kind: str) -> Raw:
    """Return an object's condition of a type; empty where it is not there."""
    conditions = (raw.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), {})

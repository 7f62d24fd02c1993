"""What the watches began with, where that was newer than what was known: they never tell of it again."""

from __future__ import annotations

from vaportrail_operator.observation.entries import Entry, ObjectKey
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.runtime.object_versions import compare

__all__ = ["WatchBegins"]


class WatchBegins:
    """The versions that watches began with, until a list has told what they are."""

    def __init__(self) -> None:
        self._versions: dict[ObjectKey, tuple[str, str]] = {}

    def note(self, object_key: ObjectKey, uid: str, version: str) -> None:
        """Take in that a watch began with an object in a version that is not known yet."""
        self._versions[object_key] = (uid, version)

    def take(self, entry: Entry) -> bool:
        """Return whether a watch began with an object as it is here, or later, and so owes nothing of it."""
        uid, version = self._versions.get(entry.object_key, ("", ""))
        order = compare(entry.version, version)
        if uid != entry.uid or order >= 0:
            self._versions.pop(entry.object_key, None)
        return uid == entry.uid and order <= 0

    def forget(self, kind: Kind, scope: str | None, version: str) -> None:
        """Drop what a complete list of this version did not have: it is gone."""
        for object_key, (_, noted) in list(self._versions.items()):
            inside = object_key.kind is kind and scope in (None, object_key.namespace)
            if inside and compare(noted, version) <= 0:
                del self._versions[object_key]

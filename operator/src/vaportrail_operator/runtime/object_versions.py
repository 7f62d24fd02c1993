"""Versions of objects of one kind: which word is the newer one, and what was gone by which."""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["Graves", "compare"]

_KEPT = 20_000


def compare(one: str, other: str) -> int:
    """Return whether a version is older (-1), the same (0) or newer (1) than another.

    >>> compare("9", "10"), compare("10", "10"), compare("a", "10")
    (-1, 0, 1)
    """
    if one == other:
        return 0
    if one.isdecimal() and other.isdecimal():
        return -1 if int(one) < int(other) else 1
    return 1


class Graves:
    """The uids of what is gone, and by which version: a word that is no newer does not bring it back."""

    def __init__(self) -> None:
        self._versions: OrderedDict[str, str] = OrderedDict()

    def bury(self, uid: str, version: str) -> None:
        """Take in that an object was gone by a version; an empty one says nothing."""
        before = self._versions.get(uid, "")
        if version and (not before or compare(version, before) > 0):
            self._versions[uid] = version
        while len(self._versions) > _KEPT:
            self._versions.popitem(last=False)

    def rises(self, uid: str, version: str) -> bool:
        """Return whether a word of an object of this version counts; one of what is gone, only if newer."""
        grave = self._versions.get(uid)
        if grave is None:
            return True
        if compare(version, grave) <= 0:
            return False
        del self._versions[uid]
        return True

    def clear(self) -> None:
        """Forget all of them."""
        self._versions.clear()

"""A process's state is put back after a block: what the block changed, it changed for itself alone.

Other threads may change any of it meanwhile.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from vaportrail.execution.process_state import OF_MAIN_THREAD, PARTS, Part

__all__ = ["KnownState", "put_back"]

_NOT_TAKEN: Final = object()
"""Stands for a part that could not be taken: it is left alone."""
_TRIES: Final = 8
"""How often it is begun anew: a time limit, a cancellation and Ray's own may each come once."""


def put_back(
    parts: Sequence[Part] | None = None, *, known: KnownState | None = None
) -> AbstractContextManager[None]:
    """Put back each part of the process's state as it was before the block.

    What cannot be taken or put back (a folder that is closed to this user by now) stays as it is, and
    the others are put back all the same. In other threads than the main one signals are left alone.

    Args:
        parts: those that are put back; None for all.
        known: what is known of all from the block before.
    """
    if parts is not None:
        return _PutBack(_Parts(parts), KnownState())
    in_main_thread = threading.current_thread() is threading.main_thread()
    return _PutBack(_ALL if in_main_thread else _BESIDE_MAIN_THREAD, known or KnownState())


class KnownState:
    """What a process's state is before a block, as far as it was seen at the end of the one before.

    To look at all of it costs a tenth of a millisecond. So it is looked at once a block, at the end: where
    nothing had changed, the next block begins with the same, but for what is `passing`. It is forgotten where

    - a block changed something: what was put back is looked at, to see what it has become;
    - a module was imported since: what modules set up stays;
    - `forget` says that somebody is left who may change more.
    """

    def __init__(self) -> None:
        self._parts: _Parts | None = None
        self._values: list[Any] = []
        self._modules = 0

    def forget(self) -> None:
        """Look at all of it again before the next block."""
        self._parts = None

    def taken(self, parts: _Parts) -> list[Any]:
        """Return what those parts that can be compared are now."""
        if self._parts is not parts or self._modules != len(sys.modules):
            return parts.take_compared()
        for index, part in parts.passing:
            self._values[index] = part.take()
        return self._values

    def learn(self, parts: _Parts, values: list[Any]) -> None:
        """Take it that a block ended with these."""
        self._parts, self._values, self._modules = parts, values, len(sys.modules)


class _Parts:
    """Parts of a process's state, as they are looked at: those that can be compared all in one step."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.compared = [part for part in parts if part.compared]
        self.others = [part for part in parts if not part.compared]
        self.passing = [(index, part) for index, part in enumerate(self.compared) if part.passing]
        self._takes = [part.take for part in self.compared]

    def take_compared(self) -> list[Any]:
        """Return what those that can be compared are now; raises what one of them raises."""
        return [take() for take in self._takes]


_ALL: Final = _Parts(PARTS)
_BESIDE_MAIN_THREAD: Final = _Parts([part for part in PARTS if part.name not in OF_MAIN_THREAD])


class _PutBack(AbstractContextManager[None]):
    # A class: a generator, and what the standard library makes a context of it by, cost more than they show.

    def __init__(self, parts: _Parts, known: KnownState) -> None:
        self._parts = parts
        self._known = known
        self._compared: list[Any] = []
        self._others: list[Any] = []

    def __enter__(self) -> None:
        parts = self._parts
        try:
            self._compared = self._known.taken(parts)
        except Exception:
            self._compared = [_taken(part) for part in parts.compared]
        self._others = [_taken(part) for part in parts.others]

    def __exit__(self, *_raised: object) -> None:
        interrupted: BaseException | None = None
        for _ in range(_TRIES):
            try:
                interrupted = self._put_back() or interrupted
                break
            except BaseException as error:  # a time limit or a cancellation, between two parts
                interrupted = error
        if interrupted is not None:
            raise interrupted

    def _put_back(self) -> BaseException | None:
        """Put back what has changed, once more where that is put back already; return what interrupted it."""
        parts, before = self._parts, self._compared
        self._known.forget()
        # The folder is among these: what follows may be relative to it.
        interrupted = _put_back_each(parts.others, self._others)
        try:
            changed = parts.take_compared() != before
        except Exception:
            changed = True
        except BaseException as error:
            changed, interrupted = True, error
        if changed:
            interrupted = _put_back_each(parts.compared, before) or interrupted
        else:
            self._known.learn(parts, before)
        return interrupted


def _taken(part: Part) -> Any:
    try:
        return part.take()
    except Exception:
        return _NOT_TAKEN


def _put_back_each(parts: Sequence[Part], values: Sequence[Any]) -> BaseException | None:
    """Put back each part that has changed; return what interrupted that, once all is put back."""
    interrupted: BaseException | None = None
    for part, value in zip(parts, values, strict=True):
        if value is _NOT_TAKEN:
            continue
        try:
            if not _is_as_before(part, value):
                _restore(part, value)
        except BaseException as error:  # a time limit or a cancellation
            interrupted = error
            _restore(part, value)
    return interrupted


def _is_as_before(part: Part, value: Any) -> bool:
    try:
        return part.compared and bool(part.take() == value)
    except Exception:
        return False


def _restore(part: Part, value: Any) -> None:
    try:
        part.restore(value)
    except Exception:
        return

"""Making code of the user's end that catches every exception: each further line of it raises again."""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from collections.abc import Callable
from functools import cache
from types import FrameType
from typing import Any, TypeVar

__all__ = ["Insistence"]

T = TypeVar("T")


class Insistence:
    """A call that can be made to end, by the means of a debugger.

    Python's own code, Ray's and ours is left to end by itself: it may hold locks.

    Args:
        end: makes what ends the call.
    """

    def __init__(self, end: Callable[[], BaseException]) -> None:
        self._end = end
        self._base: FrameType | None = None
        self._thread = threading.get_ident()
        self._before = sys.gettrace()
        self._begun = False

    def call(self, body: Callable[[], T]) -> T:
        """Return what `body` returns, or let through what it raises."""
        self._base = sys._getframe()
        try:
            return body()
        finally:
            self._base = None
            if self._begun:
                sys.settrace(self._before)

    def begin(self, frame: FrameType | None) -> None:
        """Let each line raise from now on.

        Args:
            frame: what runs in the call's thread, such as a signal's handler is given.
        """
        if self._base is None or threading.get_ident() != self._thread:
            return
        self._begun = True
        sys.settrace(self._trace)
        while frame is not None and frame is not self._base:
            frame.f_trace = self._trace if _is_the_users(frame.f_code.co_filename) else None
            frame = frame.f_back

    def _trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if self._base is None or not _is_the_users(frame.f_code.co_filename):
            return None
        if event == "line":
            raise self._made()  # by no name here: its traceback would hold it
        return self._trace

    def _made(self) -> BaseException:
        """Return an exception that begins again where it is let go.

        Python traces no further once a tracer has raised.
        """
        error = self._end()
        error.__dict__["_let_go"] = _LetGo(self.begin)
        return error


class _LetGo:
    """Calls something with the frame in which the exception that holds it is swallowed."""

    def __init__(self, tell: Callable[[FrameType | None], None]) -> None:
        self._tell = tell

    def __del__(self) -> None:
        self._tell(sys._getframe().f_back)


@cache
def _is_the_users(file: str) -> bool:
    import ray

    import vaportrail

    paths = sysconfig.get_paths()
    ours = tuple(os.path.dirname(str(each.__file__)) + os.sep for each in (ray, vaportrail))
    if file.startswith(("<frozen ", *ours)):
        return False
    installed = tuple(paths[name] + os.sep for name in ("purelib", "platlib"))
    return file.startswith(installed) or not file.startswith(paths["stdlib"] + os.sep)

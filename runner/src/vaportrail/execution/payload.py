"""A call's arguments on their way to a worker: one pickle, with the handles inside it taken out.

Walking argument trees would miss models, partials and the user's own classes; the pickler meets
every object anyway, so it is the one that catches the handles, wherever they are.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
import weakref
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import FunctionType
from typing import Any, Final

from vaportrail.authoring.handle import Handle
from vaportrail.authoring.task import Task
from vaportrail.errors import UsageError

__all__ = ["Functions", "check_picklable", "dump_call", "dump_function", "load_call", "load_function"]


_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
"""Types of values in which no handle is, nor anything that must be pickled in a way of its own."""


def dump_call(task: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[bytes, list[Handle]]:
    """Return a call's arguments as bytes, and the handles among them in the order of their numbers.

    Raises:
        UsageError: something among the arguments cannot be pickled.
    """
    if all(type(value) in _PLAIN for value in (*args, *kwargs.values())):
        return pickle.dumps((args, kwargs), protocol=5), []
    buffer = io.BytesIO()
    pickler = _call_pickler()(buffer, protocol=5)
    try:
        pickler.dump((args, kwargs))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"an argument of task {task!r} cannot be sent to a worker: {error}; "
            "pass plain data, or make it inside the task"
        ) from error
    return buffer.getvalue(), pickler.handles


@lru_cache(maxsize=1)
def _pickler() -> Any:
    """Return the class that pickles by value what cannot be imported, and no copy of an open file."""
    from ray import cloudpickle

    class Pickler(cloudpickle.CloudPickler):  # type: ignore[misc]
        dispatch_table = cloudpickle.CloudPickler.dispatch_table.new_child({io.TextIOWrapper: _reduce_stream})

    return Pickler


def _reduce_stream(file: io.TextIOWrapper) -> Any:
    """Let only the standard streams pass; by itself an open text file arrives as a text in memory."""
    for name in ("stdout", "stderr"):
        if file is getattr(sys, name):
            return getattr, (sys, name)
    raise pickle.PicklingError(f"{file!r} is an open file; send its path, and open it there")


@lru_cache(maxsize=1)
def _call_pickler() -> Any:
    class Pickler(_pickler()):  # type: ignore[misc]
        """Takes handles out and numbers them, each once."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.handles: list[Handle] = []
            self._numbers: dict[int, int] = {}

        def persistent_id(self, obj: Any) -> int | None:
            if not isinstance(obj, Handle):
                return None
            if id(obj) not in self._numbers:
                self._numbers[id(obj)] = len(self.handles)
                self.handles.append(obj)
            return self._numbers[id(obj)]

    return Pickler


def load_call(payload: bytes, values: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return a call's arguments with `values` where the handles were."""
    if not values:
        args, kwargs = pickle.loads(payload)
        return args, kwargs
    unpickler = _Unpickler(io.BytesIO(payload))
    unpickler.values = values
    args, kwargs = unpickler.load()
    return args, kwargs


class _Unpickler(pickle.Unpickler):
    values: Sequence[Any]

    def persistent_load(self, pid: Any) -> Any:
        return self.values[pid]


class _Nowhere(io.RawIOBase):
    def write(self, data: Any) -> int:
        return len(data)


def check_picklable(value: Any) -> None:
    """Raise what pickling `value` raises, without keeping a byte of it.

    Ray pickles a task's value only after the task has ended, too late for the task to be told.
    """
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return
    # Buffers are handed over as they are and not copied, so that arrays cost next to nothing.
    try:
        _pickler()(_Nowhere(), protocol=5, buffer_callback=lambda _buffer: None).dump(value)
    except Exception as error:
        kind = type(value).__name__
        raise TypeError(f"the {kind} that the task returned cannot be sent on: {error}") from error


def dump_function(task: Task[..., Any]) -> bytes:
    """Return a task's function as bytes: by name where workers can import it, else by value."""
    fn = task.fn
    module, qualname = getattr(fn, "__module__", None), getattr(fn, "__qualname__", "")
    if module and module != "__main__" and "<locals>" not in qualname:
        found: Any = sys.modules.get(module)
        for part in qualname.split("."):
            found = getattr(found, part, None)
        if found is fn or (isinstance(found, Task) and found.fn is fn):
            return pickle.dumps((module, qualname))
    buffer = io.BytesIO()
    try:
        _pickler()(buffer, protocol=5).dump(fn)
    except Exception as error:
        raise UsageError(f"task {task.name!r} cannot be sent to a worker: {error}") from error
    return buffer.getvalue()


class Functions:
    """The functions of a run's tasks as bytes, each dumped once for as long as it is there."""

    def __init__(self) -> None:
        self._dumped: weakref.WeakKeyDictionary[Callable[..., Any], bytes] = weakref.WeakKeyDictionary()

    def dump(self, task: Task[..., Any]) -> bytes:
        """Return a task's function as `dump_function` does."""
        # A method's holds its object, and is made anew at each call; an object's may change in between.
        if type(task.fn) is not FunctionType:
            return dump_function(task)
        found = self._dumped.get(task.fn)
        if found is None:
            found = self._dumped[task.fn] = dump_function(task)
        return found


def load_function(raw: bytes) -> Callable[..., Any]:
    """Return the function that `dump_function` named or held."""
    found = pickle.loads(raw)
    if not isinstance(found, tuple):
        function: Callable[..., Any] = found
        return function
    target: Any = importlib.import_module(found[0])
    for part in found[1].split("."):
        target = getattr(target, part)
    resolved: Callable[..., Any] = target.fn if isinstance(target, Task) else target
    return resolved

"""`@task`: a function whose calls inside a pipeline become tasks of the run."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast, overload

from vaportrail.authoring import session
from vaportrail.authoring.callables import lazy_kind, name_of
from vaportrail.authoring.options import Options, TaskOptions, resolve_options
from vaportrail.errors import OptionError

__all__ = ["Task", "task"]

P = ParamSpec("P")
R = TypeVar("R")


class Task(Generic[P, R]):
    """A function that can run as a task; made by `@task`.

    Attributes:
        fn: the plain function.
        name: the task's name in the record.
        kind: ``"python"`` or ``"notebook"``.
    """

    kind = "python"

    def __init__(self, fn: Callable[P, R], options: TaskOptions | None = None) -> None:
        # A static or class method is one by what it is found in; what is called is inside it.
        self._method: type | None = type(fn) if isinstance(fn, staticmethod | classmethod) else None
        plain: Callable[P, R] = fn.__func__ if isinstance(fn, staticmethod | classmethod) else fn
        functools.update_wrapper(self, plain)
        self.fn = plain
        self.task_options = options or TaskOptions()

    @property
    def name(self) -> str:
        return self.task_options.name or name_of(self.fn)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Submit a task in a pipeline's run; call the plain function anywhere else."""
        current = session.current()
        if current is None:
            return self.fn(*args, **kwargs)
        return cast("R", current.submit(self, args, kwargs))

    def map(self, *columns: Iterable[Any], **fixed: Any) -> list[R]:
        """Call the task once for each row of `columns`, as `zip(strict=True)` makes them.

        Example:
            >>> from vaportrail import task
            >>> @task
            ... def add(a: int, b: int, c: int = 0) -> int:
            ...     return a + b + c
            >>> add.map([1, 2], [10, 20], c=100)
            [111, 122]
        """
        call = cast("Callable[..., R]", self)
        return [call(*row, **fixed) for row in zip(*columns, strict=True)]

    def options(self, **options: Unpack[Options]) -> Task[P, R]:
        """Return the same task with other options; see `Options`.

        Example:
            >>> slow = train.options(timeout="1h", retries=2)(data)  # doctest: +SKIP
        """
        where = f"options of task {self.name!r}"
        changed = type(self)(self.fn, resolve_options(self.task_options, options, where))
        changed._method = self._method
        return changed

    def __get__(self, instance: object, owner: type | None = None) -> Task[..., R]:
        """Bind a method's task to its object (or class), which then travels with each call."""
        bound = owner if self._method is classmethod else instance
        if bound is None or self._method is staticmethod:
            return self
        return type(self)(types.MethodType(self.fn, bound), self.task_options)

    def __repr__(self) -> str:
        return f"<Task {self.name!r}>"


@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(**options: Unpack[Options]) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(fn: Callable[P, R] | None = None, /, **options: Unpack[Options]) -> Any:
    """Make a function a task, as ``@task`` or ``@task(cpus=2, timeout="10m", retries=1)``.

    Inside a pipeline's run a call submits the task at once and gives its handle, typed as the
    result. Anywhere else the call is the plain function's.

    Raises:
        OptionError: an option is unknown or ill-formed; the message names it.

    Example:
        >>> from vaportrail import task
        >>> @task(retries=2)
        ... def double(x: int) -> int:
        ...     return 2 * x
        >>> double(21)
        42
    """

    def decorate(fn: Callable[P, R]) -> Task[P, R]:
        plain = fn.__func__ if isinstance(fn, staticmethod | classmethod) else fn
        if not callable(plain):
            raise OptionError(f"@task decorates a function, not {type(fn).__name__}: {fn!r}")
        where = f"task {name_of(plain)!r}"
        kind = lazy_kind(plain)
        if kind:
            raise OptionError(
                f"{where} is {kind}, whose result cannot leave its worker: "
                "use a plain function (asyncio.run(...) or list(...) inside it)"
            )
        return Task(fn, resolve_options(TaskOptions(), options, where))

    return decorate if fn is None else decorate(fn)

"""`@pipeline`: the function that calls tasks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from vaportrail.authoring.callables import lazy_kind, name_of
from vaportrail.authoring.engine import engine
from vaportrail.errors import UsageError
from vaportrail.storage.layout import check_pipeline_name

if TYPE_CHECKING:
    from vaportrail.record.reading.recorded_run import Run

__all__ = ["Pipeline", "pipeline"]

P = ParamSpec("P")
R = TypeVar("R")


class Pipeline(Generic[P, R]):
    """A function that can be run as a pipeline; made by `@pipeline`.

    Called, it is the plain function: no Ray, no record.

    Attributes:
        fn: the plain function.
        name: the pipeline's name, a segment of its records' paths; the function's unless given.
    """

    def __init__(self, fn: Callable[P, R], name: str | None = None) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.name = _checked_name(fn, name)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.fn(*args, **kwargs)

    def run(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        record: str | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Run:
        """Run the pipeline on an embedded local Ray and seal its record.

        A failed task does not raise: look at the returned run's `outcome`.

        Args:
            parameters: by name; checked against the signature before Ray starts.
            record: the record root, a folder or an ``s3://…`` URI; ``vaportrail-runs`` unless given.
            name: what to call the run; its record's folder name unless given.
            tags: words to find it by.

        Returns:
            The sealed run.

        Raises:
            ParameterError: a parameter is unknown, missing or ill-typed.
            RecordError: the record cannot be written or sealed; the spool is kept.

        Example:
            >>> run = mnist.run({"train_sizes": [600, 800]})    # doctest: +SKIP
            >>> run.outcome                                      # doctest: +SKIP
            <Outcome.SUCCEEDED: 'SUCCEEDED'>
        """
        return engine().run_pipeline(self, parameters or {}, root=record, name=name, tags=tags or {})

    def __repr__(self) -> str:
        return f"<Pipeline {self.name!r}>"


def _checked_name(fn: Callable[..., Any], name: str | None) -> str:
    if not callable(fn):
        raise UsageError(f"@pipeline decorates a function, not {type(fn).__name__}: {fn!r}")
    own = name_of(fn)
    kind = lazy_kind(fn)
    if kind:
        raise UsageError(
            f"pipeline {own!r} is {kind}, and a call of it runs nothing: use a plain function; tasks run "
            "side by side without async, and what a pipeline gives back it returns"
        )
    if name is not None:
        return check_pipeline_name(name)
    try:
        return check_pipeline_name(own)
    except UsageError as error:
        raise UsageError(f'{error}; or give the pipeline another name: @pipeline(name="...")') from None


@overload
def pipeline(fn: Callable[P, R], /) -> Pipeline[P, R]: ...
@overload
def pipeline(*, name: str | None = None) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...
def pipeline(fn: Callable[P, R] | None = None, /, *, name: str | None = None) -> Any:
    """Make a function a pipeline, as ``@pipeline`` or ``@pipeline(name="nightly-report")``.

    Args:
        fn: a plain function.
        name: what its records are found by; the function's name unless given.

    Raises:
        UsageError: the name cannot be a folder of records, or the function is a coroutine or
            generator function, of which a call runs nothing.

    Example:
        >>> from vaportrail import pipeline, task
        >>> @task
        ... def square(x: int) -> int:
        ...     return x * x
        >>> @pipeline
        ... def squares(n: int = 3) -> list[int]:
        ...     return [square(i) for i in range(n)]
        >>> squares(4)
        [0, 1, 4, 9]
    """
    if fn is None:
        return lambda decorated: Pipeline(decorated, name)
    return Pipeline(fn, name)

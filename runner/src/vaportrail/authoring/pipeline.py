"""`@pipeline`: the function that calls tasks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from vaportrail.storage.layout import check_pipeline_name

if TYPE_CHECKING:
    from vaportrail.record.read import Run

__all__ = ["Pipeline", "pipeline"]

P = ParamSpec("P")
R = TypeVar("R")


class Pipeline(Generic[P, R]):
    """A function that can be run as a pipeline; made by `@pipeline`.

    Called, it is the plain function: no Ray, no record.

    Attributes:
        fn: the plain function.
        name: the pipeline's name, a segment of its records' paths.
    """

    def __init__(self, fn: Callable[P, R]) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.name = check_pipeline_name(fn.__name__)

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
        from vaportrail.execution.run import run_pipeline

        return run_pipeline(self, parameters or {}, root=record, name=name, tags=tags or {})

    def __repr__(self) -> str:
        return f"<Pipeline {self.name!r}>"


def pipeline(fn: Callable[P, R], /) -> Pipeline[P, R]:
    """Make a function a pipeline.

    Raises:
        UsageError: the function's name cannot be a folder of records.

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
    return Pipeline(fn)

"""What loads the rest of the package as it is called: reading records, running pipelines and notebooks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaportrail.authoring.pipeline import Pipeline
    from vaportrail.record.reading.recorded_run import Run

__all__ = ["open", "run_notebook", "run_pipeline", "runs"]


def open(uri: str) -> Run:
    """Open the record of one run, sealed or still live.

    Args:
        uri: the record's folder or URI, such as ``vaportrail-runs/runs/mnist/20261123T010203Z-1a2b3c4d``;
            or, without a slash, what the command line takes: a run's name, its folder's name, the start of
            its UUID, or ``"latest"``. These are looked up below ``VAPORTRAIL_RECORD``, else
            ``vaportrail-runs``; a record there that cannot be read is a warning.

    Raises:
        RecordNotFound: there is no record, or a name means several.
        UnsupportedVersion: it was written by a newer major version of the format.

    Example:
        >>> import vaportrail
        >>> run = vaportrail.open("vaportrail-runs/runs/mnist/20261123T010203Z-1a2b3c4d")  # doctest: +SKIP
        >>> run.metrics("roc_auc_class_mean", best="max")                                  # doctest: +SKIP
    """
    if "/" in uri:
        from vaportrail.record.reading.read import open_run

        return open_run(uri)
    from vaportrail.record.reading.find import default_root, find_run

    return find_run(uri, default_root(), lambda problem: warnings.warn(f"left out: {problem}", stacklevel=5))


def runs(root: str | None = None, *, pipeline: str | None = None) -> Iterator[Run]:
    """Yield the runs below a record root, newest first, live and unsealed ones included.

    Args:
        root: a folder or an object store's URI; None: ``VAPORTRAIL_RECORD``, else ``vaportrail-runs``.
        pipeline: only runs of this pipeline.

    Raises:
        RecordNotFound: there is no such root.
    """
    from vaportrail.record.reading.find import default_root
    from vaportrail.record.reading.read import list_runs

    return list_runs(default_root() if root is None else root, pipeline=pipeline)


def run_pipeline(
    pipeline: Pipeline[..., Any],
    parameters: Mapping[str, Any],
    *,
    root: str | None,
    name: str | None,
    tags: Mapping[str, str],
) -> Run:
    """Run a pipeline on this machine and seal its record; behind `Pipeline.run`."""
    from vaportrail.execution.run import run_pipeline

    return run_pipeline(pipeline, parameters, root=root, name=name, tags=tags)


def run_notebook(
    path: Path, source: str, parameters: Mapping[str, Any], *, cwd: Path | None
) -> dict[str, Any]:
    """Run a notebook in a kernel of its own; what a notebook's task calls in its attempt."""
    from vaportrail.notebooks.run_notebook import run_notebook

    return run_notebook(path, source, parameters, cwd=cwd)

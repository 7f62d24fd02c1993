"""Reading records from Python: `vaportrail.open` and `vaportrail.runs`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaportrail.record.run import Run

__all__ = ["open", "runs"]


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
        from vaportrail.record.read import open_run

        return open_run(uri)
    from vaportrail.record.find import default_root, find_run

    return find_run(uri, default_root(), lambda problem: warnings.warn(f"left out: {problem}", stacklevel=5))


def runs(root: str = "vaportrail-runs", *, pipeline: str | None = None) -> Iterator[Run]:
    """Yield the runs below a record root, newest first, live and unsealed ones included.

    Args:
        root: a folder or an object store's URI.
        pipeline: only runs of this pipeline.

    Raises:
        RecordNotFound: there is no such root.
    """
    from vaportrail.record.read import list_runs

    return list_runs(root, pipeline=pipeline)

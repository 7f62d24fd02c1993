"""What is wrong with a run before anything is made for it: all of it at once."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from vaportrail.resources.pipelinerun import PipelineRun
from vaportrail.resources.validation import problems_of
from vaportrail_operator.planning.children.collector_configuration import SCHEMES

__all__ = ["preflight"]

_RAYS_OWN = ("CPU", "GPU", "memory", "object_store_memory")


def preflight(run: PipelineRun) -> list[str]:
    """Return the problems of a run, in words; none where it can be tried."""
    return [*map(str, problems_of(run)), *_of_the_record(run), *_of_the_workers(run)]


def _of_the_record(run: PipelineRun) -> Iterator[str]:
    uri = run.spec.record.uri
    if urlsplit(uri).scheme not in SCHEMES:
        supported = " and ".join(f"{scheme}://" for scheme in SCHEMES)
        yield f"spec.record.uri: {uri!r}: the collector can write to {supported}; use one of these"


def _of_the_workers(run: PipelineRun) -> Iterator[str]:
    for index, group in enumerate(run.spec.ray.workers):
        for name in group.ray_resources:
            if name in _RAYS_OWN:
                place = f"spec.ray.workers[{index}].rayResources"
                yield f"{place}: {name!r} is Ray's own; it follows from resources"

"""From a raw PipelineRun to its model, also where this operator knows less of it than its author.

The API server holds every run to the CRD. What still does not fit was written for another version of
the CRD: fields that this operator does not know are passed over; what it would need and cannot read
are the run's problems, by which the run ends instead of the operator.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from vaportrail.crd.pipelinerun import Metadata, PipelineRun, PipelineRunSpec, RecordSpec
from vaportrail.crd.status import Phase, PipelineRunStatus
from vaportrail_operator.observation.fields import Raw, metadata_of, time_of

__all__ = ["ObservedRun", "observed_run"]

M = TypeVar("M", bound=BaseModel)
_ROUNDS = 20
_KEPT = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
)
"""Of the metadata: annotations alone can hold the whole run once more."""
_FOR_EVER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """A PipelineRun as last seen.

    Attributes:
        run: the model; of a run with problems, with what could be read.
        problems: what cannot be read, in words; empty for every run that fits the CRD.
        status_read: whether all of its status is in the model: what is not must not be written over.
    """

    run: PipelineRun
    problems: tuple[str, ...] = ()
    status_read: bool = True

    @property
    def over(self) -> bool:
        """Whether its phase is terminal."""
        phase = self.run.status.phase
        return bool(phase) and Phase(phase).terminal


def observed_run(raw: Raw) -> ObservedRun:
    """Return the run that a raw object is; never raises for what is in it."""
    noted = metadata_of(raw)
    kept = {name: noted[name] for name in _KEPT if name in noted}
    parts = {"metadata": kept, "spec": raw.get("spec"), "status": raw.get("status")}
    try:
        return ObservedRun(PipelineRun.model_validate({name: part for name, part in parts.items() if part}))
    except ValidationError:
        pass
    problems: list[str] = []
    metadata = _read(Metadata, parts["metadata"], "metadata", problems)
    spec = _read(PipelineRunSpec, parts["spec"] or {}, "spec", problems)
    status = _read(PipelineRunStatus, parts["status"] or {}, "status", problems)
    run = PipelineRun.model_construct(
        metadata=metadata or _bare_metadata(parts["metadata"]),
        spec=spec or _bare_spec(parts["spec"]),
        status=status or _bare_status(parts["status"]),
    )
    return ObservedRun(run, tuple(problems), status_read=status is not None)


def _read(model: type[M], raw: Any, place: str, problems: list[str]) -> M | None:
    """Read a part, without what is unknown in it; adds what is wrong to the problems."""
    rest = copy.deepcopy(raw)
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(rest)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
        unknown = [each["loc"] for each in faults if each["type"] == "extra_forbidden"]
        if not unknown:
            problems += [f"{place}.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in faults]
            return None
        for location in unknown:
            _remove(rest, location)
    problems.append(f"{place}: it has too many unknown fields")
    return None


def _remove(raw: Any, location: tuple[int | str, ...]) -> None:
    for step in location[:-1]:
        raw = raw[step]
    raw.pop(location[-1], None)


def _bare_spec(raw: Any) -> PipelineRunSpec:
    default = PipelineRunSpec.model_fields["ttl_seconds_after_finished"].default
    said: Any = raw.get("ttlSecondsAfterFinished", default) if isinstance(raw, dict) else None
    readable = isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= _FOR_EVER
    return PipelineRunSpec.model_construct(
        pipeline="",
        entrypoint="",
        image="",
        record=RecordSpec.model_construct(uri=""),
        ttl_seconds_after_finished=said if readable else _FOR_EVER,
    )


def _bare_metadata(raw: Any) -> Metadata:
    known = {name: value for name, value in raw.items() if name in ("name", "namespace", "uid")}
    return Metadata.model_validate({**known, "resourceVersion": str(raw.get("resourceVersion", ""))})


def _bare_status(raw: Any) -> PipelineRunStatus:
    said = raw if isinstance(raw, dict) else {}
    phase, ended = said.get("phase"), said.get("completionTime")
    return PipelineRunStatus(
        phase=Phase(phase) if phase in list(Phase) else "",
        completion_time=ended if isinstance(ended, str) and time_of(ended) else "",
    )

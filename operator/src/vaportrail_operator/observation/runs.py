"""From a raw PipelineRun to its model, also where this operator knows less of it than its author.

The API server holds every run to the CRD. What still does not fit was written for another version of
the CRD: fields that this operator does not know are passed over; what it would need and cannot read
are the run's problems, by which the run ends instead of the operator.
"""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from vaportrail.crd.pipelinerun import Metadata, PipelineRun, PipelineRunSpec, RecordSpec
from vaportrail.crd.status import Phase, PipelineRunStatus
from vaportrail.crd.validation.validate import without_deep_fields
from vaportrail_operator.observation.fields import Raw, metadata_of, time_of
from vaportrail_operator.planning import times

__all__ = ["KeptRun", "ObservedRun", "kept_run", "observed_run"]

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
_TERMINAL = frozenset(phase for phase in Phase if phase.terminal)


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


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A PipelineRun as it is kept: packed, for there may be ten thousand of them, and most have ended.

    Attributes:
        packed: what is used of it; `read` returns it.
        phase: its phase; empty before it has one.
        settled: whether it has ended, and nothing is left to do but to delete it when its time is over.
        expires: when that is, of one that is settled; None: never.
        problems: what of it could not be kept.
    """

    packed: bytes
    phase: str
    problems: tuple[str, ...] = ()
    settled: bool = False
    expires: datetime | None = None

    @property
    def over(self) -> bool:
        """Whether its phase is terminal."""
        return self.phase in _TERMINAL

    def read(self) -> ObservedRun:
        """Return the run."""
        return _observed(json.loads(zlib.decompress(self.packed)), self.problems)


def kept_run(raw: Raw) -> KeptRun:
    """Return a raw object as it is kept; never raises for what is in it."""
    parts, problems = _parts_of(raw)
    packed = zlib.compress(json.dumps(parts, separators=(",", ":")).encode(), 1)
    phase = _mapping(parts["status"]).get("phase")
    kept = KeptRun(packed, phase if phase in list(Phase) else "", problems)
    # By hand: to read ten thousand takes ten seconds.
    return replace(kept, settled=_is_settled(parts), expires=_expires(parts)) if kept.over else kept


def _is_settled(parts: Raw) -> bool:
    metadata, status = _mapping(parts["metadata"]), _mapping(parts["status"])
    generation = metadata.get("generation", 0)
    conditions, receipt = _list(status.get("conditions")), _list(status.get("receipt"))
    return (
        not metadata.get("deletionTimestamp")
        and status.get("observedGeneration", 0) == generation
        and all(_mapping(each).get("observedGeneration", 0) == generation for each in conditions)
        and not any(times.is_open(str(_mapping(each).get("lifetime", ""))) for each in receipt)
    )


def _expires(parts: Raw) -> datetime | None:
    ended = times.parse(str(_mapping(parts["status"]).get("completionTime", "")))
    return times.later(ended, _time_to_live(parts["spec"])) if ended else None


def _mapping(raw: Any) -> Raw:
    return raw if isinstance(raw, Mapping) else {}


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _parts_of(raw: Raw) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what is used of a raw run, and what of it is nested too deeply to be."""
    noted = metadata_of(raw)
    kept = {name: noted[name] for name in _KEPT if name in noted}
    parts = {"metadata": kept, "spec": raw.get("spec"), "status": raw.get("status")}
    rest, problems = without_deep_fields(parts)
    return rest, tuple(map(str, problems))


def observed_run(raw: Raw) -> ObservedRun:
    """Return the run that a raw object is; never raises for what is in it."""
    return _observed(*_parts_of(raw))


def _observed(parts: Raw, left_out: tuple[str, ...]) -> ObservedRun:
    problems = list(left_out)
    if not problems:
        try:
            return ObservedRun(
                PipelineRun.model_validate({name: part for name, part in parts.items() if part})
            )
        except ValidationError:
            pass
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
    return PipelineRunSpec.model_construct(
        pipeline="",
        entrypoint="",
        image="",
        record=RecordSpec.model_construct(uri=""),
        ttl_seconds_after_finished=_time_to_live(raw),
    )


def _time_to_live(raw: Any) -> int:
    default = PipelineRunSpec.model_fields["ttl_seconds_after_finished"].default
    said: Any = raw.get("ttlSecondsAfterFinished", default) if isinstance(raw, dict) else None
    readable = isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= _FOR_EVER
    return said if readable else _FOR_EVER


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

"""From a raw PipelineRun to its model, also where this operator knows less of it than its author.

The API server holds every run to the CRD. What still does not fit was written for another version of
the CRD: fields that this operator does not know are passed over; what it would need and cannot read
are the run's problems, by which the run ends instead of the operator.
"""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from vaportrail.crd.pipelinerun import Metadata, PipelineRun, PipelineRunSpec, RecordSpec
from vaportrail.crd.scheduled_times import scheduled_times
from vaportrail.crd.status import Phase, PipelineRunStatus, ReceiptStatus, shortened
from vaportrail.crd.validation.bounds import within_bounds
from vaportrail.crd.validation.problems import Problem
from vaportrail_operator.observation.fields import KEPT_METADATA, Raw, metadata_of, time_of
from vaportrail_operator.observation.schedules import scheduled_run
from vaportrail_operator.planning import times
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.names import base_name, sealer_name, tokens_name
from vaportrail_operator.planning.schedules.schedule_types import ScheduledRun

__all__ = ["KeptRun", "ObservedRun", "kept_run", "observed_run"]

M = TypeVar("M", bound=BaseModel)
_ROUNDS = 20
_FOR_EVER = 2**31 - 1
_WORD = 64
_LONGEST = 300
"""Characters of a problem: a field's name may have any length."""
_TERMINAL = frozenset(phase for phase in Phase if phase.terminal)


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """A PipelineRun as last seen.

    Attributes:
        run: the model; of a run with problems, with what could be read.
        left_out: what of its spec is beyond the bounds: `run` does not have it.
        problems: what cannot be read, in words; empty for every run that fits the CRD.
        status_read: whether all of its status is in the model: what is not must not be written over.
    """

    run: PipelineRun
    left_out: tuple[Problem, ...] = ()
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

    What is not kept is noted here and not in what is packed, where a user's own words are.

    Attributes:
        packed: what is used of it; `read` returns it.
        phase: its phase; empty before it has one.
        left_out: what is beyond the bounds, and not kept.
        settled: whether it has ended, and nothing is left to do but to delete it when its time is over.
        expires: when that is, of one that is settled; None: never.
        whole: whether all that fits the bounds is kept; of a run that has ended and has all of its last
            status it is only what a plan for it follows from.
        scheduled: what it is to a schedule, of one that says it is one's.
    """

    packed: bytes
    phase: str
    left_out: tuple[Problem, ...] = ()
    settled: bool = False
    expires: datetime | None = None
    whole: bool = True
    scheduled: ScheduledRun | None = None

    @property
    def over(self) -> bool:
        """Whether its phase is terminal."""
        return self.phase in _TERMINAL

    def read(self) -> ObservedRun:
        """Return the run."""
        parts = json.loads(zlib.decompress(self.packed))
        return _observed(parts, self.left_out) if self.whole else ObservedRun(_ended(parts))


def kept_run(raw: Raw) -> KeptRun:
    """Return a raw object as it is kept; never raises for what is in it."""
    parts = _parts_of(raw)
    said = _mapping(parts["status"]).get("phase")
    phase = said if said in list(Phase) else ""
    scheduled = scheduled_run(raw)
    if phase not in _TERMINAL:
        bounded, left_out = _bounded(parts)
        return KeptRun(_packed(bounded), phase, left_out, scheduled=scheduled)
    # By hand: to read ten thousand takes ten seconds.
    written = _is_written(parts)
    settled, expires = written and _is_released(parts), _expires(parts)
    if written:
        return KeptRun(
            _packed(_of_ended(parts)), phase, (), settled, expires, whole=False, scheduled=scheduled
        )
    bounded, left_out = _bounded(parts)
    return KeptRun(_packed(bounded), phase, left_out, settled, expires, scheduled=scheduled)


def _packed(parts: Raw) -> bytes:
    return zlib.compress(json.dumps(parts, separators=(",", ":")).encode(), 1)


def _of_ended(parts: Raw) -> Raw:
    """Return what a plan for a run that has ended follows from: when it goes, and what was its own."""
    metadata, status = _mapping(parts["metadata"]), _mapping(parts["status"])
    generation = metadata.get("generation", 0)
    return {
        "metadata": metadata,
        "spec": {"ttlSecondsAfterFinished": _time_to_live(parts["spec"])},
        "status": {
            "phase": status["phase"],
            "observedGeneration": generation,
            "completionTime": str(status.get("completionTime", ""))[:_WORD],
            "receipt": list(_identities(parts)),
        },
    }


def _identities(parts: Raw) -> Iterator[Raw]:
    """Yield those entries of a receipt that tell what is the run's own, or whether it is gone."""
    noted = _mapping(parts["metadata"])
    name, uid = (str(noted.get(field, ""))[:_WORD] for field in ("name", "uid"))
    metadata = Metadata.model_construct(name=name, uid=uid)
    # Only names follow from it: to make a spec takes ten times as long as all the rest.
    run = PipelineRun.model_construct(metadata=metadata, spec=_NO_SPEC, status=_NO_STATUS)
    own = ((Kind.RAY_CLUSTER, base_name(run)), (Kind.POD, sealer_name(run)), (Kind.SECRET, tokens_name(run)))
    wanted = {f"{kind}/{name}" for kind, name in own}
    for each in map(_mapping, _list(_mapping(parts["status"]).get("receipt"))):
        said = each.get("object")
        if isinstance(said, str) and said in wanted:
            wanted.remove(said)
            uid, lifetime = (str(each.get(field, ""))[:_WORD] for field in ("uid", "lifetime"))
            yield {"object": said, "uid": uid, "lifetime": lifetime}


def _ended(parts: Raw) -> PipelineRun:
    status = PipelineRunStatus.model_construct(
        phase=Phase(parts["status"]["phase"]),
        observed_generation=parts["status"]["observedGeneration"],
        completion_time=parts["status"]["completionTime"],
        receipt=[ReceiptStatus.model_construct(**each) for each in parts["status"]["receipt"]],
    )
    metadata, problems = parts["metadata"], list[str]()
    return PipelineRun.model_construct(
        metadata=_read(Metadata, metadata, "metadata", problems) or _bare_metadata(metadata),
        spec=_bare_spec(parts["spec"]),
        status=status,
    )


def _is_written(parts: Raw) -> bool:
    """Return whether its status says all that there is to say: nobody will need it to write it anew."""
    metadata, status = _mapping(parts["metadata"]), _mapping(parts["status"])
    generation = metadata.get("generation", 0)
    return status.get("observedGeneration", 0) == generation and all(
        _mapping(each).get("observedGeneration", 0) == generation for each in _list(status.get("conditions"))
    )


def _is_released(parts: Raw) -> bool:
    receipt = _list(_mapping(parts["status"]).get("receipt"))
    deleted = _mapping(parts["metadata"]).get("deletionTimestamp")
    return not deleted and not any(times.is_open(str(_mapping(each).get("lifetime", ""))) for each in receipt)


def _expires(parts: Raw) -> datetime | None:
    ended = times.parse(str(_mapping(parts["status"]).get("completionTime", "")))
    return times.later(ended, _time_to_live(parts["spec"])) if ended else None


def _mapping(raw: Any) -> Raw:
    return raw if isinstance(raw, Mapping) else {}


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _parts_of(raw: Raw) -> dict[str, Any]:
    """Return what is used of a raw run."""
    noted = metadata_of(raw)
    kept = {name: noted[name] for name in KEPT_METADATA if name in noted}
    if times_due := scheduled_times(noted.get("annotations")):
        kept["annotations"] = times_due
    return {"metadata": kept, "spec": raw.get("spec"), "status": raw.get("status")}


def _bounded(parts: Raw) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    rest, left_out = within_bounds(parts)
    return rest, tuple(replace(each, field=shortened(each.field, _LONGEST)) for each in left_out[:_ROUNDS])


def observed_run(raw: Raw) -> ObservedRun:
    """Return the run that a raw object is; never raises for what is in it."""
    return _observed(*_bounded(_parts_of(raw)))


def _observed(parts: Raw, left_out: tuple[Problem, ...]) -> ObservedRun:
    # Without all of its status nobody knows how far it is.
    problems = [str(each) for each in left_out if each.field.startswith("status.")]
    if not problems:
        try:
            run = PipelineRun.model_validate({name: part for name, part in parts.items() if part})
            return ObservedRun(run, left_out)
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
    told = dict.fromkeys([*map(str, left_out), *problems]) if problems else ()
    return ObservedRun(
        run, left_out, tuple(shortened(each, _LONGEST) for each in told), status_read=status is not None
    )


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


_NO_SPEC = _bare_spec(None)
_NO_STATUS = PipelineRunStatus()

"""When the pods of a run end by themselves, whatever becomes of the operator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from vaportrail.contract.pod_environment import ENDS_VARIABLE, JOIN_VARIABLE
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.planning import times
from vaportrail_operator.planning.children.pod_template import container, variable

__all__ = [
    "collector_seconds",
    "end_check",
    "end_env",
    "ends_at",
    "guarded",
    "life_seconds",
    "not_after_its_end",
]

_SLACK: Final = 600
"""Seconds that an operator which is there needs less than."""
_FOR_EVER: Final = 366 * 86400
_LONGEST: Final = 2**31 - 1
"""Of an `activeDeadlineSeconds`; the API server takes no more."""
_RESOURCES: Final = {
    "requests": {"cpu": "10m", "memory": "16Mi"},
    "limits": {"cpu": "100m", "memory": "64Mi"},
}
_GUARD: Final = "python3 -m vaportrail.cluster.head_guard"


def life_seconds(run: PipelineRun) -> int:
    """Return how long the compute of a run can be needed; 0: for ever."""
    bound = run.spec.deadlines
    if not bound.provisioning_seconds or not bound.run_seconds:
        return 0
    needed = bound.provisioning_seconds + bound.run_seconds + bound.drain_seconds + 2 * bound.release_seconds
    return min(needed + _SLACK, _LONGEST)


def collector_seconds(run: PipelineRun) -> int:
    """Return how long its collector can be needed: until the last of it has shipped; 0: for ever."""
    life = life_seconds(run)
    return min(life + run.spec.deadlines.drain_seconds + _SLACK, _LONGEST) if life else 0


def ends_at(run: PipelineRun) -> int:
    """Return when its compute is over for good, in seconds since 1970, by when it was begun; 0: never.

    As a time, not as a duration: KubeRay makes failed pods again, and each would have the whole of it anew.
    """
    begun, life = times.parse(run.status.start_time), life_seconds(run)
    if begun is None or not life:
        return 0
    return int((times.later(begun, life) or datetime.max.replace(tzinfo=UTC)).timestamp())


def end_env(run: PipelineRun) -> list[dict[str, Any]]:
    """Return the variables that the start commands look at."""
    join = run.spec.deadlines.provisioning_seconds or _FOR_EVER
    return [variable(ENDS_VARIABLE, str(ends_at(run))), variable(JOIN_VARIABLE, str(join))]


def end_check(run: PipelineRun, pull_policy: str = "") -> dict[str, Any]:
    """Return the container that keeps a pod from waiting for anything when its run's time is over."""
    return container(
        "end-check",
        run.spec.image,
        resources=_RESOURCES,
        pull_policy=pull_policy,
        env=end_env(run),
        command=["/bin/sh", "-c", not_after_its_end()],
    )


def not_after_its_end() -> str:
    """Return the shell's words that end a pod at once which was made when its run's time was over."""
    return f'[ "${ENDS_VARIABLE}" = 0 ] || [ "`date +%s`" -lt "${ENDS_VARIABLE}" ] || exit 1'


def guarded(gcs_port: int) -> str:
    """Return the same, and what watches a head beside `ray start`."""
    return f"{_GUARD} {gcs_port} & {not_after_its_end()}"

"""The status of a run that ends."""

from __future__ import annotations

from vaportrail.crd.status import Phase, PipelineRunStatus, Reason
from vaportrail_operator.planning import times
from vaportrail_operator.planning.leftovers import with_leftovers
from vaportrail_operator.planning.names import created_at
from vaportrail_operator.planning.types import Observed

__all__ = ["final_status"]


def final_status(
    observed: Observed, status: PipelineRunStatus, phase: Phase, reason: Reason, *, left: tuple[str, ...] = ()
) -> PipelineRunStatus:
    """Return the status of a run that ends here and now; `left` names what it leaves behind."""
    return with_leftovers(status, left).model_copy(
        update={
            "phase": phase,
            "reason": reason,
            "completion_time": times.second(observed.now),
            "duration": times.duration(created_at(observed.run), observed.now),
        }
    )

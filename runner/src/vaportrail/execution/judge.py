"""From how a run's tasks ended to how the run ended. Pure."""

from __future__ import annotations

from collections import Counter

from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.execution.call import TaskCall
from vaportrail.execution.verdict import Verdict

__all__ = ["judge"]


def judge(calls: list[TaskCall], body_failure: Failure | None, *, stopped: Verdict | None = None) -> Verdict:
    """Return the run's verdict from its tasks' ends. Pure, one pass.

    Args:
        calls: every task of the run, in the order of its call.
        body_failure: what the pipeline's body raised.
        stopped: how and why the run was ended from outside, or by a fault; None where it ended by itself.
    """
    counts = Counter(call.outcome for call in calls)
    summary = f"{counts[Outcome.SUCCEEDED]} of {len(calls)} tasks succeeded"
    if stopped is not None:
        return Verdict(stopped.outcome, f"{stopped.message}; {summary}", stopped.failure or body_failure)
    # What was skipped counts by what skipped it, which is among these or was allowed to fail.
    roots = [call for call in calls if _counts(call)]
    if roots:
        named = ", ".join(f"{call.task_id} {call.outcome.value}" for call in roots[:3])
        more = f" and {len(roots) - 3} more" if len(roots) > 3 else ""
        return Verdict(Outcome.FAILED, f"{named}{more}; {summary}", body_failure)
    if body_failure is not None:
        message = f"the pipeline's body raised {body_failure.type}: {body_failure.message}"
        return Verdict(Outcome.FAILED, message, body_failure)
    return Verdict(Outcome.SUCCEEDED, summary)


def _counts(call: TaskCall) -> bool:
    """Return whether a task's own end fails the run."""
    if call.outcome.ok or call.outcome is Outcome.SKIPPED:
        return False
    return not call.options.allow_failure

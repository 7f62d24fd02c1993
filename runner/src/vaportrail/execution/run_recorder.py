"""What the run itself says to its record: that it started, what its body raised, how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vaportrail.contract.outcome import Failure
from vaportrail.execution.verdict import Verdict
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.exceptions import exception_values
from vaportrail.telemetry.json_attributes import encode_attribute
from vaportrail.telemetry.recorder import SERVER, Recorder, run_values

__all__ = ["write_body_failure", "write_finished", "write_started"]


def write_started(recorder: Recorder, environment: Mapping[str, Any]) -> None:
    """Write that the run has started, and with what."""
    settings = recorder.settings
    recorder.span_started(
        f"RUN {settings.identity.pipeline}",
        recorder.run_span_id,
        "",
        kind=SERVER,
        event=c.EVENT_RUN_STARTED,
        unix_nano=settings.identity.created_unix_nano,
        values={
            **run_values(settings.identity, settings.incarnation),
            c.RUN_ENVIRONMENT: encode_attribute(environment),
        },
    )


def write_body_failure(recorder: Recorder, failure: Failure) -> None:
    """Write what the pipeline's body raised."""
    message = f"the pipeline's body raised {failure.type}: {failure.message}"
    recorder.log(message, severity=(17, "ERROR"), values=exception_values(failure))


def write_finished(recorder: Recorder, verdict: Verdict) -> None:
    """Write how the run ended, its event and its span, and before them what there was no space to tell."""
    recorder.tell_again()
    identity = recorder.settings.identity
    now = recorder.clock()
    recorder.log(
        event=c.EVENT_RUN_ENDED,
        span_id=recorder.run_span_id,
        unix_nano=now,
        values={c.OUTCOME: verdict.outcome.value, c.RUN_MESSAGE: verdict.message},
    )
    values = {
        c.PIPELINE_ACTION_NAME: "RUN",
        c.PIPELINE_NAME: identity.pipeline,
        c.PIPELINE_RESULT: verdict.outcome.cicd_result,
        c.OUTCOME: verdict.outcome.value,
    }
    if not verdict.outcome.ok:
        values[c.ERROR_TYPE] = verdict.failure.type if verdict.failure else verdict.outcome.value
    recorder.span(
        f"RUN {identity.pipeline}",
        recorder.run_span_id,
        "",
        identity.created_unix_nano,
        now,
        kind=SERVER,
        ok=verdict.outcome.ok,
        message=verdict.message,
        values=values,
        failure=verdict.failure,
    )

"""Every attribute and event name that a record may hold, in one table.

OpenTelemetry's semantic conventions come first (version 1.44: `cicd.*`, `exception.*`, `code.*`,
`log.iostream`, `vcs.*`, `host.*`, `process.*`); what they have no word for is `vaportrail.*`.
The table `ATTRIBUTES` is rendered into `docs/attributes.md`, and a test holds every sealed record
against it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from vaportrail.contract.otlp_signals import IN_LEDGERS
from vaportrail.telemetry.log_types import FILE_TYPES, VALUE_TYPES

# OpenTelemetry semantic conventions.
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
HOST_NAME: Final = "host.name"
PROCESS_PID: Final = "process.pid"
PIPELINE_NAME: Final = "cicd.pipeline.name"
PIPELINE_RUN_ID: Final = "cicd.pipeline.run.id"
PIPELINE_ACTION_NAME: Final = "cicd.pipeline.action.name"
PIPELINE_RESULT: Final = "cicd.pipeline.result"
TASK_NAME: Final = "cicd.pipeline.task.name"
TASK_RUN_ID: Final = "cicd.pipeline.task.run.id"
TASK_RUN_RESULT: Final = "cicd.pipeline.task.run.result"
TASK_RUN_URL: Final = "cicd.pipeline.task.run.url.full"
ERROR_TYPE: Final = "error.type"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
CODE_FILE_PATH: Final = "code.file.path"
CODE_FUNCTION_NAME: Final = "code.function.name"
CODE_LINE_NUMBER: Final = "code.line.number"
CODE_STACKTRACE: Final = "code.stacktrace"
THREAD_NAME: Final = "thread.name"
LOG_IOSTREAM: Final = "log.iostream"

# Every record.
WRITER_ID: Final = "vaportrail.writer.id"
WRITER_ROLE: Final = "vaportrail.writer.role"
SEQ: Final = "vaportrail.seq"
ATTEMPT: Final = "vaportrail.attempt"

# The run.
RUN_NAME: Final = "vaportrail.run.name"
RUN_CREATED: Final = "vaportrail.run.created"
RUN_PARAMETERS: Final = "vaportrail.run.parameters"
RUN_TAGS: Final = "vaportrail.run.tags"
RUN_ENTRYPOINT: Final = "vaportrail.run.entrypoint"
RUN_SCHEDULED_TIME: Final = "vaportrail.run.scheduled_time"
RUN_PREVIOUS_SCHEDULED_TIME: Final = "vaportrail.run.previous_scheduled_time"
RUN_ENVIRONMENT: Final = "vaportrail.run.environment"
RUN_MESSAGE: Final = "vaportrail.run.message"
OUTCOME: Final = "vaportrail.outcome"
SCHEMA: Final = "vaportrail.schema"
DRIVER: Final = "vaportrail.driver"

# Tasks and attempts.
TASK_UPSTREAM: Final = "vaportrail.task.upstream"
TASK_EDGES: Final = "vaportrail.task.edges"
TASK_KIND: Final = "vaportrail.task.kind"
TASK_ARGUMENTS: Final = "vaportrail.task.arguments"
TASK_OPTIONS: Final = "vaportrail.task.options"
TASK_ALLOW_FAILURE: Final = "vaportrail.task.allow_failure"
TASK_ATTEMPTS: Final = "vaportrail.task.attempts"
TASK_CAUSE: Final = "vaportrail.task.cause"
NODE_ID: Final = "vaportrail.node.id"
STDOUT_OFFSET: Final = "vaportrail.stdout.offset"
STDERR_OFFSET: Final = "vaportrail.stderr.offset"
STDOUT_END: Final = "vaportrail.stdout.end"
STDERR_END: Final = "vaportrail.stderr.end"
STREAM_OFFSET: Final = "vaportrail.stream.offset"
STREAM_PARTIAL: Final = "vaportrail.stream.partial"
CELL_NUMBER: Final = "vaportrail.cell.number"
CELL_SOURCE: Final = "vaportrail.cell.source"

# Spans.
SPAN_NAME: Final = "vaportrail.span.name"
SPAN_PARENT: Final = "vaportrail.span.parent"
SPAN_KIND: Final = "vaportrail.span.kind"
SYNTHESISED: Final = "vaportrail.synthesised"
REDACTED: Final = "vaportrail.redacted"

# Logged values.
VALUE_NAME: Final = "vaportrail.value.name"
METRIC_STEP: Final = "vaportrail.metric.step"
ARTIFACT_KIND: Final = "vaportrail.artifact.kind"
ARTIFACT_SHA256: Final = "vaportrail.artifact.sha256"
ARTIFACT_SIZE: Final = "vaportrail.artifact.size"
ARTIFACT_MEDIA_TYPE: Final = "vaportrail.artifact.media_type"

# The seal.
LEDGER_WRITER: Final = "vaportrail.ledger.writer"
LEDGER_STATE: Final = "vaportrail.ledger.state"
LEDGER_COUNTED_AT: Final = "vaportrail.ledger.counted_at"
NOT_CAPTURED_COUNT: Final = "vaportrail.not_captured.count"
SEALED_AT: Final = "vaportrail.sealed_at"
SEAL_UNREADABLE_PARTS: Final = "vaportrail.seal.unreadable_parts"
SEAL_UNREADABLE_RECORDS: Final = "vaportrail.seal.unreadable_records"

# The run's infrastructure, as the operator saw it.
TIMELINE_NAME: Final = "vaportrail.timeline.name"
RECEIPT_OBJECT: Final = "vaportrail.receipt.object"
RECEIPT_UID: Final = "vaportrail.receipt.uid"
RECEIPT_COUNT: Final = "vaportrail.receipt.count"
RECEIPT_CREATED: Final = "vaportrail.receipt.created"
RECEIPT_REMOVED: Final = "vaportrail.receipt.removed"

# Events: the `eventName` of log records.
EVENT_RUN_STARTED: Final = "vaportrail.run.started"
EVENT_RUN_ENDED: Final = "vaportrail.run.ended"
EVENT_TASK_SUBMITTED: Final = "vaportrail.task.submitted"
EVENT_ATTEMPT_STARTED: Final = "vaportrail.attempt.started"
EVENT_CELL_OUTPUT: Final = "vaportrail.cell.output"
EVENT_ATTEMPT_RESOLVED: Final = "vaportrail.attempt.resolved"
EVENT_SPAN_STARTED: Final = "vaportrail.span.started"
EVENT_MILESTONE: Final = "vaportrail.milestone"
EVENT_ARTIFACT: Final = "vaportrail.artifact"
EVENT_RECEIPT: Final = "vaportrail.receipt"
EVENT_NOT_CAPTURED: Final = "vaportrail.not_captured"
EVENT_LEDGER: Final = "vaportrail.ledger"
EVENT_SEALED: Final = "vaportrail.sealed"

SCOPE: Final = "vaportrail"
"""The instrumentation scope of everything that Vaportrail itself writes."""


class Attribute(NamedTuple):
    """One row of the table: a name, its OTLP value type, where it stands, what it says."""

    name: str
    type: str
    where: str
    meaning: str


ATTRIBUTES: Final[tuple[Attribute, ...]] = (
    Attribute(SERVICE_NAME, "string", "resource", "always `vaportrail`"),
    Attribute(SERVICE_VERSION, "string", "resource", "version of the distribution"),
    Attribute(HOST_NAME, "string", "resource", "host of the writing process"),
    Attribute(PROCESS_PID, "int", "resource, attempt", "process id"),
    Attribute(PIPELINE_NAME, "string", "resource, run", "the pipeline's name"),
    Attribute(PIPELINE_RUN_ID, "string", "resource", "the run's UUID"),
    Attribute(WRITER_ID, "string", "resource", "the writing process; part of a record's identity"),
    Attribute(
        WRITER_ROLE,
        "string",
        "resource",
        "`runner`, `worker`, `kernel`, `cells`, `child`, `shipper` or `sealer`",
    ),
    Attribute(SEQ, "int", "every record", "counts the writer's records from 1"),
    Attribute(PIPELINE_ACTION_NAME, "string", "run span", "always `RUN`"),
    Attribute(PIPELINE_RESULT, "string", "run span", "the outcome in the field's words"),
    Attribute(TASK_NAME, "string", "task, attempt", "the task's name"),
    Attribute(TASK_RUN_ID, "string", "what belongs to a task", "the task's id, unique in the run"),
    Attribute(TASK_RUN_RESULT, "string", "task and attempt spans", "the outcome, cicd words"),
    Attribute(TASK_RUN_URL, "string", "task span", "the record's URI and the task's id"),
    Attribute(ATTEMPT, "int", "what belongs to an attempt", "counts a task's attempts from 1"),
    Attribute(ERROR_TYPE, "string", "failed spans", "exception type, or the outcome"),
    Attribute(EXCEPTION_TYPE, "string", "failures", "full name of the exception's class"),
    Attribute(EXCEPTION_MESSAGE, "string", "failures", "the exception's own words"),
    Attribute(EXCEPTION_STACKTRACE, "string", "failures", "the whole traceback"),
    Attribute(CODE_FILE_PATH, "string", "stdlib log records", "source file"),
    Attribute(CODE_FUNCTION_NAME, "string", "stdlib log records", "function"),
    Attribute(CODE_LINE_NUMBER, "int", "stdlib log records", "line"),
    Attribute(CODE_STACKTRACE, "string", "stdlib log records", "the stack, where `stack_info` was asked for"),
    Attribute(THREAD_NAME, "string", "stdlib log records", "thread, when not the main one"),
    Attribute(LOG_IOSTREAM, "string", "output", "`stdout` or `stderr`; the body is one or more lines"),
    Attribute(STREAM_OFFSET, "int", "output", "byte offset of the end of its last line"),
    Attribute(STREAM_PARTIAL, "bool", "output", "true where it is a line that was cut or had no end"),
    Attribute(STDOUT_OFFSET, "int", "attempt started, cell output", "bytes of stdout before it"),
    Attribute(STDERR_OFFSET, "int", "attempt started, cell output", "bytes of stderr before it"),
    Attribute(
        STDOUT_END, "int", "attempt span", "bytes of stdout up to its end, where not all were on record then"
    ),
    Attribute(
        STDERR_END, "int", "attempt span", "bytes of stderr up to its end, where not all were on record then"
    ),
    Attribute(RUN_NAME, "string", "run", "the run's name"),
    Attribute(RUN_CREATED, "int", "run", "when it was asked for, ns since the epoch"),
    Attribute(RUN_PARAMETERS, "string (JSON)", "run", "the validated parameters"),
    Attribute(RUN_TAGS, "string (JSON)", "run", "tags given at the start"),
    Attribute(RUN_ENTRYPOINT, "string", "run", "what was run"),
    Attribute(
        RUN_SCHEDULED_TIME,
        "string",
        "run",
        "when its schedule has it due, RFC 3339 in UTC; only of a run that has such a time",
    ),
    Attribute(
        RUN_PREVIOUS_SCHEDULED_TIME,
        "string",
        "run",
        "when the last run of the schedule before it that succeeded was due",
    ),
    Attribute(RUN_ENVIRONMENT, "string (JSON)", "run, sealed", "Python, packages, git, host, image"),
    Attribute(RUN_MESSAGE, "string", "run ended", "one line for a person"),
    Attribute(SCHEMA, "string", "run started", "version of the record's format"),
    Attribute(DRIVER, "int", "run, task", "incarnation of the runner, from 1"),
    Attribute(OUTCOME, "string", "run, task and attempt", "see `Outcome` in the SDK page"),
    Attribute(TASK_KIND, "string", "task submitted", "`python` or `notebook`"),
    Attribute(TASK_UPSTREAM, "string[]", "task submitted", "ids of the tasks it needs"),
    Attribute(TASK_EDGES, "string (JSON)", "task submitted", "upstream id, kind, argument"),
    Attribute(TASK_ARGUMENTS, "string (JSON)", "task submitted", "what it was called with"),
    Attribute(TASK_OPTIONS, "string (JSON)", "task submitted", "its options"),
    Attribute(TASK_ALLOW_FAILURE, "bool", "task submitted", "its failure leaves the verdict"),
    Attribute(TASK_ATTEMPTS, "int", "task span", "how many attempts were started"),
    Attribute(TASK_CAUSE, "string", "task span", "id of the upstream task that skipped it"),
    Attribute(NODE_ID, "string", "attempt started", "Ray's id of the node"),
    Attribute(
        CELL_NUMBER,
        "int",
        "cell spans",
        "its number in Jupyter, `In [1]`; 0 for the cell that sets the parameters",
    ),
    Attribute(CELL_SOURCE, "string", "cell spans", "the first line of the cell"),
    Attribute(SPAN_NAME, "string", "span started", "name of the span that was opened"),
    Attribute(SPAN_PARENT, "string", "span started", "its parent's span id, hex"),
    Attribute(SPAN_KIND, "int", "span started", "its OTLP span kind"),
    Attribute(SYNTHESISED, "bool", "spans", "the sealer closed it: its process died"),
    Attribute(VALUE_NAME, "string", "logged values", "the name given by the user"),
    Attribute(METRIC_STEP, "int", "metric", "the step given by the user"),
    Attribute(ARTIFACT_KIND, "string", "artifact", f"`{' '.join(each.kind for each in FILE_TYPES)}`"),
    Attribute(ARTIFACT_SHA256, "string", "artifact", "SHA-256 of its bytes, hex"),
    Attribute(ARTIFACT_SIZE, "int", "artifact", "bytes"),
    Attribute(ARTIFACT_MEDIA_TYPE, "string", "artifact", "IANA media type"),
    Attribute(REDACTED, "string", "metric", "NaN stands for a number that is this secret"),
    Attribute(LEDGER_WRITER, "string", "ledger, recovered lines", "the writer it is about"),
    Attribute(LEDGER_STATE, "string", "ledger", "`exact`, or `unknown` where the last count is gone"),
    Attribute(LEDGER_COUNTED_AT, "int", "ledger", "until when an `unknown` count is sure, ns"),
    *(Attribute(signal.counter, "int", "ledger", f"{signal.noun} made") for signal in IN_LEDGERS),
    Attribute(NOT_CAPTURED_COUNT, "int", "not captured", "how many things were not captured"),
    Attribute(SEALED_AT, "int", "sealed", "when the seal was planned, ns since the epoch"),
    Attribute(
        SEAL_UNREADABLE_PARTS, "int", "sealed", "files of spools and shipped parts that could not be read"
    ),
    Attribute(SEAL_UNREADABLE_RECORDS, "int", "sealed", "lines of spools that held no record"),
    Attribute(TIMELINE_NAME, "string", "infrastructure spans", "the stretch, such as `HeadScheduled`"),
    Attribute(RECEIPT_OBJECT, "string", "receipt", "kind and name of what was made for the run"),
    Attribute(RECEIPT_UID, "string", "receipt", "its Kubernetes UID"),
    Attribute(RECEIPT_COUNT, "int", "receipt", "how many it stands for"),
    Attribute(RECEIPT_CREATED, "int", "receipt", "when the first was made, ns since the epoch"),
    Attribute(RECEIPT_REMOVED, "int", "receipt", "when the last was gone; none if it is still there"),
)

NAMES: Final = frozenset(attribute.name for attribute in ATTRIBUTES)
"""What an attribute may not be called whose meaning is the user's own."""

EVENTS: Final[dict[str, str]] = {
    EVENT_RUN_STARTED: "the run's identity, parameters and environment",
    EVENT_RUN_ENDED: "the run's outcome",
    EVENT_TASK_SUBMITTED: "a task was called in the pipeline: its arguments and upstream tasks",
    EVENT_ATTEMPT_STARTED: "an attempt began to run, said by its own process",
    EVENT_CELL_OUTPUT: "whose what follows in its writer's output is: a notebook cell's, by its span",
    EVENT_ATTEMPT_RESOLVED: "an attempt's outcome, said by the runner where the process could not",
    EVENT_SPAN_STARTED: "a span was opened; lets the sealer close it if its process dies",
    EVENT_MILESTONE: "a moment of the run's own timeline; the body is its name",
    **{each.event: each.meaning for each in VALUE_TYPES},
    EVENT_ARTIFACT: "a stored file",
    EVENT_RECEIPT: "something that was made for the run, and when it was gone",
    EVENT_NOT_CAPTURED: "something of the run that is not in the record; the body is the reason",
    EVENT_LEDGER: "how many records a writer made",
    EVENT_SEALED: "the seal itself",
}

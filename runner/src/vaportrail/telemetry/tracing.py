"""The user's own OpenTelemetry spans join the run's trace with no set-up.

A span processor of ours writes every span at its end; there is no queue to overflow and no export
to fail. Limits are lifted: the SDK's defaults drop the oldest attributes without a word.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.util._once import Once

from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.active_recorder import active
from vaportrail.telemetry.attempt_scope import attempt_scope
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.values import attributes, clean

__all__ = ["SpoolSpanProcessor", "install_provider", "parent_context", "traced"]

_OURS: Final = frozenset(name for name in c.NAMES if name.startswith(("cicd.", c.LOG_IOSTREAM)))
"""Names by which readers tell whose a record is and how what it is of ended, beside `vaportrail.…`."""
_TIME_END: Final = 2**64 - 1


_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class SpoolSpanProcessor(SpanProcessor):
    """Writes spans to the process's spool as they start and end."""

    def on_start(self, span: Span, parent_context: otel_context.Context | None = None) -> None:
        recorder = active()
        if recorder is not None:
            ids = span.get_span_context()
            assert ids is not None
            recorder.span_started(
                span.name,
                trace.format_span_id(ids.span_id),
                _parent(span, recorder),
                kind=span.kind.value + 1,
                unix_nano=_moment(span.start_time),
            )

    def on_end(self, span: ReadableSpan) -> None:
        recorder = active()
        if recorder is not None:
            scope = span.instrumentation_scope
            recorder.writer.append(
                "T", scope.name if scope is not None else "", lambda seq: _otlp(span, seq, recorder)
            )


def _parent(span: ReadableSpan, recorder: Recorder) -> str:
    """Return the parent's id; spans of threads that had no context belong to the attempt."""
    if span.parent is not None and span.parent.is_valid:
        return trace.format_span_id(span.parent.span_id)
    owner = attempt_scope()
    return owner.span_id if owner is not None else recorder.run_span_id


def _otlp(span: ReadableSpan, seq: int, recorder: Recorder) -> dict[str, Any]:
    ids = span.get_span_context()
    assert ids is not None
    named: dict[str, Any] = {_users_name(name): value for name, value in (span.attributes or {}).items()}
    owner = attempt_scope()
    if owner is not None:
        named |= {c.TASK_RUN_ID: owner.task_id, c.ATTEMPT: owner.attempt}
    record: dict[str, Any] = {
        "traceId": recorder.trace_id,
        "spanId": trace.format_span_id(ids.span_id),
        "parentSpanId": _parent(span, recorder),
        "name": clean(span.name),
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(_moment(span.start_time)),
        "endTimeUnixNano": str(_moment(span.end_time)),
        "attributes": attributes({**named, c.SEQ: seq}),
    }
    if span.events:
        record["events"] = [
            {
                "timeUnixNano": str(event.timestamp),
                "name": clean(event.name),
                "attributes": attributes(event.attributes or {}),
            }
            for event in span.events
        ]
    if span.links:
        record["links"] = [
            {
                "traceId": trace.format_trace_id(link.context.trace_id),
                "spanId": trace.format_span_id(link.context.span_id),
                "attributes": attributes(link.attributes or {}),
            }
            for link in span.links
        ]
    status: dict[str, Any] = {"code": span.status.status_code.value}
    if span.status.description:
        status["message"] = clean(span.status.description)
    record["status"] = status
    return record


def _moment(unix_nano: int | None) -> int:
    """Return a time that the user gave as one that OTLP has room for."""
    return max(0, min(unix_nano or 0, _TIME_END))


def _users_name(name: str) -> str:
    """Return what a name of the user's is recorded as: no span of theirs ends a task, theirs or another."""
    return f"extra.{name}" if name in _OURS or name.startswith("vaportrail.") else name


def install_provider() -> None:
    """Make ours the process's tracer provider, or join one that is there already."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, trace.ProxyTracerProvider):
        _join(provider)
        return
    unlimited = SpanLimits(
        max_span_attributes=SpanLimits.UNSET,
        max_events=SpanLimits.UNSET,
        max_links=SpanLimits.UNSET,
        max_event_attributes=SpanLimits.UNSET,
        max_link_attributes=SpanLimits.UNSET,
    )
    ours = _Provider(sampler=ALWAYS_ON, span_limits=unlimited, shutdown_on_exit=False)
    ours.add_span_processor(SpoolSpanProcessor())
    trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = ours, _Open()


class _Provider(TracerProvider):
    """Begins a forked child without threads: one that is ended as it begins would wait for them for ever."""

    def _handle_fork(self) -> None:
        # What else OpenTelemetry does here is to ask again, in threads, who this process is: we never say.
        self._tracers_lock = threading.Lock()


class _Open(Once):
    """Lets the user's code set a provider of its own once, as without us, and records its spans as well."""

    def do_once(self, func: Callable[[], None]) -> bool:
        done = super().do_once(func)
        if done:
            _join(trace.get_tracer_provider())
        return done


def _join(provider: trace.TracerProvider) -> None:
    if isinstance(provider, TracerProvider):
        processors = provider._active_span_processor._span_processors
        if not any(isinstance(processor, SpoolSpanProcessor) for processor in processors):
            provider.add_span_processor(SpoolSpanProcessor())
        return
    recorder = active()
    if recorder is not None and not isinstance(provider, trace.NoOpTracerProvider):
        recorder.not_captured("spans of a tracer provider that is none of OpenTelemetry's SDK")


@contextmanager
def traced() -> Iterator[None]:
    """Record the spans that this process makes in the block; its tracer provider is then as before."""
    had = trace._TRACER_PROVIDER
    joined = had if isinstance(had, TracerProvider) else None
    processors = () if joined is None else joined._active_span_processor._span_processors
    install_provider()
    try:
        yield
    finally:
        if joined is not None:
            joined._active_span_processor._span_processors = processors
        elif had is None:
            trace._TRACER_PROVIDER = None
            trace._TRACER_PROVIDER_SET_ONCE = Once()


def parent_context(trace_id: str, span_id: str) -> otel_context.Context:
    """Return an OpenTelemetry context in which new spans are children of the given span."""
    ids = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=_SAMPLED)
    return trace.set_span_in_context(NonRecordingSpan(ids))

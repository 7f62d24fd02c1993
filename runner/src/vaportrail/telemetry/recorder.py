"""A process's hand on the record: builds OTLP log records and spans and appends them to the spool."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from opentelemetry import trace

from vaportrail.contract.outcome import Failure
from vaportrail.contract.run_identity import FORMAT_VERSION, RunIdentity, RunSettings
from vaportrail.errors import SpoolError
from vaportrail.storage.store_settings import keys_version
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.attempt_scope import AttemptScope, attempt_scope
from vaportrail.telemetry.batch import Batch
from vaportrail.telemetry.exceptions import exception_event
from vaportrail.telemetry.identity import run_span_id, trace_id
from vaportrail.telemetry.json_attributes import encode_attribute
from vaportrail.telemetry.otlp_json import INFO, WARN, log_json, span_json
from vaportrail.telemetry.redact import Redactor
from vaportrail.telemetry.secret_digests import DIGESTS, write_digests
from vaportrail.telemetry.secret_names import NAMING_VARIABLES
from vaportrail.telemetry.secret_texts import process_secrets, secret_texts
from vaportrail.telemetry.spool import Header, Writer
from vaportrail.telemetry.values import attributes
from vaportrail.version import __version__

__all__ = ["Recorder", "Role"]

Role = Literal["runner", "worker", "kernel", "cells", "child"]

INTERNAL, SERVER = 1, 2
OK = 1


class Recorder:
    """Writes what one process of a run makes.

    Args:
        settings: the run.
        role: what this process is to it.
        clock: nanoseconds since the epoch.
        writer_id: this process's name among the run's writers.
    """

    def __init__(
        self,
        settings: RunSettings,
        role: Role,
        *,
        clock: Any = time.time_ns,
        writer_id: str | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.trace_id = trace_id(settings.identity.uid)
        self.run_span_id = run_span_id(settings.identity.uid)
        writer = writer_id or f"{role}-{uuid.uuid4().hex[:16]}"
        resource = {
            c.SERVICE_NAME: "vaportrail",
            c.SERVICE_VERSION: __version__,
            c.PIPELINE_NAME: settings.identity.pipeline,
            c.PIPELINE_RUN_ID: settings.identity.uid,
            c.WRITER_ID: writer,
            c.WRITER_ROLE: role,
            c.HOST_NAME: socket.gethostname(),
            c.PROCESS_PID: os.getpid(),
        }
        header = Header(writer, role, clock(), {"attributes": attributes(resource)})
        self._secrets: dict[str, str] = {}
        self._untold: Counter[str] = Counter()
        self.writer = Writer(Path(settings.spool), header)
        self._keys = keys_version()
        self._keep(process_secrets(os.environ))
        if self._keys:
            self.writer.renew = self._look_at_keys

    def keep_secret(self, environ: Mapping[str, str]) -> None:
        """Replace the secrets among these variables, too, in all that this process writes from now on.

        Their digests are left beside the spool for whoever finishes this process's output.
        """
        named = {name: os.environ[name] for name in NAMING_VARIABLES if name in os.environ}
        self._keep(secret_texts({**named, **environ}))

    def _look_at_keys(self) -> None:
        """Keep the store's keys that were put in the place of others; the old ones stay secrets."""
        version = keys_version()
        if version != self._keys:
            self._keep(process_secrets(os.environ))
            self._keys = version

    def _keep(self, fresh: dict[str, str]) -> None:
        if fresh.keys() - self._secrets.keys():
            self._secrets = fresh | self._secrets
            self.writer.redact = Redactor(self._secrets)
            header = self.writer.header
            write_digests(self.writer.directory / f"{header.writer}.{DIGESTS}", self.writer.redact)

    def beside(self, role: Role) -> Recorder:
        """Return another writer of this process, with files of its own and the same secrets."""
        other = Recorder(self.settings, role, clock=self.clock)
        other._keep(self._secrets)
        return other

    def plain(self, text: str) -> str:
        """Return a text without secrets, for what is cut or hashed before it is written."""
        return text if self.writer.redact is None else self.writer.redact(text)

    def without_secrets(self, failure: Failure) -> Failure:
        """Return a failure as the record may tell it: other processes do not know this one's secrets."""
        return Failure(self.plain(failure.type), self.plain(failure.message), self.plain(failure.traceback))

    def log(
        self,
        body: Any = None,
        *,
        event: str = "",
        scope: str = c.SCOPE,
        severity: tuple[int, str] = INFO,
        values: Mapping[str, Any] | None = None,
        attempt: AttemptScope | None = None,
        span_id: str | None = None,
        unix_nano: int | None = None,
        batch: Batch | None = None,
    ) -> None:
        """Write one log record (an event, where `event` names one), or add it to what `batch` will write.

        It belongs to `attempt`, else to the process's current attempt, and to the current span.
        """
        now = self.clock() if unix_nano is None else unix_nano
        owner = attempt or attempt_scope()
        named = {} if values is None else {**values}
        if owner is not None:
            named.setdefault(c.TASK_RUN_ID, owner.task_id)
            named.setdefault(c.ATTEMPT, owner.attempt)
        span = span_id or self._current_span(owner)

        def make(seq: int) -> str:
            named[c.SEQ] = seq
            return log_json(
                body,
                named,
                unix_nano=now,
                observed_unix_nano=now,
                severity=severity,
                trace_id=self.trace_id,
                span_id=span,
                event=event,
            )

        (batch or self.writer).append("L", scope, make)

    def span_started(
        self,
        name: str,
        span_id: str,
        parent: str,
        *,
        kind: int = INTERNAL,
        event: str = c.EVENT_SPAN_STARTED,
        values: Mapping[str, Any] | None = None,
        attempt: AttemptScope | None = None,
        unix_nano: int | None = None,
        batch: Batch | None = None,
    ) -> None:
        """Write that a span was opened, so that the sealer can close it if this process dies."""
        named = {c.SPAN_NAME: name, c.SPAN_PARENT: parent, c.SPAN_KIND: kind, **(values or {})}
        self.log(
            event=event, values=named, span_id=span_id, attempt=attempt, unix_nano=unix_nano, batch=batch
        )

    def span(
        self,
        name: str,
        span_id: str,
        parent: str,
        start: int,
        end: int,
        *,
        kind: int = INTERNAL,
        ok: bool = True,
        message: str = "",
        values: Mapping[str, Any] | None = None,
        failure: Failure | None = None,
        links: Sequence[str] = (),
        scope: str = c.SCOPE,
        batch: Batch | None = None,
    ) -> None:
        """Write one ended span, or add it to what `batch` will write.

        `links` are ids of spans of the same trace.
        """

        def make(seq: int) -> str:
            return span_json(
                name,
                {**(values or {}), c.SEQ: seq},
                trace_id=self.trace_id,
                span_id=span_id,
                parent=parent,
                kind=kind,
                start=start,
                end=end,
                error=None if ok else message,
                events=() if failure is None else [exception_event(failure, end)],
                links=links,
            )

        (batch or self.writer).append("T", scope, make)

    def not_captured(self, reason: str, count: int = 1, *, attempt: AttemptScope | None = None) -> None:
        """Write that something of the run is not in the record: nobody can say then that nothing is lost.

        Args:
            reason: what is missing and why, a sentence without a full stop, the same each time: the
                record adds up how often it was said.
            count: of how many things.
            attempt: whose they were; else the process's current attempt's.
        """
        values = {c.NOT_CAPTURED_COUNT: count}
        try:
            self.log(reason, event=c.EVENT_NOT_CAPTURED, severity=WARN, values=values, attempt=attempt)
        except SpoolError:
            self._untold[reason] += count
            raise

    def tell_again(self) -> None:
        """Write what `not_captured` could not; only where that succeeds is the loss known as a whole."""
        untold, self._untold = self._untold, Counter()
        for reason, count in untold.items():
            with suppress(SpoolError):
                self.not_captured(reason, count)

    def moment(self, name: str, unix_nano: int | None = None) -> None:
        """Write a moment of the run's own timeline."""
        self.log(name, event=c.EVENT_MILESTONE, span_id=self.run_span_id, unix_nano=unix_nano)

    def _current_span(self, owner: AttemptScope | None) -> str:
        current = trace.get_current_span().get_span_context()
        if current.is_valid:
            return trace.format_span_id(current.span_id)
        return owner.span_id if owner is not None else self.run_span_id


def run_values(identity: RunIdentity, incarnation: int) -> dict[str, Any]:
    """Return the attributes that say who a run is."""
    times = {
        c.RUN_SCHEDULED_TIME: identity.scheduled_time,
        c.RUN_PREVIOUS_SCHEDULED_TIME: identity.previous_scheduled_time,
    }
    return {
        c.SCHEMA: FORMAT_VERSION,
        c.PIPELINE_NAME: identity.pipeline,
        c.RUN_NAME: identity.name,
        c.RUN_CREATED: identity.created_unix_nano,
        c.RUN_PARAMETERS: encode_attribute(identity.parameters),
        c.RUN_TAGS: encode_attribute(identity.tags),
        c.RUN_ENTRYPOINT: identity.entrypoint,
        c.DRIVER: incarnation,
        **{name: time for name, time in times.items() if time},
    }

"""`vaportrail watch`"""

from __future__ import annotations

import hashlib
import math
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, TextIO

import click
from click.core import ParameterSource

from vaportrail.cli.exit_codes import EXIT_CANCELLED
from vaportrail.cli.locate import root_option
from vaportrail.cli.progress import PlainProgress
from vaportrail.cli.run_summary import report
from vaportrail.cli.screen import say, say_json
from vaportrail.cli.watch_target import find, patiently, wanted
from vaportrail.contract.run_identity import RunSettings
from vaportrail.crd.fields import GROUP
from vaportrail.export import formatting
from vaportrail.record.reading.follow import Follower
from vaportrail.record.reading.read import open_run
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.reading.run_events import RunEvent
from vaportrail.record.times import rfc3339
from vaportrail.storage import layout
from vaportrail.storage.store import open_store

__all__ = ["EventLines", "command"]

_POLL_SECONDS: Final = 1.0
_LATE_SECONDS: Final = 60.0
"""How long after its run's end a record that is not sealed is worth a word."""


def _waitable(_context: click.Context, _option: click.Parameter, seconds: float | None) -> float | None:
    if seconds is not None and (math.isnan(seconds) or seconds > threading.TIMEOUT_MAX):
        raise click.BadParameter(f"{seconds:g} is not a time that can be waited for; leave it out for ever.")
    return seconds


@click.command("watch")
@click.argument("run", metavar="RUN")
@root_option
@click.option("--logs", is_flag=True, help="Also log lines and output.")
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", callback=_waitable,
              help="How long to wait for a run that has not begun; for ever unless given.")  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object an event; the last as of `run --json`."
)
def command(run: str, root: str, logs: bool, timeout: float | None, as_json: bool) -> int:
    """Follow a run of a cluster in its record root, until its record is sealed.

    RUN is the start of a run's id, its name, or its record's URI. A name may be used again: by a name
    a record that is sealed already does not count, and a new run is waited for. Only the record root
    is read: no access to the cluster is needed. Events go to standard error, the end to standard output.

    \b
    Exit codes, as of `run`: 0 succeeded, 1 failed or not found, 130 cancelled, and for Ctrl-C or SIGTERM,
    which leave the run alone.
    """
    meant = wanted(run, root)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = find(meant, timeout)
        sealed = found if isinstance(found, Run) else _follow(found, meant.root, logs=logs, as_json=as_json)
        raw = patiently(lambda: open_store(sealed.uri).get(layout.MANIFEST, layout.MANIFEST_LIMIT))
    except KeyboardInterrupt:
        say(f"not watching any more; the run goes on. Again: {_again()}", err=True)
        return EXIT_CANCELLED
    finally:
        signal.signal(signal.SIGTERM, before)
    return report(sealed, hashlib.sha256(raw).hexdigest(), as_json=as_json)


def _again() -> str:
    """Return the command as it was given."""
    context = click.get_current_context()
    given, formatting = context.params, ["vaportrail", "watch", context.params["run"]]
    if context.get_parameter_source("root") is ParameterSource.COMMANDLINE:
        formatting += ["--record", given["root"]]
    if given["timeout"] is not None:
        formatting += ["--timeout", f"{given['timeout']:g}"]
    formatting += [option for option, name in (("--logs", "logs"), ("--json", "as_json")) if given[name]]
    return shlex.join(formatting)


def _follow(settings: RunSettings, root: str, *, logs: bool, as_json: bool) -> Run:
    """Tell what happens until the record stands; return it."""
    follower = Follower(open_store(root), settings)
    show = _json_line if as_json else EventLines(sys.stderr).tell
    ended: float | None = None
    told = False

    def tell(events: Iterable[RunEvent]) -> bool:
        """Tell what is wanted; return whether the run has ended."""
        over = False
        for event in events:
            over = over or event.kind == "run.ended"
            if logs or event.kind != "log":
                show(event)
        return over

    while not patiently(follower.sealed):
        if tell(patiently(follower.poll)):
            ended = time.monotonic()
        if ended is not None and not told and time.monotonic() - ended >= _LATE_SECONDS:
            say(_late(settings, root), err=True)
            told = True
        time.sleep(_POLL_SECONDS)
    run = patiently(lambda: open_run(f"{root}/{settings.path}"))
    tell(patiently(lambda: follower.rest(run)))
    return run


def _late(settings: RunSettings, root: str) -> str:
    name, uid = settings.identity.name, settings.identity.uid
    return (
        f"the run ended {_LATE_SECONDS:g} s ago, and its record is not sealed yet; see why with: kubectl "
        f"describe pipelineruns.{GROUP} {name}; where the run is gone, seal it with: "
        f"vaportrail seal {uid[:8]} --record {root}"
    )


class EventLines(PlainProgress):
    """Events in the words of the plain progress of `vaportrail run`, with their own times.

    Args:
        out: where the lines go.
    """

    begun = "started"

    def __init__(self, out: TextIO) -> None:
        super().__init__(out, clock=lambda: self._now)
        self._now = 0.0
        self._begun: dict[str, int] = {}
        self._retries: dict[str, int] = {}
        self._reported: set[tuple[str, int]] = set()
        self._ways: dict[str, Callable[[RunEvent], None]] = {
            "run.started": lambda event: self._say(f"run {event.text}"),
            "run.ended": self._run_finished,
            "timeline": lambda event: self.stage(event.text),
            "task.submitted": self._task_submitted,
            "task.ended": self._task_ended,
            "attempt.started": self._attempt_started,
            "attempt.ended": self._attempt_ended,
            "log": self._log,
        }

    def tell(self, event: RunEvent) -> None:
        """Print an event's line, if it has one."""
        self._now = event.time / 1e9
        self._ways[event.kind](event)

    def _run_finished(self, event: RunEvent) -> None:
        assert event.outcome is not None
        self._say(f"{event.outcome.value}: {event.text}")
        self._say("waiting for the seal")

    def _task_submitted(self, event: RunEvent) -> None:
        self._retries[event.task] = event.retries
        self.task_submitted(event.task, event.text)
        self._say(f"{event.task} submitted: {event.text}")

    def _attempt_started(self, event: RunEvent) -> None:
        self._begun[event.task] = event.time
        self.attempt_started(event.task, event.attempt)

    def _attempt_ended(self, event: RunEvent) -> None:
        """Tell of an attempt that failed and may be retried; of others the task's end tells."""
        key = (event.task, event.attempt)
        ended_well = event.outcome is None or event.outcome.ok
        if ended_well or key in self._reported or event.attempt > self._retries.get(event.task, 0):
            return
        self._reported.add(key)
        why = f": {event.failure.type}: {formatting.brief(event.failure.message)}" if event.failure else ""
        self._say(f"{event.task} attempt {event.attempt} {event.outcome}{why}")

    def _task_ended(self, event: RunEvent) -> None:
        assert event.outcome is not None
        seconds = (event.time - self._begun.get(event.task, event.started)) / 1e9
        self.task_ended(event.task, event.outcome, max(0.0, seconds), event.failure, event.cause)

    def _log(self, event: RunEvent) -> None:
        self._say(f"{event.task or '(pipeline)'} {event.source}: {event.text}")


def _json_line(event: RunEvent) -> None:
    failure = event.failure
    line = {
        "time": rfc3339(event.time),
        "event": event.kind,
        "task": event.task,
        "attempt": event.attempt,
        "text": event.text,
        "source": event.source,
        "outcome": event.outcome.value if event.outcome is not None else "",
        "cause": event.cause,
        "failure": {"type": failure.type, "message": failure.message} if failure is not None else {},
    }
    say_json({name: value for name, value in line.items() if value})

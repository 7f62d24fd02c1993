"""Progress of a run: a live table on a terminal, one plain line an event elsewhere."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, islice
from typing import Any, TextIO, cast

from vaportrail.cli.screen import plain, text_lines
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.export import formatting

__all__ = ["LiveProgress", "PlainProgress", "let_go", "make_progress"]


def let_go(stream: TextIO) -> None:
    """Turn a stream that takes no more onto nothing: Python's own end would fail by what is left in it."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


class PlainProgress:
    """One line an event, for pipes and logs."""

    begun = "handed to Ray"
    """What is said of an attempt that begins."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.time) -> None:
        self._out = out
        self._clock = clock
        self._labels: dict[str, str] = {}

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def _say(self, text: str) -> None:
        stamp = time.strftime("%H:%M:%S", time.localtime(self._clock()))
        try:
            # In one write: where the stream is unbuffered, a line of the pipeline's would come between two.
            self._out.write("".join(f"{plain(line)}\n" for line in text_lines(f"{stamp} {text}")))
            self._out.flush()
        except OSError:
            let_go(self._out)
            raise

    def stage(self, name: str) -> None:
        self._say(name)

    def task_submitted(self, task_id: str, label: str) -> None:
        self._labels[task_id] = label

    def attempt_started(self, task_id: str, attempt: int) -> None:
        again = f", attempt {attempt}" if attempt > 1 else ""
        self._say(f"{task_id} {self.begun}: {self._labels.get(task_id, task_id)}{again}")

    def attempt_retried(self, task_id: str, attempt: int, delay: float, failure: Failure | None) -> None:
        why = f" after {failure.type}: {formatting.brief(failure.message)}" if failure is not None else ""
        self._say(f"{task_id} attempt {attempt} in {formatting.duration(delay)}{why}")

    def task_ended(
        self, task_id: str, outcome: Outcome, seconds: float, failure: Failure | None, cause: str
    ) -> None:
        why = f": {failure.type}: {formatting.brief(failure.message)}" if failure is not None else ""
        because = f": {cause} did not succeed" if cause else ""
        self._labels.pop(task_id, None)
        self._say(f"{task_id} {outcome.value} {formatting.duration(seconds)}{why}{because}")


class _Screen:
    """A terminal for the thread that draws: once it fails it shows nothing, and keeps why."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.trouble: OSError | None = None

    def write(self, text: str) -> int:
        self._try(lambda: self._out.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._out.flush)

    def _try(self, act: Callable[[], object]) -> None:
        if self.trouble is not None:
            return
        try:
            act()
        except OSError as error:
            self.trouble = error
            let_go(self._out)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)


class LiveProgress:
    """A table of the tasks, redrawn as they go; failures stay on the screen above it."""

    _ROWS = 20

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console
        from rich.live import Live

        self._screen = _Screen(out)
        self._console = Console(file=cast(TextIO, self._screen))
        self._clock = clock
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, Any]] = {}
        self._waiting: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._all = self._ended = 0
        self._stage = ""
        self._live = Live(get_renderable=self._draw, console=self._console, refresh_per_second=8)

    def __enter__(self) -> LiveProgress:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(None, None, None)

    def stage(self, name: str) -> None:
        self._stage = name
        if self._screen.trouble is not None:
            raise self._screen.trouble  # who asks may say so elsewhere

    def task_submitted(self, task_id: str, label: str) -> None:
        with self._lock:
            self._all += 1
            self._waiting[task_id] = {"label": label, "state": "waiting", "since": self._clock()}
            if self._all == self._ROWS + 1:  # from now on only what is going on has room
                self._rows = {name: row for name, row in self._rows.items() if "ended" not in row}

    def attempt_started(self, task_id: str, attempt: int) -> None:
        self._goes_on(task_id, "running" if attempt == 1 else f"running, attempt {attempt}")

    def attempt_retried(self, task_id: str, attempt: int, delay: float, failure: Failure | None) -> None:
        self._goes_on(task_id, f"retry in {formatting.duration(delay)}")

    def _goes_on(self, task_id: str, state: str) -> None:
        with self._lock:
            row = self._waiting.pop(task_id, None) or self._rows[task_id]
            self._rows[task_id] = row | {"state": state, "since": self._clock()}

    def task_ended(
        self, task_id: str, outcome: Outcome, seconds: float, failure: Failure | None, cause: str
    ) -> None:
        with self._lock:
            self._ended += 1
            row = self._waiting.pop(task_id, None) or self._rows[task_id]
            if self._all <= self._ROWS:
                self._rows[task_id] = row | {"state": outcome.value, "seconds": seconds, "ended": outcome}
            else:
                self._rows.pop(task_id, None)
        if failure is not None:
            text = f"{task_id} {outcome.value}: {failure.type}: {formatting.brief(failure.message)}"
            self._console.print(plain(text), style="red", markup=False, highlight=False)

    def _draw(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        with self._lock:
            # What is going on comes first where not everything fits; no more is looked at than that.
            shown = list(islice(chain(self._rows.items(), self._waiting.items()), self._ROWS))
            total, ended = self._all, self._ended
        left_out = total - len(shown)
        for task_id, row in shown:
            seconds = row.get("seconds", self._clock() - row["since"])
            style = _style(row.get("ended"))
            shown_time = formatting.duration(seconds)
            state, label = Text(row["state"], style=style), Text(plain(row["label"]))
            table.add_row(state, Text(plain(task_id)), shown_time, label)
        if left_out:
            table.add_row("", f"… {left_out} more", "", "")
        head = f"{ended} of {total} tasks ended" if total else self._stage
        table.add_row(Text(head, style="bold"), "", "", "")
        return table


def _style(ended: Outcome | None) -> str:
    if ended is None:
        return "cyan"
    return "green" if ended.ok else "yellow" if ended is Outcome.SKIPPED else "red"


def make_progress(*, plain: bool) -> PlainProgress | LiveProgress:
    """Return live progress where standard error is a terminal, plain lines elsewhere."""
    if sys.stderr is None:  # it was closed before Python began
        return PlainProgress(io.StringIO())
    if plain or not sys.stderr.isatty():
        return PlainProgress(sys.stderr)
    return LiveProgress(sys.stderr)

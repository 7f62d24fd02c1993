"""What a process printed, as log records; and how much of it is on record, and whose the rest is.

The process itself turns its output into log records. What it had no time for is done by who comes
after it: the shipper where it runs in a pod, else the sealer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from vaportrail.contract.otlp_signals import Kind
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.output_blocks import Block, split_blocks
from vaportrail.telemetry.redact import Finder

__all__ = [
    "OWNERS",
    "RAY_MARKS",
    "RAY_PROGRESS",
    "SEVERITY",
    "SUFFIX",
    "OutputWatch",
    "Recovered",
    "Stream",
    "block_values",
    "end_values",
]

Stream = Literal["stdout", "stderr"]
SUFFIX: Final[dict[Stream, str]] = {"stdout": "out", "stderr": "err"}
SEVERITY: Final[dict[Stream, tuple[int, str]]] = {"stdout": (9, "INFO"), "stderr": (13, "WARN")}
RAY_PROGRESS: Final = ('{"__magic_token__": "__ray_tqdm_magic_token__"',)
"""How lines begin that Ray's own progress bars tell each other, which Ray never shows as they are."""
RAY_MARKS: Final = (":task_name:", ":actor_name:", ":job_id:")
"""How lines begin that Ray prints for its own log monitor.

It prints them before it calls a task: while an attempt runs, such a line is the user's.
"""

OWNERS: Final = (c.EVENT_ATTEMPT_STARTED, c.EVENT_CELL_OUTPUT)
"""Events that say whose a process's output is from then on, and that all before is on record."""

_ENDS: Final[dict[Stream, str]] = {"stdout": c.STDOUT_END, "stderr": c.STDERR_END}


def block_values(stream: Stream, block: Block) -> dict[str, object]:
    """Return the attributes of a block's log record."""
    return {
        c.LOG_IOSTREAM: stream,
        c.STREAM_OFFSET: block.end,
        c.STREAM_PARTIAL: True if block.partial else None,
    }


def end_values(ends: Mapping[Stream, int]) -> dict[str, int]:
    """Return the attributes of an attempt's span that say up to where output is the attempt's."""
    return {_ENDS[stream]: end for stream, end in ends.items()}


class Recovered(NamedTuple):
    """A block that its process had no time to record: its text, and what its record says besides."""

    text: str
    values: dict[str, Any]
    trace_id: str
    span_id: str


@dataclass(slots=True)
class OutputWatch:
    """Sees one process's records in their order, and knows of its output what is on record.

    Attributes:
        read: how many bytes of each stream are on record.
        attempt: of the attempt that runs, or its cell: its task's id, its number, and its span's ids. Of one
            that has ended while not all was on record also, as `ends`, where in each stream it did.
    """

    read: dict[Stream, int] = field(default_factory=dict)
    attempt: dict[str, Any] = field(default_factory=dict)

    def see(self, kind: Kind, body: Mapping[str, Any], named: Mapping[str, Any]) -> None:
        """Take note of one record; `named` are its attributes."""
        if kind == "T":
            if self.attempt.get("spanId") == body["spanId"]:
                ends = {stream: named[name] for stream, name in _ENDS.items() if name in named}
                self.attempt = {**self.attempt, "ends": ends} if ends else {}
        elif body.get("eventName") in OWNERS:
            self.attempt = {
                **{key: named[key] for key in (c.TASK_RUN_ID, c.ATTEMPT)},
                **{key: body[key] for key in ("traceId", "spanId")},
            }
            # All before it had been dealt with, although markers that are passed over leave no record.
            self._note("stdout", named[c.STDOUT_OFFSET])
            self._note("stderr", named[c.STDERR_OFFSET])
        elif c.LOG_IOSTREAM in named and c.STREAM_OFFSET in named:
            self._note(named[c.LOG_IOSTREAM], named[c.STREAM_OFFSET])

    def _note(self, stream: Stream, offset: int) -> None:
        self.read[stream] = max(self.read.get(stream, 0), offset)

    def rest(
        self, writer: str, stream: Stream, raw: bytes, *, final: bool = True, secrets: Finder | None = None
    ) -> Iterator[Recovered]:
        """Yield the blocks of `raw`, which follows what is on record.

        They count as read. They belong to the attempt that was running, if one was.
        """
        begin = self.read.get(stream, 0)
        end = self.attempt["ends"].get(stream, 0) if "ends" in self.attempt else begin + len(raw)
        if begin < end:
            last = final or ("ends" in self.attempt and begin + len(raw) >= end)
            yield from self._blocks(writer, stream, raw[: end - begin], last, secrets, self.attempt)
        at = self.read.get(stream, 0)
        if at >= end:
            yield from self._blocks(writer, stream, raw[at - begin :], final, secrets, {})

    def _blocks(
        self,
        writer: str,
        stream: Stream,
        raw: bytes,
        final: bool,
        secrets: Finder | None,
        attempt: Mapping[str, Any],
    ) -> Iterator[Recovered]:
        owner = {key: attempt[key] for key in (c.TASK_RUN_ID, c.ATTEMPT) if attempt}
        passed_over = RAY_PROGRESS if attempt else RAY_PROGRESS + RAY_MARKS
        for block in split_blocks(
            raw,
            self.read.get(stream, 0),
            final=final,
            waiting=True,
            secrets=secrets,
            passed_over=passed_over,
        ):
            self._note(stream, block.end)
            if block.text is not None:
                values = {**block_values(stream, block), **owner, c.LEDGER_WRITER: writer}
                yield Recovered(block.text, values, attempt.get("traceId", ""), attempt.get("spanId", ""))

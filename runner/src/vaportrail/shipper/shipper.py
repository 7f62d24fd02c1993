"""What the shipper does, step by step: gather, send until it is stored, go on; at the end drain.

Pure but for what it is given: the files, the collector, the clock, chance, and how to wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Final, NamedTuple, Protocol

from vaportrail.contract.otlp_signals import Kind
from vaportrail.shipper.feed import Entry, Feed, Files
from vaportrail.telemetry.otlp_json import export_request

__all__ = ["Collector", "PostResult", "Reply", "Shipper"]

BATCH_BYTES: Final = 1 << 20
GATHER_SECONDS: Final = 1.0
"""Each reply is at least one object in the bucket, so at most about one a pod, signal and second."""
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0
LONGEST_PAUSE_AT_THE_END: Final = 1.0
LONGEST_SILENCE: Final = 120.0
"""Seconds after which a shipper whose runner says nothing posts that one's count again: the run lives.

The runner's does it for the run: each sign is an object in the bucket.
"""


class Reply(Enum):
    """What became of a request."""

    STORED = "stored"
    REFUSED = "refused"
    """It was read and will never be taken: sending it again is no use."""
    FAILED = "failed"
    """Nobody knows; sending it again is harmless."""


class PostResult(NamedTuple):
    """A reply, and why where it is not `STORED`."""

    reply: Reply
    reason: str = ""


class Collector(Protocol):
    """Where requests go."""

    def post(self, requests: Mapping[Kind, bytes], left: Callable[[], float]) -> Mapping[Kind, PostResult]:
        """Post one request a signal and return what became of each.

        `left` says, as often as it is asked, how many seconds there are for it.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    """Records of one signal that are posted together."""

    kind: Kind
    entries: list[Entry]

    def to_bytes(self) -> bytes:
        return export_request(
            self.kind, ((entry.resource, entry.scope, entry.body) for entry in self.entries)
        )

    def halves(self) -> list[_Request]:
        """Return two requests with half of the records each; none for a single record."""
        middle = len(self.entries) // 2
        if not middle:
            return []
        return [_Request(self.kind, self.entries[:middle]), _Request(self.kind, self.entries[middle:])]


class Shipper:
    """Brings what is spooled to the collector, each record at least once.

    Args:
        files: the spool.
        collector: says whether what it was sent is stored.
        unix_nano: the time, nanoseconds since the epoch.
        monotonic: seconds.
        wait: waits for so many seconds; returns True, at once, when the end was asked for.
        chance: a number from 0 to 1.
        say: prints a line.
        drain_seconds: how long it may take from the end's being asked for.
    """

    def __init__(
        self,
        files: Files,
        collector: Collector,
        *,
        unix_nano: Callable[[], int],
        monotonic: Callable[[], float],
        wait: Callable[[float], bool],
        chance: Callable[[], float],
        say: Callable[[str], None],
        drain_seconds: float,
    ) -> None:
        self._files, self._collector = files, collector
        self._unix_nano, self._monotonic, self._wait, self._chance = unix_nano, monotonic, wait, chance
        self._say = say
        self._drain_seconds = drain_seconds
        self._feeds: dict[str, Feed] = {}
        self._waiting: deque[_Request] = deque()
        self._deadline: float | None = None
        self._failures = 0
        self._stores: bool | None = None
        self._keeps = True
        self._left_out = 0
        self._stored_at = -inf

    def run(self) -> int:
        """Ship until the end is asked for, then drain; return the exit status."""
        while not self._ending:
            self._pause(GATHER_SECONDS)
            if not self._ending:
                self._ship()
        self._ship()
        return self._verdict()

    @property
    def _ending(self) -> bool:
        return self._deadline is not None

    @property
    def _expired(self) -> bool:
        return self._deadline is not None and self._monotonic() >= self._deadline

    def _left(self) -> float:
        """Return how many seconds a post may still take: as many as there are, until the end begins."""
        self._pause(0.0)
        return inf if self._deadline is None else self._deadline - self._monotonic()

    def _pause(self, seconds: float) -> None:
        if self._wait(seconds) and self._deadline is None:
            self._deadline = self._monotonic() + self._drain_seconds

    def _ship(self) -> None:
        """Send what there is; returns when all is stored, when the end begins, or when time is up.

        While it follows, what is written meanwhile waits for company, unless it is enough by itself.
        """
        ending, full = self._ending, False
        while not self._expired and self._ending is ending:
            if not self._waiting:
                full = self._next_batch(final=ending)
                if not self._waiting:
                    self._acknowledge()
                    return
            self._send()
            if not self._waiting:
                self._acknowledge()
                if not ending and not full:
                    return

    def _acknowledge(self) -> None:
        """Tell the feeds that all that they gave out is stored."""
        trouble = ""
        for feed in self._feeds.values():
            try:
                feed.stored()
            except OSError as error:
                trouble = str(error)
        if trouble and self._keeps:
            self._say(f"what is stored goes on taking space on the disk: {trouble}")
        self._keeps = not trouble

    def _next_batch(self, *, final: bool) -> bool:
        """Make requests of what comes next; return whether there may be as much again."""
        entries: dict[Kind, list[Entry]] = {}
        size = 0
        for path in self._files.writers():
            if path not in self._feeds:
                self._feeds[path] = Feed(path, self._files, self._unix_nano, self._leave_out)
        for path in list(self._feeds):
            feed = self._feeds[path]
            while size < BATCH_BYTES and not feed.finished:
                before = size
                for entry in self._taken(feed, path, BATCH_BYTES - size, final):
                    entries.setdefault(entry.kind, []).append(entry)
                    size += len(entry.body)
                if not final and size == before:
                    break
            if size >= BATCH_BYTES:
                # The others first the next time.
                self._feeds[path] = self._feeds.pop(path)
                break
        if not entries and not final and self._monotonic() - self._stored_at >= LONGEST_SILENCE:
            signs = (feed.sign_of_life() for feed in self._feeds.values())
            entries = {sign.kind: [sign] for sign in signs if sign is not None}
        self._waiting.extend(_Request(kind, found) for kind, found in entries.items())
        return size >= BATCH_BYTES

    def _send(self) -> None:
        """Post the first request of each signal, then wait a little where that failed."""
        first: dict[Kind, _Request] = {}
        for request in self._waiting:
            first.setdefault(request.kind, request)
        failed = ""
        bodies = {kind: request.to_bytes() for kind, request in first.items()}
        begun = self._monotonic()
        answers = self._collector.post(bodies, self._left)
        if any(result.reply is Reply.STORED for result in answers.values()):
            self._stored_at = begun
        for kind, result in answers.items():
            if result.reply is Reply.FAILED:
                failed = result.reason
                continue
            request = first[kind]
            self._waiting.remove(request)
            if result.reply is Reply.REFUSED:
                halves = request.halves()
                self._waiting.extendleft(reversed(halves))
                if not halves:
                    self._leave_out(f"the collector refuses a record ({result.reason})")
        self._note(failed)
        if failed:
            longest = LONGEST_PAUSE_AT_THE_END if self._ending else LONGEST_PAUSE
            pause = min(longest, FIRST_PAUSE * 2 ** min(self._failures, 16))
            self._failures += 1
            self._pause(pause * (0.5 + self._chance() / 2))

    def _taken(self, feed: Feed, path: str, size: int, final: bool) -> Iterator[Entry]:
        """Yield what a feed has; one that user code has spoilt does not silence the others of its pod."""
        try:
            yield from feed.take(size, final=final)
        except Exception as error:
            feed.finished = True
            self._leave_out(f"{path} cannot be read on ({type(error).__name__}: {error})")

    def _leave_out(self, reason: str) -> None:
        self._left_out += 1
        self._say(f"{reason}: it is lost and counted")

    def _note(self, trouble: str) -> None:
        """Say how it stands with the collector, once a change."""
        if not trouble:
            self._failures = 0
        if self._stores is not (not trouble):
            self._say(f"the collector does not store: {trouble}" if trouble else "the collector stores")
        self._stores = not trouble

    def _verdict(self) -> int:
        bytes_left = sum(feed.left() for feed in self._feeds.values() if not feed.finished)
        records = sum(len(request.entries) for request in self._waiting)
        open_feeds = sum(not feed.finished for feed in self._feeds.values())
        if not records and not open_feeds:
            self._say(f"all is stored: {len(self._feeds)} processes, {self._left_out} records left out")
            return 0
        self._say(
            f"not all is stored after {self._drain_seconds:g} s: {records} records that were sent, "
            f"{bytes_left} bytes of spool and the last counts of {open_feeds} processes are left"
        )
        return 1

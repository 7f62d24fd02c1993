"""The reports of attempts as they come, by themselves or in streams: one thread waits for all of them.

A callback for each would run in the thread by which Ray talks to its workers, and hold it up whenever the
runner's own threads are busy: workers would stand idle for as long.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NoReturn, Protocol

__all__ = ["Reports", "Stream"]

_Get = Callable[[], Any]
_Landed = Callable[[_Get], None]


class Stream(Protocol):
    """What hears of a generator that yields reports; the last one may be followed by a value."""

    @property
    def left(self) -> int:
        """How many reports may come."""
        ...

    @property
    def value_follows(self) -> bool:
        """Whether what comes next, and last, is a value, which is not loaded here."""
        ...

    def reported(self, get: _Get) -> None:
        """Take what returns a report."""
        ...

    def came(self, value: Any) -> None:
        """Take the reference to a value."""
        ...

    def over(self, get: _Get) -> None:
        """Take that no more comes; `get` raises what has ended it, if that was not its own end."""
        ...

    def look(self) -> None:
        """Look whether it is still well: this is called again and again."""
        ...


_EAGER_SECONDS: Final = 0.001
"""How long a new attempt may go unheard of just after others came or went; later, as long as it was quiet."""
_LAZY_SECONDS: Final = 0.02
"""How long at most."""
_LAZY_SECONDS_EACH: Final = 2e-5
"""More for each attempt: to look at thousands costs as much each time."""
_MANY: Final = 16
"""So many attempts keep their workers busy for longer than the next lines say."""
_GATHER_SECONDS: Final = 0.008
"""How long at most, of many, those that end soon after another are left to come together: each look costs by
how many there are, and each waking takes the interpreter from who hands over the next."""
_GATHER_SECONDS_EACH: Final = 2.5e-4
"""How long for each of them: a fraction of what they keep their workers busy for."""
_LINGER_SECONDS: Final = 0.5
"""How long the thread stays without an attempt to wait for."""
_CLOSE_SECONDS: Final = 2.0
_STREAMED_SECONDS: Final = 0.004
"""How long at most, where bundles are among them."""


class Reports:
    """Tells of each report once, in a thread of its own.

    Args:
        ray: the module.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._new: queue.SimpleQueue[tuple[Any, _Landed | Stream] | None] = queue.SimpleQueue()
        self._streams: dict[Any, Stream] = {}
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._over = False

    def expect(self, reference: Any, landed: _Landed) -> None:
        """Wait for a report; `landed` is given what returns it, or raises what Ray has in its place."""
        self._add(reference, landed)

    def follow(self, generator: Any, stream: Stream) -> None:
        """Wait for all reports of a stream, and for its end."""
        self._add(generator, stream)

    def _add(self, waitable: Any, landed: _Landed | Stream) -> None:
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="vaportrail-reports", daemon=True)
                thread.start()
                self._thread = thread
            self._new.put((waitable, landed))

    def close(self) -> None:
        """Wait for nothing any more; Ray may end after this."""
        self._over = True
        self._new.put(None)
        thread = self._thread
        if thread is not None:
            thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        pending: dict[Any, _Landed] = {}
        try:
            self._wait(pending)
        except BaseException as fault:  # nobody would hear of them any more
            with self._starting:
                self._thread = None
                self._take_all(pending)
            streams, self._streams = self._streams, {}
            for landed in (*pending.values(), *(stream.over for stream in streams.values())):
                landed(partial(_raise, fault))

    def _wait(self, pending: dict[Any, _Landed]) -> None:
        moved, landed = time.monotonic(), False
        while not self._over:
            if self._take_new(pending):
                moved = time.monotonic()
            waitables = [*pending, *self._streams]
            if not waitables:
                if self._ends_idle():
                    return
                continue
            left = len(pending) + sum(stream.left for stream in self._streams.values())
            if landed and left >= _MANY:
                gather = min(_GATHER_SECONDS, _GATHER_SECONDS_EACH * left)
                if self._streams:
                    gather = min(_STREAMED_SECONDS, gather)
                ready = self._ready(waitables, len(waitables), gather)
            else:
                lazy = max(_LAZY_SECONDS, _LAZY_SECONDS_EACH * left)
                quiet = max(_EAGER_SECONDS, time.monotonic() - moved)
                ready = self._ready(waitables, 1, min(quiet, lazy))
            landed = bool(ready)
            if landed:
                self._land_ready(pending, ready)
                moved = time.monotonic()
            for stream in self._streams.values():
                stream.look()

    def _land_ready(self, pending: dict[Any, _Landed], ready: list[Any]) -> None:
        reports: list[tuple[Any, _Landed]] = []
        last: list[tuple[Stream, Any]] = []
        over: dict[Any, bool] = {}
        for waitable in ready:
            stream = self._streams.get(waitable)
            if stream is None:
                reports.append((waitable, pending.pop(waitable)))
                continue
            came, over[waitable] = _next_of(waitable, stream.left)
            reports += [(reference, stream.reported) for reference in came[:-1]]
            last += [(stream, reference) for reference in came[-1:]]
        self._land(reports)
        # Only now it is known which of them are values.
        for stream, reference in last:
            if stream.value_follows:
                stream.came(reference)
        self._land([(reference, stream.reported) for stream, reference in last if not stream.value_follows])
        for generator, is_over in over.items():
            # Of one whose reports have all come nothing more is to be heard.
            if is_over or not self._streams[generator].left:
                self._streams.pop(generator).over(partial(self._ray.get, generator.completed()))

    def _take_new(self, pending: dict[Any, _Landed]) -> bool:
        """Take those that were added, and wait for one where there is none to wait for."""
        if pending or self._streams:
            return self._take_all(pending)
        try:
            item = self._new.get(timeout=_LINGER_SECONDS)
        except queue.Empty:
            return False
        if item is not None:
            self._take(pending, *item)
            self._take_all(pending)
        return item is not None

    def _take_all(self, pending: dict[Any, _Landed]) -> bool:
        took = False
        while not self._new.empty():
            item = self._new.get()
            if item is not None:
                self._take(pending, *item)
                took = True
        return took

    def _take(self, pending: dict[Any, _Landed], waitable: Any, landed: _Landed | Stream) -> None:
        if callable(landed):
            pending[waitable] = landed
        else:
            self._streams[waitable] = landed

    def _ends_idle(self) -> bool:
        with self._starting:
            if self._new.empty():
                self._thread = None
                return True
            return False

    def _ready(self, references: list[Any], count: int, timeout: float) -> list[Any]:
        """Return those that are ready, once there are so many."""
        # It would start a Ray where there is none any more.
        if not self._ray.is_initialized():
            raise RuntimeError(
                "the Ray that the run's tasks were on is gone from this process: something in the pipeline's "
                "body has shut it down; leave that out, the run ends it itself"
            )
        try:
            ready, _ = self._ray.wait(references, num_returns=count, timeout=timeout, fetch_local=False)
        except Exception:  # what each has to say of it is heard when it is asked
            return references
        return list(ready)

    def _land(self, ready: list[tuple[Any, _Landed]]) -> None:
        if not ready:
            return
        try:
            reports = self._ray.get([reference for reference, _ in ready])
        except BaseException:  # of one of them: each says for itself
            for reference, landed in ready:
                landed(partial(self._ray.get, reference))
        else:
            for (_, landed), report in zip(ready, reports, strict=True):
                landed(partial(_itself, report))


def _next_of(generator: Any, left: int) -> tuple[list[Any], bool]:
    """Return what a generator has ready, up to so many reports, and whether no more comes."""
    came: list[Any] = []
    try:
        # What Ray calls `next` by, but that it waits for nothing here.
        while len(came) < max(1, left) and not (reference := generator._next_sync(0)).is_nil():
            if reference == generator.completed():  # with an error
                return came, True
            came.append(reference)
    except StopIteration:
        return came, True
    return came, False


def _raise(fault: BaseException) -> NoReturn:
    raise fault


def _itself(report: Any) -> Any:
    return report

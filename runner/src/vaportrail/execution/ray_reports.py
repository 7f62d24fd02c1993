"""The reports of attempts as they come: one thread waits for all of them.

A callback for each would run in the thread by which Ray talks to its workers, and hold it up whenever the
runner's own threads are busy: workers would stand idle for as long.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NoReturn

__all__ = ["Reports"]

_Landed = Callable[[Callable[[], Any]], None]

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


class Reports:
    """Tells of each report once, in a thread of its own.

    Args:
        ray: the module.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._new: queue.SimpleQueue[tuple[Any, _Landed] | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._over = False

    def expect(self, reference: Any, landed: _Landed) -> None:
        """Wait for a report; `landed` is given what returns it, or raises what Ray has in its place."""
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="vaportrail-reports", daemon=True)
                thread.start()
                self._thread = thread
            self._new.put((reference, landed))

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
            for landed in pending.values():
                landed(partial(_raise, fault))

    def _wait(self, pending: dict[Any, _Landed]) -> None:
        moved, landed = time.monotonic(), False
        while not self._over:
            if self._take_new(pending):
                moved = time.monotonic()
            if not pending:
                if self._ends_idle():
                    return
                continue
            if landed and len(pending) >= _MANY:
                gather = min(_GATHER_SECONDS, _GATHER_SECONDS_EACH * len(pending))
                ready = self._ready(list(pending), len(pending), gather)
            else:
                lazy = max(_LAZY_SECONDS, _LAZY_SECONDS_EACH * len(pending))
                quiet = max(_EAGER_SECONDS, time.monotonic() - moved)
                ready = self._ready(list(pending), 1, min(quiet, lazy))
            landed = bool(ready)
            if landed:
                self._land([(reference, pending.pop(reference)) for reference in ready])
                moved = time.monotonic()

    def _take_new(self, pending: dict[Any, _Landed]) -> bool:
        """Take those that were added, and wait for one where there is none to wait for."""
        if pending:
            return self._take_all(pending)
        try:
            item = self._new.get(timeout=_LINGER_SECONDS)
        except queue.Empty:
            return False
        if item is not None:
            pending[item[0]] = item[1]
            self._take_all(pending)
        return item is not None

    def _take_all(self, pending: dict[Any, _Landed]) -> bool:
        before = len(pending)
        while not self._new.empty():
            item = self._new.get()
            if item is not None:
                pending[item[0]] = item[1]
        return len(pending) > before

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
        try:
            reports = self._ray.get([reference for reference, _ in ready])
        except BaseException:  # of one of them: each says for itself
            for reference, landed in ready:
                landed(partial(self._ray.get, reference))
        else:
            for (_, landed), report in zip(ready, reports, strict=True):
                landed(partial(_itself, report))


def _raise(fault: BaseException) -> NoReturn:
    raise fault


def _itself(report: Any) -> Any:
    return report

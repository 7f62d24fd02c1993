"""Quick attempts that Ray is given several as one, and what becomes of each of them.

Each is told, stopped and lost as if it were alone. That holds because a bundle's log on this machine says of
each attempt whether it has begun: what has not is taken back and handed over again, also where its worker
is lost, or is held up by the attempt before.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, NoReturn

from vaportrail.contract.outcome import Outcome
from vaportrail.errors import InternalError
from vaportrail.execution.attempt_cancellation import AttemptCancelled
from vaportrail.execution.backend import AttemptEnd
from vaportrail.execution.bundle import Bundle, Get, HandedOver
from vaportrail.execution.bundle_log import Seen, make_bundle_log, read_bundle_log, take_back
from vaportrail.execution.packed_attempt import pack_attempt
from vaportrail.execution.packed_bundle import pack_bundle, read_end
from vaportrail.execution.ray_errors import failure_of
from vaportrail.execution.ray_reports import Reports
from vaportrail.execution.waiting_line import WaitingLine

__all__ = ["Bundles"]

_OVERDUE_SECONDS: Final = 0.1
"""How long others wait behind an attempt that was taken for a quick one."""


class Bundles:
    """Hands attempts over that ask for the same, one or several as one.

    Args:
        ray: the module.
        remote: hands a bundle over, and returns the generator of what comes back.
        reports: waits for it.
        landed: takes the end of an attempt from its report, or from what is raised in its place.
        stem: what the paths of bundles' logs begin with.
        slots: how many of such attempts run at once.
    """

    def __init__(
        self,
        ray: Any,
        remote: Any,
        reports: Reports,
        landed: Callable[[HandedOver, Get], None],
        stem: str,
        slots: int,
    ) -> None:
        self._ray, self._remote, self._reports, self._landed = ray, remote, reports, landed
        self._stem = stem
        self._numbers = count(1)
        self._line: WaitingLine[HandedOver] = WaitingLine(slots)
        self._slots, self._with_ray = slots, 0
        # Reports come in a thread of their own.
        self._lock = threading.RLock()

    def put(self, attempt: HandedOver) -> None:
        """Take an attempt whose turn has come; `hand_over` says that no more come now.

        One that need not wait for that does not: the next of a chain finds a worker idle.
        """
        with self._lock:
            self._line.put(attempt)
            if self._with_ray < self._slots or attempt.together == 1:
                self.hand_over()

    def hand_over(self, *, everything: bool = False) -> None:
        """Let go what is not to wait for others, or all of it."""
        with self._lock:
            for group in self._line.take(with_ray=self._with_ray, everything=everything):
                self._send(group)

    def stop(self, attempt: HandedOver, *, force: bool, interrupt: Callable[[], None]) -> None:
        """Cancel an attempt: at once where it has not begun.

        Args:
            attempt: it.
            force: whether its process is ended.
            interrupt: asks it to end, where it has begun.
        """
        with self._lock:
            if self._line.remove(attempt):
                self._cancelled(attempt)
                return
            bundle = attempt.bundle
            if bundle is None or attempt not in bundle.open:
                if attempt.report is not None:
                    try:
                        interrupt()
                    finally:  # on a full disk Ray's own way is left
                        self._ray.cancel(attempt.report, force=force, recursive=True)
                return
            with suppress(OSError):  # a full disk: as if it had begun
                may_wait = force or read_bundle_log(bundle.log).begun <= attempt.number
                if may_wait and attempt in self._split(bundle):
                    self._line.remove(attempt)
                    self._cancelled(attempt)
                    return
            try:
                interrupt()
            except OSError:  # Ray's own way is left
                self._ray.cancel(bundle.generator, force=force, recursive=True)
                raise
            if force:  # nothing else begins in this process
                self._ray.cancel(bundle.generator, force=True, recursive=True)

    # What the thread calls that waits for reports.

    def reported(self, bundle: Bundle, get: Get) -> None:
        """Take the next end of a bundle."""
        try:
            report, value = read_end(get())
        except BaseException:  # what became of the bundle is asked as it is over
            bundle.received += 1
            return
        if value is None:
            bundle.report = report
            return
        number, bundle.received = bundle.received, bundle.received + 1
        with self._lock:
            if not bundle.open or bundle.open[0].number != number:
                return
            attempt = bundle.open.popleft()
            bundle.moved, bundle.begun = time.monotonic(), True
            if not bundle.open:
                self._uncount(bundle)
        attempt.has(value)
        self._land(attempt, partial(_itself, report))

    def over(self, bundle: Bundle, get: Get) -> None:
        """Take that a bundle is over: those of it that have not begun are handed over again."""
        error: BaseException | None = None
        if bundle.open:
            try:
                get()
            except BaseException as raised:
                error = raised
        with self._lock:
            self._uncount(bundle)
            left, bundle.open = list(bundle.open), deque()
            seen = _seen(bundle.log, left)
            gone = not self._ray.is_initialized()
            again = [attempt for attempt in left if attempt.number >= seen.begun and not gone]
            for attempt in left:
                attempt.bundle = None
                if error is not None:
                    attempt.pace.was_lost()
            for attempt in again:
                # It may be the first one's fault, which so ends by itself.
                attempt.alone = attempt.alone or error is not None or not seen.begun
            self._line.put_back(again)
        with suppress(OSError):
            Path(bundle.log).unlink()
        for attempt in left:
            if bundle.value is not None and attempt.number == bundle.received and error is None:
                attempt.has(bundle.value)
                self._land(attempt, partial(_itself, bundle.report or b""))
            elif attempt.number in seen.ended:  # its report was lost on its way
                report, value = read_end(seen.ended[attempt.number])
                attempt.has(value)
                self._land(attempt, partial(_itself, report))
            elif attempt.number < seen.begun or gone:
                self._land(attempt, _raising(error or InternalError("an attempt ended without a report")))
        if not gone:
            self.hand_over()

    def look(self, bundle: Bundle) -> None:
        """Look whether others wait behind an attempt that is not a quick one: they are taken back."""
        now = time.monotonic()
        with self._lock:
            if len(bundle.open) < 2:
                return
            if not bundle.begun:
                with suppress(OSError):
                    bundle.begun = Path(bundle.log).stat().st_size > 0
                bundle.moved = now
            if now - bundle.moved < _OVERDUE_SECONDS:
                return
            bundle.moved = now
            bundle.open[0].pace.was_lost()
            with suppress(OSError):  # a full disk: they wait
                self._split(bundle)
                self.hand_over()

    # Under the lock.

    def _split(self, bundle: Bundle) -> list[HandedOver]:
        """Take back those that have not begun: they are the next in the line."""
        begun = take_back(bundle.log).begun
        back = [attempt for attempt in bundle.open if attempt.number >= begun]
        bundle.open = deque(attempt for attempt in bundle.open if attempt.number < begun)
        for attempt in back:
            attempt.bundle = None
        self._line.put_back(back)
        self._uncount(bundle)
        return back

    def _send(self, group: list[HandedOver]) -> None:
        if len(group) > 1:
            try:
                self._send_bundle(group)
            except OSError:  # no room for its log
                pass
            except BaseException as error:
                _refuse(group, error)
                return
            else:
                return
        for attempt in group:
            try:
                self._send_alone(attempt)
            except BaseException as error:
                _refuse([attempt], error)

    def _send_alone(self, attempt: HandedOver) -> None:
        packed = pack_attempt(attempt.packed, attempt.spec, attempt.payload, attempt.inputs)
        attempt.report, value = attempt.remote.remote(*packed)
        attempt.has(value)
        attempt.let_go()
        try:
            self._reports.expect(attempt.report, lambda get: self._reported_alone(attempt, get))
        except BaseException:
            self._ray.cancel(attempt.report, force=True)  # nobody would hear of it
            raise
        if attempt.together > 1:
            attempt.counted = True
            self._with_ray += 1

    def _send_bundle(self, group: list[HandedOver]) -> None:
        log = f"{self._stem}.{next(self._numbers)}.bundle"
        make_bundle_log(log)
        packed = pack_bundle(log, [pack_attempt(a.packed, a.spec, a.payload, a.inputs) for a in group])
        bundle = Bundle(self, log, deque(group), moved=time.monotonic())
        try:
            bundle.generator = self._remote.remote(*packed)
            self._reports.follow(bundle.generator, bundle)
        except BaseException:
            Path(log).unlink(missing_ok=True)  # so that nothing of it begins
            raise
        for number, attempt in enumerate(group):
            attempt.bundle, attempt.number = bundle, number
        self._with_ray += 1

    def _uncount(self, bundle: Bundle) -> None:
        if bundle.counted:
            bundle.counted = False
            self._with_ray -= 1

    # The ends of attempts.

    def _reported_alone(self, attempt: HandedOver, get: Get) -> None:
        with self._lock:
            if attempt.counted:
                attempt.counted = False
                self._with_ray -= 1
        self._land(attempt, get)

    def _land(self, attempt: HandedOver, get: Get) -> None:
        attempt.bundle = attempt.running = None
        attempt.let_go()
        self._landed(attempt, get)

    def _cancelled(self, attempt: HandedOver) -> None:
        attempt.running = None
        attempt.let_go()
        failure = failure_of(AttemptCancelled(), "cancelled before it ran")
        attempt.on_end(AttemptEnd(Outcome.CANCELLED, failure, self_reported=False))


def _seen(log: str, left: list[HandedOver]) -> Seen:
    """Return what a log says of those that were not heard of; where it cannot be read they may have begun."""
    if not left:
        return Seen(0, {})
    try:
        return take_back(log)
    except OSError:
        with suppress(OSError):
            return read_bundle_log(log)
        return Seen(left[-1].number + 1, {})


def _refuse(attempts: Iterable[HandedOver], error: BaseException) -> None:
    for attempt in attempts:
        attempt.on_end(AttemptEnd.refused(error))


def _raising(error: BaseException) -> Get:
    def get() -> NoReturn:
        raise error

    return get


def _itself(report: bytes) -> bytes:
    return report

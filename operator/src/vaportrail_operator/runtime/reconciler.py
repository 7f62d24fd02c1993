"""The loop: a key, what is observed of its run, a plan, its application, and when to look again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from vaportrail_operator.acting.apply import Applier, NameTaken
from vaportrail_operator.acting.client import ApiError, Conflict, Unavailable
from vaportrail_operator.observation.observe import Children, children_of, observed
from vaportrail_operator.planning.types import Observed, OperatorSettings, Plan
from vaportrail_operator.runtime.cache import Cache, Key
from vaportrail_operator.runtime.logs import about
from vaportrail_operator.runtime.metrics import Metrics
from vaportrail_operator.runtime.unreadable import plan_of_unreadable
from vaportrail_operator.runtime.workqueue import WorkQueue

__all__ = ["Reconciler"]

_log = logging.getLogger(__name__)
_LONG_STREAK = 50


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Brings runs on, one step at a time.

    Attributes:
        queue: of the runs to look at.
        cache: what is known.
        applier: carries out plans.
        plan: the planner.
        settings: the operator's.
        kuberay: whether RayClusters can be made.
        now: the time.
        metrics: where steps are counted.
        pause: seconds before the next step of a run whose every step so far changed something, once
            there were many: whatever goes wrong, the API server is not flooded.
    """

    queue: WorkQueue[Key]
    cache: Cache
    applier: Applier
    plan: Callable[[Observed], Plan]
    settings: OperatorSettings
    kuberay: Callable[[], bool]
    now: Callable[[], datetime]
    metrics: Metrics
    pause: float = 1.0
    _streaks: Counter[Key] = field(default_factory=Counter)

    async def work(self) -> None:
        """Work on keys until the queue is closed."""
        while (key := await self.queue.get()) is not None:
            started = time.monotonic()
            try:
                with about(namespace=key[0], run=key[1]):
                    result = await self._step_or_retry(key)
            finally:
                self.queue.done(key)
            self.metrics.reconciles.labels(result).inc()
            self.metrics.duration.observe(time.monotonic() - started)

    async def _step_or_retry(self, key: Key) -> str:
        try:
            after = await self.step(key)
        except Conflict as error:
            _log.debug("the run changed meanwhile: %s", error)
            self.queue.retry(key)
            return "conflict"
        except Unavailable as error:
            delay = self.queue.retry(key, error.retry_after)
            _log.warning("the API server could not answer; again in %.1f s: %s", delay, error)
            return "unavailable"
        except (ApiError, NameTaken) as error:
            delay = self.queue.retry(key)
            _log.warning("the API server refused; again in %.1f s: %s", delay, error)
            return "refused"
        except Exception:
            delay = self.queue.retry(key)
            _log.exception("a step failed; again in %.1f s", delay)
            return "error"
        self.queue.succeeded(key)
        await self._spare(key, changed=after == 0.0)
        if after is not None:
            self.queue.add_after(key, after)
        return "ok"

    async def _spare(self, key: Key, *, changed: bool) -> None:
        if not changed:
            self._streaks.pop(key, None)
            return
        self._streaks[key] += 1
        if self._streaks[key] == _LONG_STREAK:
            _log.warning("%d steps in a row changed something; going on more slowly", _LONG_STREAK)
        if self._streaks[key] >= _LONG_STREAK:
            await asyncio.sleep(self.pause)

    def _tell_strangers(self, run_uid: str, children: Children) -> None:
        for each in children.strangers:
            if self.cache.note_stranger(run_uid, each.uid):
                place = f"{each.object_key.kind}/{each.object_key.namespace}/{each.object_key.name}"
                _log.warning("passed over: it has the run's label, and was not made for it: %s", place)

    async def step(self, key: Key) -> float | None:
        """Bring a run on by one step.

        Returns:
            Seconds after which it should be looked at again though nothing happens; None: never.

        Raises:
            ApiError: a call failed.
            NameTaken: a stranger's object is in the way.
        """
        found = self.cache.run(key)
        if found is None:
            return None
        entry, kept = found
        there = self.cache.children(entry.uid)
        if kept.settled and not there:
            left = None if kept.expires is None else (kept.expires - self.now()).total_seconds()
            if left is None or left > 0:
                return left
        seen = kept.read()
        children = children_of(seen.run, there, self.cache.made(entry.uid))
        with about(run_uid=entry.uid):
            self._tell_strangers(entry.uid, children)
            if seen.problems:
                plan = plan_of_unreadable(seen, children, now=self.now(), secret=self.cache.secret(entry.uid))
            else:
                plan = self.plan(
                    observed(
                        seen,
                        children,
                        now=self.now(),
                        settings=self.settings,
                        kuberay=self.kuberay(),
                        secret=self.cache.secret(entry.uid),
                        refused=self.cache.refused(entry.uid),
                        sweep_result=self.cache.sweep_result(entry.uid),
                    )
                )
            changed = await self.applier.apply(seen.run, plan)
        return 0.0 if changed else plan.requeue_after

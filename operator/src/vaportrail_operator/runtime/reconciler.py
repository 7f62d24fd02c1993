"""The loop: a key, what is observed of its run, a plan, its application, and when to look again."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from vaportrail_operator.acting.apply import Applier, NameTaken
from vaportrail_operator.acting.client import ApiError, Conflict, Unavailable, WebhookUnanswered
from vaportrail_operator.observation.observe import Children, children_of, observed
from vaportrail_operator.planning.quota import claimant_of
from vaportrail_operator.planning.types import Observed, OperatorSettings, Plan
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.claims import Claims
from vaportrail_operator.runtime.keys import Key, RunKey, ScheduleKey
from vaportrail_operator.runtime.lease import LeaseLost
from vaportrail_operator.runtime.logs import about
from vaportrail_operator.runtime.metrics import Metrics
from vaportrail_operator.runtime.room import Room
from vaportrail_operator.runtime.schedule_steps import ScheduleSteps
from vaportrail_operator.runtime.step import Rest, Step
from vaportrail_operator.runtime.unreadable import plan_of_unreadable
from vaportrail_operator.runtime.workqueue import WorkQueue

__all__ = ["Reconciler"]

_log = logging.getLogger(__name__)
_LONG_STREAK = 50
_WORDS = {False: "run", True: "schedule"}
"""What a key is of, in the log."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Brings runs and schedules on, one step at a time.

    Attributes:
        queue: of what to look at.
        cache: what is known.
        applier: carries out plans.
        plan: the planner of runs.
        settings: the operator's.
        kuberay: whether RayClusters can be made.
        now: the time.
        metrics: where steps are counted.
        claims: which namespaces this installation brings runs on in.
        room: which runs wait for one quota.
        sweep_of_gone: removes what is left of runs that are gone, of one name.
        schedules: plans the steps of schedules; None: there are none.
        pause: seconds before the next step of a run or schedule whose every step so far changed
            something, once there were many: whatever goes wrong, the API server is not flooded.
    """

    queue: WorkQueue[Key]
    cache: Cache
    applier: Applier
    plan: Callable[[Observed], Plan]
    settings: OperatorSettings
    kuberay: Callable[[], bool]
    now: Callable[[], datetime]
    metrics: Metrics
    claims: Claims
    sweep_of_gone: Callable[[RunKey], Awaitable[float | None]]
    room: Room = field(default_factory=Room)
    schedules: ScheduleSteps | None = None
    pause: float = 1.0
    _streaks: Counter[Key] = field(default_factory=Counter)

    async def work(self) -> None:
        """Work on keys until the queue is closed, as many at a time as it gives out."""
        async with asyncio.TaskGroup() as steps:
            while (key := await self.queue.get()) is not None:
                steps.create_task(self._work_on(key))

    async def _work_on(self, key: Key) -> None:
        started = time.monotonic()
        try:
            with about(namespace=key[0], **{_WORDS[isinstance(key, ScheduleKey)]: key[1]}):
                result = await self._step_or_retry(key)
        finally:
            self.queue.done(key)
        self.metrics.reconciles.labels(result).inc()
        self.metrics.duration.observe(time.monotonic() - started)

    async def _step_or_retry(self, key: Key) -> str:
        planned: Step | Rest = Rest(None)
        try:
            if not await self._is_ours(key):
                self.queue.add_after(key, self.claims.again)
                return "claimed"
            planned = self._planned(key)
            after = await self._carry_out(key, planned)
        except Conflict as error:
            _log.debug("it changed meanwhile: %s", error)
            self.queue.retry(key)
            return "conflict"
        except WebhookUnanswered as error:
            return self._put_off(key, planned, error)
        except Unavailable as error:
            delay = self.queue.retry(key, error.retry_after)
            _log.warning("the API server could not answer; again in %.1f s: %s", delay, error)
            return "unavailable"
        except LeaseLost as error:
            self.queue.retry(key)
            _log.info("a step was left: %s", error)
            return "left"
        except (ApiError, NameTaken) as error:
            return self._put_off(key, planned, error)
        except Exception:
            delay = self.queue.retry(key, refused=True)
            _log.exception("a step failed; again in %.1f s", delay)
            return "error"
        self.queue.succeeded(key)
        await self._spare(key, changed=after == 0.0)
        if after is not None:
            self.queue.add_after(key, after)
        return "ok"

    async def _is_ours(self, key: Key) -> bool:
        if isinstance(key, ScheduleKey):
            return self.cache.schedule(key) is None or await self.claims.holds(key.namespace)
        # What is done for a run that is over is harmless, whoever does it, and however often.
        found = self.cache.run(key)
        return found is None or found[1].over or await self.claims.holds(key[0])

    def _put_off(self, key: Key, planned: Step | Rest, error: Exception) -> str:
        """Have what was refused something looked at in minutes, or when its deadline has come."""
        again = planned.again if isinstance(planned, Step) else None
        delay = self.queue.retry(key, refused=True, at_most=math.inf if again is None else again)
        _log.warning("the API server refused; again in %.1f s: %s", delay, error)
        return "refused"

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
        """Bring a run or schedule on by one step.

        Returns:
            Seconds after which it should be looked at again though nothing happens; None: never.

        Raises:
            ApiError: a call failed.
            NameTaken: a stranger's object is in the way.
        """
        return await self._carry_out(key, self._planned(key))

    def _planned(self, key: Key) -> Step | Rest:
        """Return what is to be done, or that nothing is."""
        if isinstance(key, ScheduleKey):
            return self.schedules.planned(key) if self.schedules else Rest(None)
        self.room.looked(key)
        found = self.cache.run(key)
        if found is None or found[1].over:
            self.room.note(key, None)
        if found is None:
            self.metrics.runs.gone(key)
            return Rest(None)
        entry, kept = found
        self.metrics.runs.saw(key, kept.phase, lambda: kept.read().run.status)
        there = self.cache.children(entry.uid)
        if kept.settled and not there:
            left = None if kept.expires is None else (kept.expires - self.now()).total_seconds()
            if left is None or left > 0:
                return Rest(left)
        seen = kept.read()
        children = children_of(seen.run, there, self.cache.made(entry.uid))
        self._tell_strangers(entry.uid, children)
        secret = self.cache.secret(entry.uid)
        if seen.problems:
            plan = plan_of_unreadable(seen, children, now=self.now(), secret=secret)
        else:
            found_out = observed(
                seen,
                children,
                now=self.now(),
                settings=self.settings,
                kuberay=self.kuberay(),
                secret=secret,
                refused=self.cache.refused(entry.uid),
                sweep_result=self.cache.sweep_result(entry.uid),
            )
            plan = self.plan(self._beside_others(key, found_out))
        return Step(entry.uid, plan.requeue_after, lambda: self.applier.apply(seen.run, plan))

    def _beside_others(self, key: RunKey, seen: Observed) -> Observed:
        """Take in what a run is to its namespace's quotas; return it with who waits for the same one."""
        own = claimant_of(seen)
        self.room.note(key, own)
        return replace(seen, rivals=self.room.rivals(key[0], own.quota)) if own and own.quota else seen

    async def _carry_out(self, key: Key, planned: Step | Rest) -> float | None:
        if isinstance(planned, Rest):
            gone = not isinstance(key, ScheduleKey) and not self.cache.run(key)
            return await self.sweep_of_gone((key[0], key[1])) if gone else planned.seconds
        with about(**{f"{_WORDS[isinstance(key, ScheduleKey)]}_uid": planned.uid}):
            changed = await planned.carry_out()
        return 0.0 if changed else planned.again

"""Carries out a schedule's plan: cancel, create, write the status, delete, in this order.

A run carries what the status will say, so what is repeated after a kill is a normal outcome.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from vaportrail.crd.pipelineschedule import PipelineSchedule
from vaportrail.crd.schedule_status import PipelineScheduleStatus
from vaportrail_operator.acting.cache_updates import CacheUpdates
from vaportrail_operator.acting.client import (
    AlreadyExists,
    ApiError,
    Client,
    Conflict,
    Invalid,
    NamespaceTerminating,
    NotFound,
    Object,
    Unavailable,
)
from vaportrail_operator.acting.endpoints import RUNS, SCHEDULES
from vaportrail_operator.acting.events import event_of
from vaportrail_operator.acting.status_writer import StatusMemory, status_body, stored_status
from vaportrail_operator.observation.entries import ObjectKey, entry_of
from vaportrail_operator.observation.fields import controller_of, metadata_of
from vaportrail_operator.observation.wording import plain_refusal
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.schedules.plan_schedule import refused_status
from vaportrail_operator.planning.schedules.schedule_types import (
    CancelRun,
    CreateRun,
    DeleteRunOfTick,
    ObservedSchedule,
    SchedulePlan,
)
from vaportrail_operator.planning.types import KubernetesEvent

__all__ = ["ScheduleApplier"]

_log = logging.getLogger(__name__)


class ScheduleApplier:
    """Carries out the plans of schedules.

    Args:
        client: of the API server.
        cache_updates: is told every outcome.
        now: the time.
        instance: names this operator in Events.
        send_event: has an Event sent, some time; returns at once.
    """

    def __init__(
        self,
        client: Client,
        cache_updates: CacheUpdates,
        *,
        now: Callable[[], datetime],
        instance: str,
        send_event: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._client, self._cache_updates, self._now = client, cache_updates, now
        self._instance, self._send_event = instance, send_event
        self._kept = StatusMemory(SCHEDULES)

    async def apply(self, seen: ObservedSchedule, plan: SchedulePlan) -> bool:
        """Carry out a plan.

        Returns:
            Whether anything changed by it, so that another plan may follow from that.

        Raises:
            Conflict: something has changed meanwhile; what it is now was taken in.
            ApiError: a call failed.
        """
        schedule, changed = seen.schedule, False
        if (plan.cancels or plan.creates) and not await self._is_as_planned(schedule):
            return True
        for cancel in plan.cancels:
            changed |= await self._cancel(schedule, cancel)
        for create in plan.creates:
            try:
                changed |= await self._create(schedule, create)
            except NamespaceTerminating:
                _log.info("no run is made in a namespace that is being deleted")
                return changed
            except ApiError as error:
                if _is_refusal(error):
                    await self._tell_refused(seen, create, plain_refusal(error.said))
                raise
        if self._kept.differ(schedule.status, plan.status):
            changed = True
            if not await self._write_status(schedule, plan.status):
                return True
        for event in plan.events:
            self._say(schedule, event)
        for delete in plan.deletes:
            changed |= await self._delete(schedule, delete)
        return changed

    def _say(self, schedule: PipelineSchedule, event: KubernetesEvent, subject: str = "") -> None:
        said = event_of(schedule, event, instance=self._instance, now=self._now(), subject=subject)
        self._send_event(said)

    async def _is_as_planned(self, schedule: PipelineSchedule) -> bool:
        """Look live whether a schedule is still what the plan was made for; takes in what it is."""
        raw = await self._read(schedule)
        return raw is not None and _version_of(raw) == schedule.metadata.resource_version

    async def _read(self, schedule: PipelineSchedule) -> Object | None:
        metadata = schedule.metadata
        try:
            raw = await self._client.get(SCHEDULES, metadata.namespace, metadata.name)
        except NotFound:
            self._drop(Kind.SCHEDULE, metadata.namespace, metadata.name, metadata.uid)
            return None
        self._put(Kind.SCHEDULE, raw)
        return raw

    async def _cancel(self, schedule: PipelineSchedule, cancel: CancelRun) -> bool:
        namespace = schedule.metadata.namespace
        try:
            live = await self._client.get(RUNS, namespace, cancel.name)
            if metadata_of(live).get("uid") == cancel.uid and not live["spec"].get("cancel"):
                wanted = {**live, "spec": {**live["spec"], "cancel": True}}
                live = await self._client.replace(RUNS, namespace, wanted)
                _log.info("cancelled", extra={"object": f"{Kind.RUN}/{cancel.name}"})
        except NotFound:
            return self._drop(Kind.RUN, namespace, cancel.name, cancel.uid)
        return self._put(Kind.RUN, live)

    async def _create(self, schedule: PipelineSchedule, create: CreateRun) -> bool:
        namespace, name = schedule.metadata.namespace, metadata_of(create.manifest)["name"]
        try:
            made = await self._client.create(RUNS, namespace, create.manifest)
            _log.info("created", extra={"object": f"{Kind.RUN}/{name}"})
        except AlreadyExists:
            made = await self._client.get(RUNS, namespace, name)
            if controller_of(made) != schedule.metadata.uid:
                taken = f"{name} exists and is not this schedule's: delete it, or rename the schedule"
                raise Invalid(taken, status=HTTPStatus.CONFLICT) from None
        return self._put(Kind.RUN, made)

    async def _tell_refused(self, seen: ObservedSchedule, create: CreateRun, why: str) -> None:
        status = refused_status(seen, create.tick, why)
        if self._kept.differ(seen.schedule.status, status):
            await self._write_status(seen.schedule, status)
        # Its words may differ from tick to tick; it is one and the same all the while.
        self._say(seen.schedule, KubernetesEvent("Warning", "RunRefused", why), "run")

    async def _write_status(self, schedule: PipelineSchedule, status: PipelineScheduleStatus) -> bool:
        """Write the status; returns whether there still is the schedule."""
        metadata, body = schedule.metadata, status_body(status)
        try:
            stored = await self._client.replace_status(
                SCHEDULES, metadata.namespace, metadata.name, metadata.resource_version, body
            )
        except NotFound:
            self._drop(Kind.SCHEDULE, metadata.namespace, metadata.name, metadata.uid)
            return False
        except Conflict:
            await self._read(schedule)
            raise
        self._kept.compare(body, stored_status(stored, metadata.uid, body, "observedGeneration"))
        self._put(Kind.SCHEDULE, stored)
        return True

    async def _delete(self, schedule: PipelineSchedule, delete: DeleteRunOfTick) -> bool:
        namespace = schedule.metadata.namespace
        try:
            reply = await self._client.delete(RUNS, namespace, delete.name, uid=delete.uid)
        except (NotFound, Conflict):  # it is gone, or another has its name
            return self._drop(Kind.RUN, namespace, delete.name, delete.uid)
        _log.info("over the history limit: deleted", extra={"object": f"{Kind.RUN}/{delete.name}"})
        if metadata_of(reply).get("deletionTimestamp"):
            return self._put(Kind.RUN, reply)
        return self._drop(Kind.RUN, namespace, delete.name, delete.uid)

    def _put(self, kind: Kind, raw: Object) -> bool:
        entry = entry_of(kind, raw)
        return entry is not None and self._cache_updates.put(entry)

    def _drop(self, kind: Kind, namespace: str, name: str, uid: str) -> bool:
        return self._cache_updates.drop(ObjectKey(kind, namespace, name), uid)


def _version_of(raw: Object) -> str:
    return str(metadata_of(raw).get("resourceVersion", ""))


def _is_refusal(error: ApiError) -> bool:
    """Return whether an error says that the run may not be made; else nobody knows."""
    if isinstance(error, Unavailable):
        # An admission webhook that does not answer.
        return error.status == HTTPStatus.INTERNAL_SERVER_ERROR
    return not isinstance(error, Conflict | NotFound)

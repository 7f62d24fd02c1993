"""Carries out a plan, one call after another: what has happened already is a normal outcome."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from vaportrail.resources.pipelinerun import PipelineRun
from vaportrail_operator.acting.client import (
    AlreadyExists,
    Client,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Object,
)
from vaportrail_operator.acting.events import post
from vaportrail_operator.acting.resources import RESOURCE_OF, RUNS
from vaportrail_operator.acting.status import status_body
from vaportrail_operator.acting.sweep import Found, look
from vaportrail_operator.observation.entries import Entry, Place, Watched, entry_of
from vaportrail_operator.observation.fields import controller_of, metadata_of
from vaportrail_operator.observation.runs import RunSeen
from vaportrail_operator.planning.types import (
    RUN_UID_LABEL,
    Action,
    Create,
    CreateTokens,
    Delete,
    DeleteRun,
    Kind,
    Note,
    Plan,
    SecretState,
    Sweep,
    Swept,
)

__all__ = ["Applier", "Knowledge", "NameTaken"]

_log = logging.getLogger(__name__)
_SECRET_TRIES = 3


class NameTaken(Exception):
    """An object of a name that a run needs is there, and is not the run's."""


class Knowledge(Protocol):
    """What is told at once of the outcome of a call: the next plan need not wait for the watch."""

    def put(self, entry: Entry) -> bool:
        """Take in an object; returns whether it is new."""

    def drop(self, place: Place, uid: str) -> bool:
        """Take in that an object is gone for good."""

    def mark_deleting(self, place: Place, uid: str) -> bool:
        """Take in that a deletion was accepted; returns whether that is new."""

    def replace_all(
        self, kind: Watched, scope: str | None, entries: Iterable[Entry], version: str, run_uid: str = ""
    ) -> None:
        """Take in a complete list, of a run's objects where its uid is given."""

    def set_secret(self, run_uid: str, state: SecretState) -> None:
        """Remember what became of a run's Secret."""

    def set_swept(self, run_uid: str, swept: Swept) -> None:
        """Remember a live look for what is left of a run."""


class _Stop(Exception):
    """The rest of the plan follows from something that is no longer so."""


class Applier:
    """Carries out plans.

    Args:
        client: of the API server.
        knowledge: is told every outcome.
        now: the time.
        token: makes a random token, different each time.
        instance: names this operator in Events.
    """

    def __init__(
        self,
        client: Client,
        knowledge: Knowledge,
        *,
        now: Callable[[], datetime],
        token: Callable[[], str],
        instance: str,
    ) -> None:
        self._client = client
        self._knowledge = knowledge
        self._now = now
        self._token = token
        self._instance = instance

    async def apply(self, run: PipelineRun, plan: Plan) -> bool:
        """Write the status if it differs, then carry out the actions in their order.

        Args:
            run: as the plan saw it.
            plan: what to do.

        Returns:
            Whether anything changed by it, so that another plan may follow from that.

        Raises:
            Conflict: the run has changed meanwhile; nothing was done, what it is now was taken in.
            NameTaken: a stranger's object is in the way.
            ApiError: a call failed.
        """
        changed = False
        if plan.status != run.status:
            if not await self._write_status(run, plan):
                return True
            changed = True
        for note in plan.notes:
            await post(self._client, run, note, instance=self._instance, now=self._now())
        try:
            for action in plan.actions:
                changed |= await self._act(run, plan, action)
        except _Stop:
            return True
        except (Forbidden, Invalid, NameTaken) as error:
            refusal = Note("Warning", type(error).__name__, str(error))
            await post(self._client, run, refusal, instance=self._instance, now=self._now())
            raise
        return changed

    async def _write_status(self, run: PipelineRun, plan: Plan) -> bool:
        metadata = run.metadata
        body = status_body(plan.status)
        try:
            stored = await self._client.replace_status(
                RUNS, metadata.namespace, metadata.name, metadata.resource_version, body
            )
        except NotFound:
            self._knowledge.drop(_run_place(run), metadata.uid)
            return False
        except Conflict:
            await self._read_run(run)
            raise
        self._take_in(Watched.RUN, stored)
        _log.info(
            "status written",
            extra={
                "phase": str(plan.status.phase),
                "reason": str(plan.status.reason),
                "version": metadata_of(stored).get("resourceVersion"),
            },
        )
        return True

    async def _act(self, run: PipelineRun, plan: Plan, action: Action) -> bool:
        match action:
            case CreateTokens():
                return await self._create_tokens(run, plan, action)
            case Create():
                return await self._create(run, plan, action)
            case Delete(kind=Kind.SECRET):
                return await self._delete_secret(run, action)
            case Delete():
                return await self._delete(run, action)
            case Sweep():
                return await self._sweep(run)
            case DeleteRun():
                return await self._delete_run(run)

    async def _create_tokens(self, run: PipelineRun, plan: Plan, action: CreateTokens) -> bool:
        await self._check_wanted(run, plan)
        manifest = {**action.manifest, "stringData": {key: self._token() for key in action.keys}}
        name = metadata_of(manifest)["name"]
        try:
            await self._client.create(RESOURCE_OF[Kind.SECRET], run.metadata.namespace, manifest)
        except AlreadyExists:
            # The uid is in its name, and nobody but this operator may make it: it is the run's.
            _log.debug("the Secret is there already", extra={"object": f"Secret/{name}"})
        else:
            _log.info("created", extra={"object": f"Secret/{name}"})
        self._knowledge.set_secret(run.metadata.uid, SecretState.MADE)
        return True

    async def _create(self, run: PipelineRun, plan: Plan, action: Create) -> bool:
        await self._check_wanted(run, plan)
        namespace, name = run.metadata.namespace, metadata_of(action.manifest)["name"]
        resource, kind = RESOURCE_OF[action.kind], Watched(action.kind)
        try:
            made = await self._client.create(resource, namespace, action.manifest)
        except AlreadyExists:
            made = await self._client.get(resource, namespace, name)
            self._check_ours(run, action, made)
        else:
            _log.info(
                "created", extra={"object": f"{action.kind}/{name}", "object_uid": made["metadata"]["uid"]}
            )
        return self._take_in(kind, made)

    def _check_ours(self, run: PipelineRun, action: Create, there: Object) -> None:
        uid = run.metadata.uid
        label = (metadata_of(there).get("labels") or {}).get(RUN_UID_LABEL)
        controlled = bool(controller_of(action.manifest))
        if label != uid or (controlled and controller_of(there) != uid):
            raise NameTaken(
                f"{action.kind} {metadata_of(there)['name']} exists and does not belong to this run: "
                "delete it, or delete the run and make it again under another name"
            )

    async def _check_wanted(self, run: PipelineRun, plan: Plan) -> None:
        """Look live, before anything is made, whether the run is still what the plan was made for.

        Raises:
            _Stop: it is not; what it is now was taken in.
        """
        live = await self._read_run(run)
        same = live is not None and live.metadata.uid == run.metadata.uid
        if live is None or not same or live.metadata.deletion_timestamp:
            raise _Stop
        if live.spec.cancel != run.spec.cancel or live.status != plan.status:
            raise _Stop

    async def _read_run(self, run: PipelineRun) -> PipelineRun | None:
        try:
            raw = await self._client.get(RUNS, run.metadata.namespace, run.metadata.name)
        except NotFound:
            self._knowledge.drop(_run_place(run), run.metadata.uid)
            return None
        entry = entry_of(Watched.RUN, raw)
        assert entry is not None
        self._knowledge.put(entry)
        return entry.seen.run if isinstance(entry.seen, RunSeen) else None

    async def _delete(self, run: PipelineRun, action: Delete) -> bool:
        place = Place(Watched(action.kind), run.metadata.namespace, action.name)
        resource = RESOURCE_OF[action.kind]
        try:
            reply = await self._client.delete(
                resource, place.namespace, action.name, uid=action.uid, grace_seconds=action.grace_seconds
            )
        except NotFound:
            return self._knowledge.drop(place, action.uid)
        except Conflict:
            # Another object has its name now: the one that was meant is gone.
            return self._knowledge.drop(place, action.uid)
        new = self._knowledge.mark_deleting(place, action.uid)
        if reply.get("kind") == resource.kind and metadata_of(reply).get("deletionTimestamp"):
            new |= self._take_in(place.kind, reply)
        if new:
            _log.info("deleted", extra={"object": f"{action.kind}/{action.name}", "object_uid": action.uid})
        return new

    async def _delete_secret(self, run: PipelineRun, action: Delete) -> bool:
        resource = RESOURCE_OF[Kind.SECRET]
        for _ in range(_SECRET_TRIES):
            try:
                await self._client.delete(resource, run.metadata.namespace, action.name)
            except NotFound:
                self._knowledge.set_secret(run.metadata.uid, SecretState.GONE)
                _log.info("gone", extra={"object": f"Secret/{action.name}"})
                return True
        return False

    async def _sweep(self, run: PipelineRun) -> bool:
        metadata = run.metadata
        cluster = f"{metadata.name}-{metadata.uid[:8]}"
        found = await look(self._client, metadata.namespace, metadata.uid, cluster)
        for each in found:
            self._take_in_list(run, each)
        left = tuple(name for each in found for name in each.names)
        self._knowledge.set_swept(metadata.uid, Swept(self._now(), left))
        _log.info("swept", extra={"left": len(left)})
        return True

    async def _delete_run(self, run: PipelineRun) -> bool:
        metadata = run.metadata
        try:
            await self._client.delete(RUNS, metadata.namespace, metadata.name, uid=metadata.uid)
        except (NotFound, Conflict):
            return self._knowledge.drop(_run_place(run), metadata.uid)
        _log.info("the run's time to live is over: deleted")
        return False

    def _take_in(self, kind: Watched, raw: Object) -> bool:
        entry = entry_of(kind, raw)
        return entry is not None and self._knowledge.put(entry)

    def _take_in_list(self, run: PipelineRun, found: Found) -> None:
        entries = [entry for raw in found.labelled if (entry := entry_of(found.kind, raw))]
        if found.version:
            self._knowledge.replace_all(
                found.kind, run.metadata.namespace, entries, found.version, run.metadata.uid
            )


def _run_place(run: PipelineRun) -> Place:
    return Place(Watched.RUN, run.metadata.namespace, run.metadata.name)

"""Carries out a plan, one call after another: what has happened already is a normal outcome."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.status import shortened
from vaportrail_operator.acting.adoption import is_as_asked
from vaportrail_operator.acting.cache_updates import CacheUpdates
from vaportrail_operator.acting.client import (
    AlreadyExists,
    ApiError,
    Client,
    Conflict,
    Forbidden,
    Invalid,
    NamespaceTerminating,
    NotFound,
    Object,
    Unavailable,
)
from vaportrail_operator.acting.endpoints import RUNS
from vaportrail_operator.acting.events import event_of, subject_of
from vaportrail_operator.acting.seen import Seen
from vaportrail_operator.acting.status_writer import StatusMemory, status_body, stored_status
from vaportrail_operator.acting.sweep import sweep
from vaportrail_operator.observation.entries import ObjectKey, entry_of, run_key
from vaportrail_operator.observation.fields import metadata_of
from vaportrail_operator.observation.observe import children_of
from vaportrail_operator.observation.runs import KeptRun
from vaportrail_operator.observation.wording import plain_refusal
from vaportrail_operator.planning.kinds import ENDPOINTS, Endpoint, Kind
from vaportrail_operator.planning.types import (
    COMPONENT_LABEL,
    Action,
    Create,
    CreateTokens,
    Delete,
    DeleteRun,
    KubernetesEvent,
    Plan,
    Refusal,
    SecretState,
    Sweep,
    SweepResult,
)

__all__ = ["Applier", "NameTaken"]

_log = logging.getLogger(__name__)
_REFUSAL_LENGTH = 512


class NameTaken(Exception):
    """An object of a name that a run needs is there, and is not the run's."""


class _Stop(Exception):
    """The rest of the plan follows from something that is no longer so."""


class Applier:
    """Carries out plans.

    Args:
        client: of the API server.
        cache_updates: is told every outcome.
        now: the time.
        token: makes a random token, different each time.
        instance: names this operator in Events.
        send_event: has an Event sent, some time; returns at once.
    """

    def __init__(
        self,
        client: Client,
        cache_updates: CacheUpdates,
        *,
        now: Callable[[], datetime],
        token: Callable[[], str],
        instance: str,
        send_event: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._client = client
        self._cache_updates = cache_updates
        self._now = now
        self._token = token
        self._instance, self._send_event = instance, send_event
        self._kept = StatusMemory(RUNS)

    async def apply(self, run: PipelineRun, plan: Plan) -> bool:
        """Write the status if it differs, then carry out the actions in their order.

        Returns:
            Whether anything changed by it, so that another plan may follow from that.

        Raises:
            Conflict: the run has changed meanwhile; nothing was done, what it is now was taken in.
            NameTaken: a stranger's object is in the way.
            ApiError: a call failed.
        """
        changed, seen = False, Seen(run.metadata.resource_version)
        planned = Seen(seen.version, self._now())
        if self._kept.differ(run.status, plan.status):
            written = await self._write_status(run, plan)
            if written is None:
                return True
            # That it was written says what a look would: the run was as it was planned for.
            changed, seen = True, Seen(written, self._now())
        for event in plan.events:
            self._say(run, event)
        try:
            for action in plan.actions:
                if not planned.holds(self._now()):  # a call took its time: others have moved meanwhile
                    return True
                changed |= await self._act(run, seen, action)
        except _Stop:
            return True
        except NamespaceTerminating:
            # The run goes with its namespace, and so does whatever was made for it.
            _log.info("nothing is made in a namespace that is being deleted")
            return changed
        except (Forbidden, Invalid, NameTaken) as error:
            why = error.said if isinstance(error, ApiError) else str(error)
            self._say(run, KubernetesEvent("Warning", type(error).__name__, why), subject_of(action))
            raise
        # Whatever was refused has been made now, or is not asked for any more.
        changed |= self._cache_updates.set_refusal(run.metadata.uid, None)
        return changed

    def _say(self, run: PipelineRun, event: KubernetesEvent, subject: str = "") -> None:
        self._send_event(event_of(run, event, instance=self._instance, now=self._now(), subject=subject))

    async def _write_status(self, run: PipelineRun, plan: Plan) -> str | None:
        """Write the status; returns the run's new version, or None where there is no run any more."""
        metadata = run.metadata
        body = status_body(plan.status)
        try:
            stored = await self._client.replace_status(
                RUNS, metadata.namespace, metadata.name, metadata.resource_version, body
            )
        except NotFound:
            self._cache_updates.drop(run_key(run), metadata.uid)
            return None
        except Conflict:
            await self._read_run(run)
            raise
        self._kept.compare(body, stored_status(stored, metadata.uid, body, "phase"))
        self._put(Kind.RUN, stored)
        version = str(metadata_of(stored).get("resourceVersion", ""))
        _log.info(
            "status written",
            extra={"phase": str(plan.status.phase), "reason": str(plan.status.reason), "version": version},
        )
        return version

    async def _act(self, run: PipelineRun, seen: Seen, action: Action) -> bool:
        match action:
            case CreateTokens():
                await self._check_wanted(run, seen)
                return await self._create_tokens(run, action)
            case Create():
                await self._check_wanted(run, seen)
                return await self._create(run, action)
            case Delete(kind=Kind.SECRET):
                return await self._delete_secret(run, action)
            case Delete():
                return await self._delete(run, action)
            case Sweep():
                return await self._sweep(run)
            case DeleteRun():
                return await self._delete_run(run, seen.version)

    async def _create_tokens(self, run: PipelineRun, action: CreateTokens) -> bool:
        metadata = metadata_of(action.manifest)
        if action.owner:
            owner = self._as_owner(run, *action.owner)
            metadata = {**metadata, "ownerReferences": [*metadata.get("ownerReferences", ()), owner]}
        tokens = {key: self._token() for key in action.keys}
        manifest = {**action.manifest, "metadata": metadata, "stringData": tokens}
        # If it is there, it is the run's: its name has the uid, and nobody but this operator may make it.
        await self._make(run, Kind.SECRET, manifest)
        self._cache_updates.set_secret(run.metadata.uid, SecretState.MADE)
        return True

    def _as_owner(self, run: PipelineRun, kind: Kind, name: str) -> dict[str, Any]:
        there = self._cache_updates.get(ObjectKey(kind, run.metadata.namespace, name))
        if there is None:
            raise _Stop
        return ENDPOINTS[kind].reference(name, there.uid)

    async def _create(self, run: PipelineRun, action: Create) -> bool:
        made = await self._make(run, action.kind, action.manifest)
        if made is None:
            name = metadata_of(action.manifest)["name"]
            made = await self._client.get(ENDPOINTS[action.kind], run.metadata.namespace, name)
            self._check_ours(run, action, made)
        # From here on what it says is believed.
        new = self._cache_updates.note_made(run.metadata.uid, metadata_of(made).get("uid", ""))
        return self._put(action.kind, made) or new

    async def _make(self, run: PipelineRun, kind: Kind, manifest: Mapping[str, Any]) -> Object | None:
        """Create an object; returns it as it was stored, or None where one of its name is there."""
        name = metadata_of(manifest)["name"]
        try:
            made = await self._client.create(ENDPOINTS[kind], run.metadata.namespace, manifest)
        except AlreadyExists:
            _log.debug("it is there already", extra={"object": f"{kind}/{name}"})
            return None
        except (Conflict, NamespaceTerminating):
            raise
        except ApiError as error:
            if isinstance(error, Unavailable) and error.status != HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            # An admission webhook that does not answer is a 500, with words that name it.
            self._remember_refusal(
                run, f"{_called(kind, manifest)} cannot be made: {plain_refusal(error.said)}", error.status
            )
            raise
        extra = {"object": f"{kind}/{name}", "object_uid": metadata_of(made).get("uid", "")}
        _log.info("created", extra=extra)
        return made

    def _remember_refusal(self, run: PipelineRun, text: str, status: int = 0) -> None:
        refusal = Refusal(shortened(text, _REFUSAL_LENGTH), status, self._now())
        self._cache_updates.set_refusal(run.metadata.uid, refusal)

    def _check_ours(self, run: PipelineRun, action: Create, there: Object) -> None:
        if not is_as_asked(action.manifest, there):
            what, name = _called(action.kind, action.manifest), metadata_of(there)["name"]
            taken = f"{what} cannot be made: {name} exists and is not what the operator made for this run"
            self._remember_refusal(run, taken)
            raise NameTaken(taken)

    async def _check_wanted(self, run: PipelineRun, seen: Seen) -> None:
        """Look live whether the run is still what the plan was made for, unless that is known since seconds.

        Args:
            run: as the plan saw it.
            seen: what it had to be then, or became by the plan's status.

        Raises:
            _Stop: it is not; what it is now was taken in.
        """
        if seen.holds(self._now()):
            return
        live = await self._read_run(run)
        if live is None or live.metadata.resource_version != seen.version:
            raise _Stop
        seen.at = self._now()

    async def _read_run(self, run: PipelineRun) -> PipelineRun | None:
        try:
            raw = await self._client.get(RUNS, run.metadata.namespace, run.metadata.name)
        except NotFound:
            self._cache_updates.drop(run_key(run), run.metadata.uid)
            return None
        entry = entry_of(Kind.RUN, raw)
        assert entry is not None
        self._cache_updates.put(entry)
        return entry.seen.read().run if isinstance(entry.seen, KeptRun) else None

    async def _delete(self, run: PipelineRun, action: Delete) -> bool:
        object_key = ObjectKey(action.kind, run.metadata.namespace, action.name)
        endpoint = ENDPOINTS[action.kind]
        try:
            reply = await self._client.delete(
                endpoint,
                object_key.namespace,
                action.name,
                uid=action.uid,
                grace_seconds=action.grace_seconds,
            )
        except NotFound:
            return self._cache_updates.drop(object_key, action.uid)
        except Conflict:
            if not await self._is_another(endpoint, object_key, action.uid):
                raise
            return True
        new = self._cache_updates.mark_deleting(object_key, action.uid)
        if reply.get("kind") == endpoint.kind and metadata_of(reply).get("deletionTimestamp"):
            new |= self._put(object_key.kind, reply)
        if new:
            _log.info("deleted", extra={"object": f"{action.kind}/{action.name}", "object_uid": action.uid})
        return new

    async def _is_another(self, endpoint: Endpoint, object_key: ObjectKey, uid: str) -> bool:
        """Look what has the name of an object now; returns whether that object is gone."""
        try:
            there = await self._client.get(endpoint, object_key.namespace, object_key.name)
        except NotFound:
            self._cache_updates.drop(object_key, uid)
            return True
        metadata = metadata_of(there)
        if metadata.get("uid") == uid:
            return False
        # It may be a stranger's, which no watch would tell of: it is not taken in.
        self._cache_updates.drop(object_key, uid, metadata.get("resourceVersion", ""))
        return True

    async def _delete_secret(self, run: PipelineRun, action: Delete) -> bool:
        """Delete the Secret, which nobody may look for: the reply tells whether it is gone."""
        try:
            reply = await self._client.delete(ENDPOINTS[Kind.SECRET], run.metadata.namespace, action.name)
        except NotFound:
            reply = {"kind": "Status", "status": "Success"}
        gone = reply.get("kind") == "Status" and reply.get("status") == "Success"
        if gone:
            self._cache_updates.set_secret(run.metadata.uid, SecretState.GONE)
            _log.info("gone", extra={"object": f"Secret/{action.name}"})
        return gone

    async def _sweep(self, run: PipelineRun) -> bool:
        uid = run.metadata.uid
        found = await sweep(self._client, run)
        self._cache_updates.replace_of_run(run_key(run), uid, found)
        own = children_of(run, found.entries, self._cache_updates.made(uid)).own
        left = tuple(f"{each.object_key.kind}/{each.object_key.name}" for each in own)
        self._cache_updates.set_sweep_result(uid, SweepResult(self._now(), left))
        _log.info("swept", extra={"left": len(left)})
        return True

    async def _delete_run(self, run: PipelineRun, version: str) -> bool:
        metadata = run.metadata
        try:
            await self._client.delete(
                RUNS, metadata.namespace, metadata.name, uid=metadata.uid, version=version
            )
        except NotFound:
            return self._cache_updates.drop(run_key(run), metadata.uid)
        except Conflict:
            # Its time to live may be longer now.
            await self._check_wanted(run, Seen(version))
            raise
        _log.info("the run's time to live is over: deleted")
        return False

    def _put(self, kind: Kind, raw: Object) -> bool:
        entry = entry_of(kind, raw)
        return entry is not None and self._cache_updates.put(entry)


def _called(kind: Kind, manifest: Mapping[str, Any]) -> str:
    component = (metadata_of(manifest).get("labels") or {}).get(COMPONENT_LABEL)
    return f"{component} pod" if kind is Kind.POD and component else str(kind)

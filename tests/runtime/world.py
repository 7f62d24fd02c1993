"""An API server in memory: uids, versions, conflicts, labels, owners; behind the client's protocol.

It can fail any call, before or after it took effect: what a real one does only by chance.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from vaportrail_operator.acting.client import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Listing,
    NamespaceTerminating,
    NotFound,
    Object,
)
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS, RUNS, SCHEDULES, SERVICES
from vaportrail_operator.planning.kinds import Endpoint

__all__ = ["FOREGROUND", "START", "World", "copied"]

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FOREGROUND = "foregroundDeletion"
_GRACE_SECONDS = 30
_ENDED = ("Succeeded", "Failed")
_COUNTED = (SCHEDULES, RUNS, RAY_CLUSTERS)
"""Kinds whose every change of what is asked for is a generation."""


def copied(raw: Object) -> Object:
    """Return a copy of a plain object: a hundred times a run, so not by `copy.deepcopy`."""
    copy: Object = marshal.loads(marshal.dumps(raw))
    return copy


class World:
    """Objects by endpoint, namespace and name.

    Attributes:
        calls: the verb, kind and name of every call that changed something.
        before: told each call that changes something, before it takes effect; may raise.
        after: the same, after it took effect.
        missing: plurals of what is not served.
        refused: plural and namespace of what may not be listed.
        kept: given a status, returns what of it the definition has fields for.
        watchers: told the kind, the object and whether it is gone, of every change.
        now: the server's time.
        collects: whether what an object owned goes with it at once; else somebody plays the collector.
        terminating: the namespaces in which nothing can be made any more.
        admits: given the kind and what is to be made, raises what an admission says.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.calls: list[str] = []
        self.before: Callable[[str], None] = lambda call: None
        self.after: Callable[[str], None] = lambda call: None
        self.missing: set[str] = set()
        self.refused: set[tuple[str, str | None]] = set()
        self.kept: Callable[[Object], Object] = lambda status: status
        self.watchers: list[Callable[[str, Object, bool], None]] = []
        self.now: Callable[[], datetime] = lambda: START
        self.collects = True
        self.terminating: set[str] = set()
        self.admits: Callable[[Endpoint, Object], None] = lambda endpoint, raw: None
        self.version = 100

    def of(self, endpoint: Endpoint) -> list[Object]:
        """Return all objects of a kind."""
        return [each for (plural, _, _), each in self.objects.items() if plural == endpoint.plural]

    def put(self, endpoint: Endpoint, raw: Object) -> Object:
        """Store an object as it is, with a new version, and a uid where it has none."""
        metadata = raw.setdefault("metadata", {})
        metadata.setdefault("namespace", "team")
        metadata.setdefault("uid", f"{self._bump():08d}-0000-4000-8000-000000000000")
        metadata.setdefault("creationTimestamp", self.timestamp())
        metadata["resourceVersion"] = str(self._bump())
        raw.setdefault("kind", endpoint.kind)
        self.objects[endpoint.plural, metadata["namespace"], metadata["name"]] = raw
        self._tell(raw, gone=False)
        return copied(raw)

    def timestamp(self, seconds: float = 0) -> str:
        """Return the server's time, so many seconds from now, as it writes it."""
        return (self.now() + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def remove(self, endpoint: Endpoint, name: str, namespace: str = "team") -> None:
        """Take an object away, and what it owns."""
        gone = self.objects.pop((endpoint.plural, namespace, name))
        gone["metadata"]["resourceVersion"] = str(self._bump())
        self._tell(gone, gone=True)
        if not self.collects:
            return
        uid = gone["metadata"]["uid"]
        for (plural, object_key, other), each in list(self.objects.items()):
            owners = each["metadata"].get("ownerReferences", [])
            rest = [owner for owner in owners if owner["uid"] != uid]
            if (plural, object_key, other) in self.objects and len(rest) < len(owners):
                if rest:
                    each["metadata"]["ownerReferences"] = rest
                    continue
                self.remove(Endpoint("", "", plural, ""), other, object_key)

    async def get(self, endpoint: Endpoint, namespace: str, name: str) -> Object:
        return copied(self._at(endpoint, namespace, name))

    async def list(self, endpoint: Endpoint, namespace: str | None, selector: str = "") -> Listing:
        if (endpoint.plural, namespace) in self.refused:
            raise Forbidden(f"{endpoint.plural} in {namespace} are forbidden", status=403)
        self._check_served(endpoint)
        key, _, value = selector.partition("=")
        found = []
        for each in self.of(endpoint):
            metadata = each["metadata"]
            labels = metadata.get("labels") or {}
            inside = namespace in (None, metadata["namespace"])
            if inside and (not key or (key in labels and value in ("", labels[key]))):
                found.append(copied(each))
        return Listing(found, str(self.version))

    async def each(
        self, endpoint: Endpoint, namespace: str | None, selector: str, take: Callable[[Object], None]
    ) -> str:
        listing = await self.list(endpoint, namespace, selector)
        for each in listing.items:
            take(each)
        return listing.version

    async def create(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        self._check_served(endpoint)
        name = manifest["metadata"]["name"]

        def act() -> Object:
            if (endpoint.plural, namespace, name) in self.objects:
                raise AlreadyExists(f"{name} is there", status=409, reason="AlreadyExists")
            if namespace in self.terminating:
                raise NamespaceTerminating(f"{namespace} is being deleted", status=403, reason="Forbidden")
            raw: Object = json.loads(json.dumps(manifest))
            raw["metadata"]["namespace"] = namespace
            self.admits(endpoint, raw)
            if endpoint in _COUNTED:
                raw["metadata"]["generation"] = 1
            return self.put(endpoint, raw)

        return self._change(f"create {endpoint.kind}/{name}", act)

    async def replace(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        name = manifest["metadata"]["name"]

        def act() -> Object:
            there = self._at(endpoint, namespace, name)
            if manifest["metadata"].get("resourceVersion") != there["metadata"]["resourceVersion"]:
                raise Conflict("changed", status=409)
            raw: Object = json.loads(json.dumps(manifest))
            raw["metadata"] = {**there["metadata"], **raw["metadata"]}
            return self.put(endpoint, raw)

        return self._change(f"replace {endpoint.kind}/{name}", act)

    async def replace_status(
        self, endpoint: Endpoint, namespace: str, name: str, version: str, status: Mapping[str, Any]
    ) -> Object:
        def act() -> Object:
            there = self._at(endpoint, namespace, name)
            if version != there["metadata"]["resourceVersion"]:
                raise Conflict("changed", status=409)
            kept = self.kept(json.loads(json.dumps(status)))
            if there.get("status", {}) == kept:
                return copied(there)
            there["status"] = kept
            return self.put(endpoint, there)

        return self._change(f"status {endpoint.kind}/{name}", act)

    async def delete(
        self,
        endpoint: Endpoint,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        version: str = "",
        grace_seconds: int | None = None,
    ) -> Object:
        def act() -> Object:
            there = self._at(endpoint, namespace, name)
            if uid and there["metadata"]["uid"] != uid:
                raise Conflict("another uid", status=409)
            if version and there["metadata"]["resourceVersion"] != version:
                raise Conflict("another version", status=409)
            return self.let_go(endpoint, there, grace_seconds)

        return self._change(f"delete {endpoint.kind}/{name}", act)

    def let_go(
        self, endpoint: Endpoint, there: Object, grace_seconds: int | None = None, *, foreground: bool = False
    ) -> Object:
        """Begin the deletion of an object, which is all of it where nothing holds it.

        A pod that is on a node is its kubelet's to end; a finalizer is somebody's to take off.
        """
        metadata = there["metadata"]
        if foreground and FOREGROUND not in metadata.get("finalizers", []):
            metadata["finalizers"] = [*metadata.get("finalizers", []), FOREGROUND]
        grace = self._grace(endpoint, there, grace_seconds)
        if grace or metadata.get("finalizers"):
            self._mark(endpoint, there, grace)
            return copied(there)
        self.remove(endpoint, metadata["name"], metadata["namespace"])
        # What is gone at once is told of by an object where its kind is the server's own.
        return copied(there) if endpoint in (PODS, SERVICES) else {"kind": "Status", "status": "Success"}

    def _grace(self, endpoint: Endpoint, there: Object, asked: int | None) -> int:
        if endpoint.plural != PODS.plural:
            return 0
        spec, phase = there.get("spec") or {}, (there.get("status") or {}).get("phase")
        if not spec.get("nodeName") or phase in _ENDED:
            return 0
        return int(spec.get("terminationGracePeriodSeconds", _GRACE_SECONDS) if asked is None else asked)

    def _mark(self, endpoint: Endpoint, there: Object, grace: int) -> None:
        metadata = there["metadata"]
        known = metadata.get("deletionGracePeriodSeconds")
        if metadata.get("deletionTimestamp") and (known is None or grace >= known):
            return
        metadata["deletionTimestamp"] = self.timestamp(grace)
        metadata["deletionGracePeriodSeconds"] = grace
        if endpoint in _COUNTED:
            metadata["generation"] = metadata.get("generation", 1) + 1
        self.put(endpoint, there)

    def edit(self, endpoint: Endpoint, name: str, namespace: str = "team", **spec: Any) -> None:
        """Change what is asked of an object, as a user does."""
        there = self.objects[endpoint.plural, namespace, name]
        there["spec"] = {**there.get("spec", {}), **spec}
        if endpoint in _COUNTED:
            there["metadata"]["generation"] = there["metadata"].get("generation", 1) + 1
        self.put(endpoint, there)

    def unfinalize(self, endpoint: Endpoint, there: Object, finalizer: str) -> None:
        """Take a finalizer off, and let go what nothing holds any more."""
        metadata = there["metadata"]
        metadata["finalizers"] = [each for each in metadata.get("finalizers", []) if each != finalizer]
        if metadata.get("deletionTimestamp") and not metadata["finalizers"]:
            self.remove(endpoint, metadata["name"], metadata["namespace"])
        else:
            self.put(endpoint, there)

    def backup(self) -> tuple[dict[tuple[str, str, str], Object], int]:
        """Return all there is, as etcd's snapshot holds it."""
        return {key: copied(raw) for key, raw in self.objects.items()}, self.version

    def restore(self, backup: tuple[dict[tuple[str, str, str], Object], int], bump: int = 0) -> None:
        """Put a backup in the place of all there is; no watch tells.

        Args:
            backup: as it was taken.
            bump: what the store's revision is raised by; those of the objects stay.
        """
        objects, version = backup
        self.objects = {key: copied(raw) for key, raw in objects.items()}
        self.version = version + bump

    def left(self) -> list[str]:
        """Return `<Kind>/<name>` of everything that was made for runs and is there."""
        kinds = (PODS, SERVICES, RAY_CLUSTERS)
        return sorted(f"{kind.kind}/{each['metadata']['name']}" for kind in kinds for each in self.of(kind))

    def status(self, name: str) -> Object:
        """Return a run's status."""
        status: Object = self.objects[RUNS.plural, "team", name].get("status", {})
        return status

    def _change(self, call: str, act: Callable[[], Object]) -> Object:
        self.before(call)
        answer = act()
        self.calls.append(call)
        self.after(call)
        return answer

    def _at(self, endpoint: Endpoint, namespace: str, name: str) -> Object:
        self._check_served(endpoint)
        try:
            return self.objects[endpoint.plural, namespace, name]
        except KeyError:
            raise NotFound(f"there is no {endpoint.kind} {name}", status=404) from None

    def _check_served(self, endpoint: Endpoint) -> None:
        if endpoint.plural in self.missing:
            raise NotFound(f"{endpoint.plural} are not served", status=404)

    def _tell(self, raw: Object, *, gone: bool) -> None:
        # Each comes and goes in a thread of its own.
        for watcher in list(self.watchers):
            watcher(raw["kind"], copied(raw), gone)

    def _bump(self) -> int:
        self.version += 1
        return self.version

"""An API server in memory: uids, versions, conflicts, labels, owners; behind the client's protocol.

It can fail any call, before or after it took effect: what a real one does only by chance.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from vaportrail_operator.acting.client import AlreadyExists, Conflict, Forbidden, Listing, NotFound, Object
from vaportrail_operator.acting.endpoints import RUNS
from vaportrail_operator.planning.kinds import ENDPOINTS, WATCHED, Endpoint, Kind

__all__ = ["World"]

_TIME = "2026-01-02T03:04:05Z"


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
        self._version = 100

    def of(self, endpoint: Endpoint) -> list[Object]:
        """Return all objects of a kind."""
        return [each for (plural, _, _), each in self.objects.items() if plural == endpoint.plural]

    def put(self, endpoint: Endpoint, raw: Object) -> Object:
        """Store an object as it is, with a new version, and a uid where it has none."""
        metadata = raw.setdefault("metadata", {})
        metadata.setdefault("namespace", "team")
        metadata.setdefault("uid", f"{self._bump():08d}-0000-4000-8000-000000000000")
        metadata.setdefault("creationTimestamp", _TIME)
        metadata["resourceVersion"] = str(self._bump())
        raw.setdefault("kind", endpoint.kind)
        self.objects[endpoint.plural, metadata["namespace"], metadata["name"]] = raw
        self._tell(raw, gone=False)
        return copy.deepcopy(raw)

    def remove(self, endpoint: Endpoint, name: str, namespace: str = "team") -> None:
        """Take an object away, and what it owns."""
        gone = self.objects.pop((endpoint.plural, namespace, name))
        gone["metadata"]["resourceVersion"] = str(self._bump())
        self._tell(gone, gone=True)
        uid = gone["metadata"]["uid"]
        for (plural, object_key, other), each in list(self.objects.items()):
            owners = [owner["uid"] for owner in each["metadata"].get("ownerReferences", [])]
            if uid in owners and (plural, object_key, other) in self.objects:
                self.remove(Endpoint("", "", plural, ""), other, object_key)

    async def get(self, endpoint: Endpoint, namespace: str, name: str) -> Object:
        return copy.deepcopy(self._at(endpoint, namespace, name))

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
                found.append(copy.deepcopy(each))
        return Listing(found, str(self._version))

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
            raw = copy.deepcopy(dict(manifest))
            raw["metadata"]["namespace"] = namespace
            return self.put(endpoint, raw)

        return self._change(f"create {endpoint.kind}/{name}", act)

    async def replace(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        name = manifest["metadata"]["name"]

        def act() -> Object:
            there = self._at(endpoint, namespace, name)
            if manifest["metadata"].get("resourceVersion") != there["metadata"]["resourceVersion"]:
                raise Conflict("changed", status=409)
            raw = copy.deepcopy(dict(manifest))
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
            kept = self.kept(copy.deepcopy(dict(status)))
            if there.get("status", {}) == kept:
                return copy.deepcopy(there)
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
            self.remove(endpoint, name, namespace)
            return {"kind": "Status", "status": "Success"}

        return self._change(f"delete {endpoint.kind}/{name}", act)

    def left(self) -> list[str]:
        """Return `<Kind>/<name>` of everything that was made for runs and is there."""
        kinds = [ENDPOINTS[kind] for kind in WATCHED if kind is not Kind.RUN]
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
            watcher(raw["kind"], copy.deepcopy(raw), gone)

    def _bump(self) -> int:
        self._version += 1
        return self._version

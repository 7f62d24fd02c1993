"""The Kubernetes API by the official client: its configuration, credentials and connections.

Its generic call is used, not its typed classes: those cost 25 MB, and the operator keeps plain objects.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import (
    ConfigException,
    load_incluster_config,
    load_kube_config,
)

from vaportrail_operator.acting.client import (
    AlreadyExists,
    ApiError,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    Listing,
    NamespaceTerminating,
    NotFound,
    Object,
    Unavailable,
    WebhookUnanswered,
)
from vaportrail_operator.acting.decoding import decode, decode_list
from vaportrail_operator.planning.kinds import Endpoint

__all__ = ["Access", "KubernetesClient", "load_access", "load_configuration"]

Query = list[tuple[str, str]]
_FIRST_PAGE, _LARGEST_PAGE = 20, 500
_PAGE_BYTES = 4 << 20
"""Of a page, about: an object may have over a megabyte, and a page is in memory as a whole."""
_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_MANAGER = "vaportrail"
_MESSAGE_LIMIT = 2000
_LONGEST_WAIT = 300.0
"""Seconds that are waited at most, whatever a reply asks for."""
_WEBHOOK = "failed calling webhook"


async def load_configuration() -> Configuration:
    """Return how to reach the API server: as a pod, else by the kubeconfig.

    Raises:
        ConfigException: there is neither.
    """
    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)
    except ConfigException:
        await load_kube_config(client_configuration=configuration, persist_config=False)
    # A proxy for the rest of the world is not for the API server.
    configuration.client_session_kwargs = {"trust_env": False}
    # From Python 3.13 on, certificates without key identifiers are refused; some clusters' have none.
    configuration.disable_strict_ssl_verification = True
    return configuration


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach the API server, for other clients than this one."""

    server: str
    authorization: str
    tls: ssl.SSLContext


async def load_access() -> Access:
    """Return how to reach the API server, read anew: tokens of pods are replaced from time to time."""
    configuration = await load_configuration()
    token = (await configuration.auth_settings()).get("BearerToken") or {}
    return Access(
        server=configuration.host,
        authorization=str(token.get("value") or ""),
        tls=ApiClient(configuration).rest_client.ssl_context,
    )


class KubernetesClient:
    """A `Client` of a real API server. Close it in the end.

    Args:
        configuration: of the official client.
        user_agent: what the API server's audit log says of who called.
        observe_date: told the `Date` of each reply.
        observe_call: told method and status of each call; 0 where no reply came.
    """

    def __init__(
        self,
        configuration: Configuration,
        user_agent: str = "vaportrail-operator",
        observe_date: Callable[[str], None] = lambda date: None,
        observe_call: Callable[[str, int], None] = lambda method, status: None,
    ) -> None:
        self._api = ApiClient(configuration)
        self._observe_date, self._observe_call = observe_date, observe_call
        self._api.user_agent = user_agent

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()

    async def get(self, endpoint: Endpoint, namespace: str, name: str) -> Object:
        """Return an object as it is now."""
        return await self._call("GET", endpoint.path(namespace, name))

    async def list(self, endpoint: Endpoint, namespace: str | None, selector: str = "") -> Listing:
        """Return all objects that a label selector chooses, page by page."""
        items: list[Object] = []
        return Listing(items, await self.each(endpoint, namespace, selector, items.append))

    async def each(
        self, endpoint: Endpoint, namespace: str | None, selector: str, take: Callable[[Object], None]
    ) -> str:
        """Give each object that a label selector chooses to `take`; return the version of the list."""
        path = endpoint.path(namespace)
        query: Query = [("labelSelector", selector)] if selector else []
        token, version, limit = "", "", _FIRST_PAGE
        while True:
            page = [("limit", str(limit)), *([("continue", token)] if token else [])]
            reply = await self._fetch("GET", path, query=[*query, *page])
            found = _checked(f"GET {path}", reply, lambda text: decode_list(text, take))
            metadata = found.get("metadata") or {}
            version = version or metadata.get("resourceVersion", "")
            token = metadata.get("continue", "")
            if not token:
                return version
            limit = max(_FIRST_PAGE, min(_LARGEST_PAGE, _PAGE_BYTES * limit // max(1, len(reply.text))))

    async def create(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        """Create an object; returns it as it was stored."""
        return await self._call("POST", endpoint.path(namespace), body=dict(manifest), query=_managed())

    async def replace(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        """Put another object in the place of the one whose resourceVersion it carries."""
        path = endpoint.path(namespace, manifest["metadata"]["name"])
        return await self._call("PUT", path, body=dict(manifest), query=_managed())

    async def replace_status(
        self, endpoint: Endpoint, namespace: str, name: str, version: str, status: Mapping[str, Any]
    ) -> Object:
        """Put a status in the place of the one of this version of the object; returns the object."""
        # A merge patch would keep what is gone from the new status; "add" replaces.
        # Another version than the stored one is a conflict, not a failed test of the patch.
        body = [
            {"op": "add", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/status", "value": dict(status)},
        ]
        path = endpoint.path(namespace, name, "status")
        kind = "application/json-patch+json"
        return await self._call("PATCH", path, body=body, content_type=kind, query=_managed())

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
        """Delete an object if it has uid and version; returns it while it is still ending, or a `Status`."""
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        wanted = {"uid": uid, "resourceVersion": version}
        if preconditions := {name: value for name, value in wanted.items() if value}:
            body["preconditions"] = preconditions
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        return await self._call("DELETE", endpoint.path(namespace, name), body=body)

    async def _call(self, method: str, path: str, **request: Any) -> Object:
        return _checked(f"{method} {path}", await self._fetch(method, path, **request), decode)

    async def _fetch(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> _Reply:
        try:
            request = await self._api.param_serialize(
                method,
                path,
                query_params=query,
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            reply = await self._api.call_api(*request, _request_timeout=_TIMEOUT)
            content = await reply.read()
        except (aiohttp.ClientError, OSError) as error:
            self._observe_call(method, 0)
            raise Unavailable(f"{method} {path}: {type(error).__name__}: {error}") from error
        self._observe_call(method, reply.status)
        if reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            # Others may be what a proxy says in the API server's place.
            self._observe_date(reply.headers.get("Date", ""))
        text = content.decode(errors="replace")
        return _Reply(reply.status, text, reply.headers.get("Retry-After", ""))


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    text: str
    retry_after: str


def _checked(call: str, reply: _Reply, read: Callable[[str], Any]) -> Object:
    try:
        answer: Object = read(reply.text)
    except ValueError:
        answer = {}
    is_object = isinstance(answer, Mapping) and bool(answer)
    if reply.status >= HTTPStatus.BAD_REQUEST:
        told = answer if is_object else {"message": reply.text}
        raise _error(call, reply.status, told, reply.retry_after)
    if not is_object:
        # A gateway's own page, or one that was cut off: to take it as "nothing there" would be to act on it.
        said = reply.text[:_MESSAGE_LIMIT]
        raise Unavailable(f"{call}: {reply.status}, but no answer of an API server: {said}", said=said)
    return answer


def _managed() -> Query:
    return [("fieldManager", _MANAGER)]


def _error(call: str, status: int, answer: Mapping[str, Any], retry_after: str) -> ApiError:
    reason = str(answer.get("reason") or "")
    said = str(answer.get("message") or "")[:_MESSAGE_LIMIT]
    text = f"{call}: {status} {reason}: {said}"
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        seconds = retry_after or _details(answer).get("retryAfterSeconds") or 0
        try:
            wait = float(seconds)
            wait = min(max(wait, 0.0), _LONGEST_WAIT) if math.isfinite(wait) else 0.0
        except (TypeError, ValueError):
            wait = 0.0
        webhook = status == HTTPStatus.INTERNAL_SERVER_ERROR and _WEBHOOK in said
        failure = WebhookUnanswered if webhook else Unavailable
        return failure(text, status=status, reason=reason, said=said, retry_after=wait)
    if status == HTTPStatus.CONFLICT:
        kind: type[ApiError] = AlreadyExists if reason == "AlreadyExists" else Conflict
    elif "NamespaceTerminating" in _causes(answer):
        kind = NamespaceTerminating
    else:
        kinds: dict[int, type[ApiError]] = {
            HTTPStatus.NOT_FOUND: NotFound,
            HTTPStatus.FORBIDDEN: Forbidden,
            HTTPStatus.UNAUTHORIZED: Forbidden,
            HTTPStatus.GONE: Expired,
            HTTPStatus.BAD_REQUEST: Invalid,
            HTTPStatus.UNPROCESSABLE_ENTITY: Invalid,
        }
        kind = kinds.get(status, ApiError)
    return kind(text, status=status, reason=reason, said=said)


def _causes(answer: Mapping[str, Any]) -> list[str]:
    causes = _details(answer).get("causes")
    found = causes if isinstance(causes, list) else []
    return [str(cause.get("reason")) for cause in found if isinstance(cause, Mapping)]


def _details(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    details = answer.get("details")
    return details if isinstance(details, Mapping) else {}

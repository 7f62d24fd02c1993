"""What the operator asks of a Kubernetes API: few verbs, plain objects, typed errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vaportrail_operator.planning.kinds import Endpoint

__all__ = [
    "AlreadyExists",
    "ApiError",
    "Client",
    "Conflict",
    "Expired",
    "Forbidden",
    "Invalid",
    "Listing",
    "NamespaceTerminating",
    "NotFound",
    "Object",
    "Unavailable",
    "WebhookUnanswered",
]

Object = dict[str, Any]
"""An object of the Kubernetes API as JSON."""


class ApiError(Exception):
    """The API server refused a call.

    Attributes:
        status: the HTTP status; 0 where there was no answer.
        reason: Kubernetes' reason, such as `AlreadyExists`.
        said: the API server's own words, without the call that they answer.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "", said: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.said = said or message


class NotFound(ApiError):
    """There is no such object, or its kind is not served."""


class Conflict(ApiError):
    """The object is not the one, or not in the version, that was meant."""


class AlreadyExists(Conflict):
    """An object of that name is there."""


class Forbidden(ApiError):
    """A right is missing, or a quota is used up."""


class NamespaceTerminating(ApiError):
    """The namespace is being deleted: nothing can be made in it any more."""


class Invalid(ApiError):
    """The object does not pass validation or admission."""


class Expired(ApiError):
    """A list's continuation is too old."""


class Unavailable(ApiError):
    """No answer, or one that says to try again.

    Attributes:
        retry_after: seconds that the API server asks to wait; 0 where it does not say.
    """

    def __init__(
        self, message: str, *, status: int = 0, reason: str = "", said: str = "", retry_after: float = 0.0
    ) -> None:
        super().__init__(message, status=status, reason=reason, said=said)
        self.retry_after = retry_after


class WebhookUnanswered(Unavailable):
    """An admission webhook of the cluster did not answer the API server: nothing passes it for now."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A complete list, and the version of the collection that it shows."""

    items: list[Object]
    version: str


class Client(Protocol):
    """The Kubernetes API. Every method raises `ApiError`s; none of them tries again by itself."""

    async def each(
        self, endpoint: Endpoint, namespace: str | None, selector: str, take: Callable[[Object], None]
    ) -> str:
        """Give each object that a label selector chooses to `take`; return the version of the list.

        Never are all of them in memory: there may be thousands, of over a megabyte each.
        """

    async def get(self, endpoint: Endpoint, namespace: str, name: str) -> Object:
        """Return an object as it is now."""

    async def list(self, endpoint: Endpoint, namespace: str | None, selector: str = "") -> Listing:
        """Return all objects that a label selector chooses; of all namespaces where none is given."""

    async def create(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        """Create an object; returns it as it was stored."""

    async def replace(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        """Put another object in the place of the one whose resourceVersion it carries."""

    async def replace_status(
        self, endpoint: Endpoint, namespace: str, name: str, version: str, status: Mapping[str, Any]
    ) -> Object:
        """Put a status in the place of the one of this version of the object; returns the object.

        Raises:
            Conflict: the object has another version now.
        """

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
        """Delete an object if it has uid and version; returns it while it is still ending, or a `Status`.

        Raises:
            Conflict: the object of that name has another uid, or another version now.
        """

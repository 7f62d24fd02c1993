"""A status as it is written: whole, without what is empty; and what the API server keeps of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Set
from typing import Any

from vaportrail.crd.schedule_status import PipelineScheduleStatus
from vaportrail.crd.status import PipelineRunStatus
from vaportrail_operator.acting.client import Object, Unavailable
from vaportrail_operator.observation.fields import metadata_of
from vaportrail_operator.planning.kinds import Endpoint

__all__ = ["StatusMemory", "lost_fields", "status_body", "stored_status", "without"]

_log = logging.getLogger(__name__)

_Status = PipelineRunStatus | PipelineScheduleStatus
_Field = tuple[str, ...]
"""The way to a field; `*` for the entries of a list."""


def status_body(status: _Status) -> dict[str, Any]:
    """Return a status as JSON; what is empty, and a count of one, is left out, and read back as such.

    Conditions are complete: Kubernetes' own form asks for every field.
    """
    body: dict[str, Any] = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    for entry in body.get("receipt", ()):
        if entry["count"] == 1:
            del entry["count"]
    conditions = body.pop("conditions", [])
    return {**_without_empty(body), **({"conditions": conditions} if conditions else {})}


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        cleaned = {name: _without_empty(each) for name, each in value.items()}
        return {name: each for name, each in cleaned.items() if each not in ("", [], {})}
    return [_without_empty(each) for each in value] if isinstance(value, list) else value


def stored_status(reply: Object, uid: str, sent: dict[str, Any], mark: str) -> dict[str, Any]:
    """Return the status in the reply to its writing.

    Args:
        reply: of the API server, or of whatever stands before it.
        uid: of the object.
        sent: what was written.
        mark: a field by which it is known again; no definition is without it.

    Raises:
        Unavailable: it is not that object with that status. Nothing may be done by a status that may not
            stand, and what a definition keeps cannot be learnt from such a reply.
    """
    status = reply.get("status")
    is_it = isinstance(status, dict) and status.get(mark) == sent.get(mark)
    if not isinstance(status, dict) or not is_it or metadata_of(reply).get("uid") != uid:
        raise Unavailable(
            "the reply to a status is not the object with its status: what became of it is not known"
        )
    return status


class StatusMemory:
    """What the API server does not keep of a status, as its replies show.

    A definition that is older than this operator lacks fields, which are cut off without a word. What
    comes back would differ from what was meant for ever, and be written for ever.

    Args:
        endpoint: of the kind.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._definition = f"{endpoint.plural}.{endpoint.group}"
        self._lost: frozenset[_Field] = frozenset()

    def differ(self, there: _Status, wanted: _Status) -> bool:
        """Return whether a status has to be written, since one is there that can be told from it."""
        if there == wanted:
            return False
        one, other = (without(status_body(each), self._lost) for each in (there, wanted))
        return bool(one != other)

    def compare(self, sent: dict[str, Any], stored: dict[str, Any]) -> None:
        """Learn from what was stored of what was sent; says in the log what was lost, when that is new."""
        lost = frozenset(lost_fields(sent, stored))
        if lost - self._lost:
            _log.error(
                "the definition of %s is another version's than this operator's: apply the operator's own; "
                "of the status it does not keep %s",
                self._definition,
                ", ".join(sorted(map(".".join, lost))),
            )
        self._lost = (self._lost - frozenset(_fields(sent))) | lost


def lost_fields(sent: Any, stored: Any) -> Iterator[_Field]:
    """Yield the fields that were stored as something else than was sent, or not at all."""
    if isinstance(sent, dict) and isinstance(stored, dict):
        for name, each in sent.items():
            if name not in stored:
                yield (name,)
            else:
                yield from ((name, *rest) for rest in lost_fields(each, stored[name]))
    elif isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        for one, other in zip(sent, stored, strict=True):
            yield from (("*", *rest) for rest in lost_fields(one, other))
    elif sent != stored:
        yield ()


def _fields(value: Any) -> Iterator[_Field]:
    """Yield all fields of a value."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield (name,)
            yield from ((name, *rest) for rest in _fields(each))
    elif isinstance(value, list):
        for each in value:
            yield from (("*", *rest) for rest in _fields(each))


def without(value: Any, fields: Set[_Field], place: _Field = ()) -> Any:
    """Return a value without some fields."""
    if place in fields:
        return None
    if isinstance(value, dict):
        return {
            name: without(each, fields, (*place, name))
            for name, each in value.items()
            if (*place, name) not in fields
        }
    if isinstance(value, list):
        return [without(each, fields, (*place, "*")) for each in value]
    return value

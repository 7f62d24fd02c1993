"""A run's status as it is written: whole, without what is empty."""

from __future__ import annotations

from typing import Any

from vaportrail.resources.status import PipelineRunStatus

__all__ = ["status_body"]


def status_body(status: PipelineRunStatus) -> dict[str, Any]:
    """Return a status as JSON; empty texts, lists and maps are left out, and read back as such.

    Conditions are complete: Kubernetes' own form asks for every field.
    """
    body: dict[str, Any] = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    conditions = body.pop("conditions", [])
    return {**_without_empty(body), **({"conditions": conditions} if conditions else {})}


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        cleaned = {name: _without_empty(each) for name, each in value.items()}
        return {name: each for name, each in cleaned.items() if each not in ("", [], {})}
    return [_without_empty(each) for each in value] if isinstance(value, list) else value

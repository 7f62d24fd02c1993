"""How large a status may get: a PipelineRun stays within 8 KiB as `kubectl` prints it, whatever was said.

Every free text is bounded here, in bytes of what is printed. Where all of them together are still too
much, what stands elsewhere in the status goes first: the words of conditions, then further leftovers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from vaportrail.crd.status import PipelineRunStatus, printed_bytes, shortened

__all__ = ["STATUS_BYTES", "fitted", "status_bytes"]

STATUS_BYTES: Final = 7168
"""Of a status as `kubectl get -o json` prints it; metadata and its managed fields take 1 KiB beside it."""
_TEXTS: Final = {
    "message": 1000,
    "outcome": 32,
    "source_revision": 64,
    "image_digest": 72,
    "ray_head_uid": 64,
}
_OF_RECORD: Final = {"manifest_sha256": 64, "plan_sha256": 64}
_OF_RECEIPT: Final = {"object": 96, "uid": 64, "lifetime": 64}
_STRETCH: Final = 64
_LEFTOVER: Final = 96
_CONDITION: Final = 256
_SHORTER: Final = ((128, 8, 1000), (64, 4, 1000), (0, 2, 1000), (0, 1, 128))
"""What conditions may say, how many leftovers are named, and the message, until the whole is small enough."""


def fitted(status: PipelineRunStatus) -> PipelineRunStatus:
    """Return a status that is small enough; one that is already is returned as it is."""
    status = _with_bounded_texts(status)
    for words, leftovers, message in _SHORTER:
        if status_bytes(status) <= STATUS_BYTES:
            break
        status = status.model_copy(
            update={
                "conditions": [_with_message(each, words) for each in status.conditions],
                "leftovers": status.leftovers[:leftovers],
                "message": shortened(status.message, message),
            }
        )
    return status


def status_bytes(status: PipelineRunStatus) -> int:
    """Return how many bytes a status takes as `kubectl` prints it, a little more at most."""
    text = status.model_dump_json(by_alias=True, exclude_none=True, indent=4)
    # Printed within the run each line is one level further in.
    marks = sum(map(text.count, "<>&")) * 5 + sum(map(text.count, "\u2028\u2029")) * 3
    return len(text.encode(errors="replace")) + 4 * text.count("\n") + marks


def _with_bounded_texts(status: PipelineRunStatus) -> PipelineRunStatus:
    changed: dict[str, Any] = dict(_longer(status, _TEXTS))
    if status.record and (of_record := dict(_longer(status.record, _OF_RECORD))):
        changed["record"] = status.record.model_copy(update=of_record)
    receipt = [_bounded(each, _OF_RECEIPT) for each in status.receipt]
    timeline = {
        shortened(name, _STRETCH): shortened(each, _STRETCH) for name, each in status.timeline.items()
    }
    leftovers = [shortened(each, _LEFTOVER) for each in status.leftovers]
    conditions = [_with_message(each, _CONDITION) for each in status.conditions]
    lists: dict[str, Any] = {
        "receipt": receipt,
        "timeline": timeline,
        "leftovers": leftovers,
        "conditions": conditions,
    }
    changed |= {name: each for name, each in lists.items() if each != getattr(status, name)}
    return status.model_copy(update=changed) if changed else status


def _bounded(model: Any, limits: dict[str, int]) -> Any:
    changed = dict(_longer(model, limits))
    return model.model_copy(update=changed) if changed else model


def _longer(model: Any, limits: dict[str, int]) -> Iterator[tuple[str, str]]:
    for name, limit in limits.items():
        text = getattr(model, name)
        if printed_bytes(text) > limit:
            yield name, shortened(text, limit)


def _with_message(condition: Any, limit: int) -> Any:
    if not limit:
        return condition.model_copy(update={"message": ""}) if condition.message else condition
    return _bounded(condition, {"message": limit})

"""A status as it is written, and as a definition of another version keeps it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.applying import Scene
from runtime.world import World
from vaportrail.crd.status import (
    Condition,
    ConditionType,
    Phase,
    PipelineRunStatus,
    ReceiptStatus,
    RecordStatus,
)
from vaportrail_operator.acting.client import Unavailable
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS
from vaportrail_operator.acting.status_writer import lost_fields, status_body, without
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import Action, Create


def test_a_status_is_read_back_as_it_was_written() -> None:
    condition = Condition(
        type=ConditionType.FINISHED,
        status="True",
        reason="Completed",
        last_transition_time="2026-01-02T03:04:05Z",
    )
    status = PipelineRunStatus(
        phase=Phase.SUCCEEDED, record=RecordStatus(uri="s3://runs/ml"), conditions=[condition]
    )
    body = status_body(status)
    assert PipelineRunStatus.model_validate(body) == status
    assert "outcome" not in body
    assert body["conditions"][0]["message"] == ""


class Cut(Scene):
    """A scene whose definition is older than the operator: it has no `outcome`, and receipts no `uid`."""

    def __init__(self) -> None:
        super().__init__()
        self.world.kept = self._kept

    def _kept(self, status: dict[str, Any]) -> dict[str, Any]:
        status.pop("outcome", None)
        for each in status.get("receipt", []):
            each.pop("uid", None)
        return status

    def again(self, *actions: Action, **status: Any) -> bool:
        """Apply a plan to the run as it is now."""
        self.run = self.read()
        return self.apply(*actions, status=PipelineRunStatus(phase=Phase.PROVISIONING, **status))


LOST = {"outcome": "FAILED", "receipt": [ReceiptStatus(object="Pod/it", uid="it", lifetime="a/..")]}


def test_a_status_that_the_definition_cuts_is_not_written_again_and_again() -> None:
    scene = Cut()
    assert scene.again(**LOST)
    scene.world.calls.clear()
    assert not scene.again(**LOST)
    assert scene.world.calls == []


def test_a_change_in_what_the_definition_keeps_is_written() -> None:
    scene = Cut()
    scene.again(**LOST)
    assert scene.again(**LOST, message="more")
    assert scene.world.status("mnist")["message"] == "more"


def test_fields_that_the_definition_cuts_are_named_once(caplog: pytest.LogCaptureFixture) -> None:
    scene = Cut()
    for message in ("one", "two"):
        scene.again(**LOST, message=message)
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert line.endswith("it does not keep outcome, receipt.*.uid")


def test_a_definition_that_has_the_fields_again_gets_them() -> None:
    scene = Cut()
    scene.again(**LOST)
    scene.world.kept = lambda status: status
    scene.again(**LOST, message="more")
    assert scene.world.status("mnist")["outcome"] == "FAILED"
    assert scene.again(**{**LOST, "outcome": "SUCCEEDED"}, message="more")


def test_objects_are_made_though_the_definition_cuts_the_status() -> None:
    scene = Cut()
    scene.again(Create(Kind.POD, scene.pod()), **LOST)
    scene.again(Create(Kind.RAY_CLUSTER, scene.cluster()), **LOST)
    assert len(scene.world.of(PODS)) == len(scene.world.of(RAY_CLUSTERS)) == 1


ODD_REPLIES = {
    "no status": lambda raw: {key: value for key, value in raw.items() if key != "status"},
    "a status that is none": lambda raw: {**raw, "status": "Success"},
    "another run": lambda raw: {**raw, "metadata": {**raw["metadata"], "uid": "another"}},
    "nothing": lambda raw: {},
    "an empty status": lambda raw: {**raw, "status": {}},
    "another phase": lambda raw: {**raw, "status": {**raw["status"], "phase": "Pending"}},
}


@pytest.mark.parametrize("odd", ODD_REPLIES.values(), ids=list(ODD_REPLIES))
def test_an_odd_reply_ends_the_step_before_anything_is_made_and_the_next_status_is_written(
    odd: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    class Odd(World):
        reply: Callable[[dict[str, Any]], dict[str, Any]] = staticmethod(odd)

        async def replace_status(self, *arguments: Any) -> dict[str, Any]:
            return self.reply(await super().replace_status(*arguments))

    scene = Scene(Odd())
    with pytest.raises(Unavailable, match="is not the object with its status"):
        scene.apply(Create(Kind.POD, scene.pod()), status=PipelineRunStatus(phase=Phase.RUNNING))
    assert scene.world.of(PODS) == []
    assert [key for key, _ in scene.cache.runs()] == [("team", "mnist")]

    scene.world.reply = lambda raw: raw  # type: ignore[attr-defined]
    scene.run = scene.read()
    assert scene.apply(status=PipelineRunStatus(phase=Phase.RELEASING))
    assert scene.world.status("mnist")["phase"] == "Releasing"


json_values = st.recursive(
    st.integers(0, 2) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(sent=json_values, stored=json_values)
def test_what_differs_in_nothing_but_fields_that_were_lost_is_not_told_apart(sent: Any, stored: Any) -> None:
    lost = frozenset(lost_fields(sent, stored))
    kept = common(sent, stored)
    assert without(sent, lost) == without(kept, lost)


def common(sent: Any, stored: Any) -> Any:
    """Return what was stored, without what was not sent: fields that it does not know no operator reads."""
    if isinstance(sent, dict) and isinstance(stored, dict):
        return {name: common(sent[name], each) for name, each in stored.items() if name in sent}
    if isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        return [common(one, other) for one, other in zip(sent, stored, strict=True)]
    return stored

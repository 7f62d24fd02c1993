"""A run whose record root takes nothing ends at once, with why, and no sealer that could only fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.planning.phases import HEAD, RUNNER, WORKER, at, creations, provisioning, up
from tests.planning.runs import a_cluster, a_pod, condition, planned, run_report, terminated

from vaportrail.contract.outcome import Outcome
from vaportrail.crd.status import ConditionType, Phase, Reason
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import Delete, Observed, SecretState, SweepResult

WHY = "cannot write s3://runs/ml/spool/x/probe: Connection refused: HTTP error of http://nowhere:80"
OWN_KEY = {"record": {"uri": "s3://runs/ml", "writerSecretRef": {"name": "writer"}}}


def refused(seconds: float, spec: dict[str, Any] | None = None, **pods: Any) -> Observed:
    report = run_report(Outcome.FAILED, message=WHY, unwritable=True)
    runner = replace(terminated(up(RUNNER), report, exit_code=1), drained_at=None, phase="Running")
    seen = provisioning(seconds, pods=(runner, up(HEAD), up(WORKER)), ray_cluster=a_cluster())
    if spec:
        spec_of = type(seen.run.spec).model_validate({**seen.run.spec.model_dump(by_alias=True), **spec})
        seen = replace(seen, run=seen.run.model_copy(update={"spec": spec_of}))
    return seen


def test_it_ends_with_what_the_runner_says() -> None:
    made = plan(refused(70))
    assert (made.status.phase, made.status.reason) == (Phase.RELEASING, Reason.UNWRITABLE)
    assert made.status.message == WHY


def test_nobody_waits_for_what_cannot_be_stored() -> None:
    seen = refused(70)
    first = planned(seen, plan(seen), ray_cluster=a_cluster(deleting=True))
    hurried = [each for each in plan(first).actions if isinstance(each, Delete) and each.kind is Kind.POD]
    assert {each.grace_seconds for each in hurried} == {1}
    assert len(hurried) == 3


def gone(spec: dict[str, Any] | None = None) -> Observed:
    seen = refused(70, spec)
    none = planned(seen, plan(seen), now=at(75), pods=(), ray_cluster=None, secret=SecretState.GONE)
    looked = planned(none, plan(none), now=at(77), sweep_result=SweepResult(at(76), ()))
    return planned(looked, plan(looked), now=at(78), sweep_result=None)


def test_no_sealer_is_made_and_the_first_cause_is_kept_to_the_end() -> None:
    seen = gone()
    assert seen.run.status.phase is Phase.SEALING
    made = plan(seen)
    assert creations(made) == []
    assert made.status.record is not None
    assert made.status.record.state == "Unsealed"
    last = planned(seen, made, now=at(80), sweep_result=SweepResult(at(79), ()))
    end = plan(last)
    assert (end.status.phase, end.status.reason, end.status.message) == (Phase.FAILED, Reason.UNWRITABLE, WHY)
    assert condition(end, ConditionType.RECORD_SEALED).message == WHY
    assert condition(end, ConditionType.NOTHING_LEFT_BEHIND).status == "True"


def test_a_sealer_with_a_key_of_its_own_still_seals() -> None:
    seen = gone(OWN_KEY)
    assert creations(plan(seen)) == ["mnist-0123abcd-sealer"]


@pytest.mark.parametrize("lost", [("spec.authOptions.secretName",), ("spec.authOptions.mode",)])
def test_a_kuberay_that_keeps_no_token_ends_the_run_at_once(lost: tuple[str, ...]) -> None:
    made = plan(provisioning(6, pods=(a_pod(HEAD),), ray_cluster=a_cluster(lost_fields=lost)))
    assert (made.status.phase, made.status.reason) == (Phase.RELEASING, Reason.KUBERAY_TOO_OLD)
    assert lost[0] in made.status.message
    assert made.status.message.endswith("fix: install KubeRay 1.6 or newer")

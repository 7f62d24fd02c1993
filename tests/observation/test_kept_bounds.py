"""How much is kept of a PipelineRun, whatever its author put into it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.crd.status import Phase
from vaportrail.crd.validation.bounds import PARAMETERS_BYTES, SPEC_BYTES, STATUS_BYTES
from vaportrail_operator.observation.runs import kept_run, observed_run
from vaportrail_operator.planning.kinds import Kind

UID = "0f1e2d3c-0000-4000-8000-000000000001"
LIVE = SPEC_BYTES + STATUS_BYTES + 2048
ENDED = 1024
NOISE = random.Random(7)


def raw_run(spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    asked = {"pipeline": "mnist", "entrypoint": "m:p", "image": "i", "record": {"uri": "s3://runs/ml"}}
    metadata = {"name": "n" * 40, "namespace": "team", "uid": UID, "resourceVersion": "1", "generation": 1}
    return {"metadata": metadata, "spec": {**asked, **(spec or {})}, "status": status}


def noise(size: int) -> str:
    """Return what cannot be packed."""
    return NOISE.randbytes(size // 2).hex()


def nested(levels: int, inner: Any = 1) -> Any:
    for _ in range(levels):
        inner = [inner]
    return inner


def ended(**status: Any) -> dict[str, Any]:
    return {
        "phase": "Succeeded",
        "observedGeneration": 1,
        "completionTime": "2026-01-02T03:04:05Z",
        **status,
    }


ENVIRONMENT = [{"name": f"V{number}", "value": noise(8000)} for number in range(100)]
LARGE = {
    "long": {"parameters": {"text": noise(1_300_000)}},
    "wide": {"parameters": {f"p{number}": number for number in range(100_000)}},
    "many lists": {"parameters": {"p": [[]] * 400_000}},
    "long key": {"parameters": {noise(1_300_000): 1}},
    "long beside a note of its size": {"parameters": {"vaportrail.dev/bytes": 0, "text": noise(1_300_000)}},
    "multibyte": {"parameters": {"text": "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 22_000}},
    "pods": {"podDefaults": {"env": ENVIRONMENT}},
    "pods of everything": {
        "podDefaults": {"env": ENVIRONMENT[:30]},
        "runner": {"pod": {"env": ENVIRONMENT[30:60]}},
        "sealer": {"pod": {"env": ENVIRONMENT[60:90]}},
    },
    "tags": {"tags": {noise(20_000): noise(256) for _ in range(30)}},
}


@pytest.mark.parametrize("spec", LARGE.values(), ids=LARGE)
def test_of_a_live_run_no_more_is_kept_than_the_bounds(spec: dict[str, Any]) -> None:
    kept = kept_run(raw_run(spec, phase="Running"))
    assert len(kept.packed) < LIVE
    assert len(str(kept.left_out)) < 2048
    seen = kept.read()
    assert (seen.problems, seen.run.status.phase) == ((), Phase.RUNNING)
    (first, *_) = seen.left_out
    assert first.field.partition(".")[2] in spec
    assert first.value.endswith(" bytes")
    assert str(SPEC_BYTES) in first.fix or str(PARAMETERS_BYTES) in first.fix


def test_what_is_left_out_is_no_more_than_has_to_be() -> None:
    seen = kept_run(raw_run({**LARGE["pods of everything"], "parameters": {"a": 1}})).read()
    assert [each.field for each in seen.left_out] == ["spec.runner", "spec.podDefaults"]
    # With this its record is sealed.
    assert len(seen.run.spec.sealer.pod.env) == 30
    assert seen.run.spec.parameters == {"a": 1}


def test_parameters_within_their_bound_are_kept_as_they_are() -> None:
    text = "x" * (PARAMETERS_BYTES - len('{"text":""}'))
    seen = kept_run(raw_run({"parameters": {"text": text}})).read()
    assert seen.left_out == ()
    assert seen.run.spec.parameters == {"text": text}
    (problem,) = kept_run(raw_run({"parameters": {"text": f"{text}x"}})).left_out
    assert str(problem) == (
        "spec.parameters: 65537 bytes: use at most 65536; put large ones in a file in the source"
    )


def test_a_status_that_is_beyond_its_bound_is_not_taken_for_one_that_was_read() -> None:
    conditions = [{"type": "Finished", "message": noise(20_000)} for _ in range(16)]
    seen = kept_run(raw_run(phase="Running", conditions=conditions)).read()
    assert len(kept_run(raw_run(phase="Running", conditions=conditions)).packed) < LIVE
    assert seen.problems
    assert seen.run.status.phase is Phase.RUNNING


@pytest.mark.parametrize("spec", LARGE.values(), ids=LARGE)
def test_of_a_run_that_has_ended_only_what_is_still_needed_is_kept(spec: dict[str, Any]) -> None:
    base = f"{'n' * 40}-{UID[:8]}"
    own = [f"{Kind.RAY_CLUSTER}/{base}", f"{Kind.POD}/{base}-sealer", f"{Kind.SECRET}/{base}-tokens"]
    names = [*own, *(noise(320) for _ in range(24))]
    receipt = [{"object": name, "uid": noise(64), "lifetime": noise(128)} for name in names]
    status = ended(receipt=receipt, message=noise(1024), timeline={noise(20_000): noise(128)})
    kept = kept_run(raw_run({**spec, "ttlSecondsAfterFinished": 60}, **status))
    assert len(kept.packed) <= ENDED
    seen = kept.read()
    assert (seen.left_out, seen.problems, kept.expires is not None) == ((), (), True)
    assert seen.run.spec.ttl_seconds_after_finished == 60
    assert seen.run.metadata == observed_run(raw_run()).run.metadata
    assert (seen.run.status.phase, seen.run.status.completion_time) == (
        Phase.SUCCEEDED,
        "2026-01-02T03:04:05Z",
    )
    assert [each.object for each in seen.run.status.receipt] == own
    assert [each.uid for each in seen.run.status.receipt] == [each["uid"] for each in receipt[:3]]


@pytest.mark.parametrize(
    "change",
    [{"observedGeneration": 0}, {"conditions": [{"type": "Finished", "observedGeneration": 0}]}],
    ids=["status", "condition"],
)
def test_a_run_that_has_ended_is_kept_whole_until_its_status_is_written_for_the_last_time(
    change: dict[str, Any],
) -> None:
    raw = raw_run(None, **ended(message="how it ended", **change))
    kept = kept_run(raw)
    assert not kept.settled
    assert kept.read() == observed_run(raw)


scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=9)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
odd = st.builds(nested, st.integers(0, 400), values) | st.builds(
    lambda value, times: [value] * times, values, st.sampled_from([0, 3, 30_000])
)
FIELDS = (
    "pipeline record ray deadlines parameters tags source phase conditions receipt timeline completionTime "
    "observedGeneration ttlSecondsAfterFinished else"
)
fields = st.sampled_from(FIELDS.split())


@given(
    spec=st.dictionaries(fields, odd, max_size=4),
    status=st.dictionaries(fields, odd, max_size=4) | odd,
    phase=st.sampled_from(["", *Phase, "Odd"]),
)
def test_whatever_is_in_a_run_it_is_kept_within_the_bounds_and_can_be_read(
    spec: dict[str, Any], status: Any, phase: str
) -> None:
    raw = raw_run(spec)
    raw["status"] = {**status, "phase": phase} if isinstance(status, dict) else status
    kept = kept_run(raw)
    assert len(kept.packed) < LIVE
    seen = kept.read()
    assert seen.run.metadata.uid == UID
    assert kept.phase == seen.run.status.phase
    assert not kept.whole or json.dumps(seen.run.model_dump(mode="json", warnings=False)) is not None

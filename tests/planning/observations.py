"""Whatever an operator may observe, likely or not.

Each observation follows from one number: a strategy that draws every field by itself takes ten times
as long, and a smaller example of such an observation says little.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st
from tests.planning.runs import SETTINGS, a_run, run_report, seal_report

from vaportrail.contract.outcome import Outcome
from vaportrail.crd.status import Phase, Reason
from vaportrail.crd.validation.bounds import LEVELS
from vaportrail.crd.validation.problems import Problem
from vaportrail_operator.planning.types import (
    Claimant,
    Component,
    Observed,
    ObservedObject,
    ObservedPod,
    Refusal,
    Rivals,
    SecretState,
    SweepResult,
    Terminated,
)

__all__ = ["BASE", "observations"]

BASE = "mnist-0123abcd"
_START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_LONGEST = 2**31 - 1
_TEXTS = ("", "said", "ä\n", "x" * 5000, "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 5000, '\0"\\\u2028' * 2000)
_LEFT_OUT = (
    Problem("spec.parameters", "70000 bytes", "use fewer"),
    *(Problem(f"spec.{'x' * 300}", "", "x" * 5000) for _ in range(9)),
)
_WAITING = ("Unschedulable", "ErrImagePull", "InvalidImageName", "NobodyKnows")
_REFUSALS = tuple(
    f"worker pod cannot be made: {why}"
    for why in ("exceeded quota: a, used: 3900m", 'violates PodSecurity "x"', "no PriorityClass with name a")
)
_UIDS = ("", "u1", "u2")
_STRETCHES = (
    "Drain",
    "Seal",
    "UserCode",
    "HeadReady",
    "FirstWorkerReady",
    "NoWorkerReady",
    "ReleaseRunner",
    "ReleaseForced",
    "CleanupForced",
    "Other",
)
_SERVICES = (f"{BASE}-collector", f"{BASE}-head-svc", "other")
_OBJECTS = (
    f"RayCluster/{BASE}",
    f"Pod/{BASE}-runner",
    f"Pod/{BASE}-sealer",
    f"Secret/{BASE}-tokens",
    f"Pod of {BASE}",
    "other",
)


def observations(*, deadlines: bool = True) -> st.SearchStrategy[Observed]:
    """Return a strategy for anything; without deadlines none ever passes."""
    return st.integers(0, 2**32).map(lambda seed: _Draw(seed).observation(deadlines))


def _nested(levels: int) -> Any:
    value: Any = {"": None}
    for level in range(levels):
        value = [value, -1.5] if level % 2 else {"x" * 300: value, "\0": 2**63}
    return value


_VALUES = (
    1,
    None,
    _nested(LEVELS - 3),
    [[]] * 9000,
    {str(number): 1e300 for number in range(900)},
    "x" * 60000,
)


class _Draw:
    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def one_of(self, *choices: Any) -> Any:
        return self._random.choice(choices)

    def yes(self) -> bool:
        return self._random.random() < 0.5

    def time(self) -> datetime:
        return _START + timedelta(seconds=10 * self._random.randint(-1, 500))

    def maybe(self) -> datetime | None:
        return self.time() if self.yes() else None

    def interval(self) -> str:
        odd = self.one_of("", "/", "..", "not a time/..", "0001-01-01T00:00:00+14:00/..")
        start, stop = self.time().isoformat(), self.time().isoformat()
        return str(self.one_of(f"{start}/{stop}", f"{start}/..", f"{start}/..", odd))

    def moment(self) -> str:
        return str(self.one_of(self.time().isoformat(), "", "never", "9999-12-31T23:59:59Z"))

    def terminated(self) -> Terminated | None:
        if self.yes():
            return None
        outcome = self.one_of(*Outcome)
        times = {
            "user_code_started": self.moment(),
            "user_code_ended": self.moment(),
            "joined": self.moment(),
        }
        answer = run_report(
            outcome, message=self.one_of(*_TEXTS), source_revision=self.one_of(*_TEXTS), **times
        )
        sealed = seal_report(outcome, message=self.one_of(*_TEXTS), tasks={"FAILED": 1})
        message = self.one_of(answer, answer, sealed, *_TEXTS)
        reason = self.one_of("", "OOMKilled", "Error")
        return Terminated(self.one_of(0, 0, 1, 137), reason, message, self.maybe(), self.maybe())

    def pod(self, component: Component, name: str) -> ObservedPod:
        deleting = self.yes()
        return ObservedPod(
            name=name,
            uid=self.one_of("u1", "u2"),
            component=component,
            created_at=self.time(),
            deleting=deleting,
            due=self.time() if deleting else None,
            phase=self.one_of("Pending", "Running", "Running", "Succeeded", "Failed", "Unknown"),
            reason=self.one_of("", "Evicted", "DeadlineExceeded"),
            message=self.one_of(*_TEXTS),
            scheduled_at=self.maybe(),
            started_at=self.maybe(),
            ready_at=self.maybe(),
            ready=self.yes(),
            terminated=self.terminated(),
            drained_at=self.maybe(),
            waiting=self.one_of(None, (self.one_of(*_WAITING), self.one_of(*_TEXTS))),
            waiting_since=self.maybe(),
            termination_message=self.one_of("", *_TEXTS),
            image_id=self.one_of("", "x@sha256:1", "sha256:2", "x" * 5000),
        )

    def pods(self) -> tuple[ObservedPod, ...]:
        counts = {component: self.one_of(0, 1, 1) for component in Component}
        counts[Component.WORKER] = self.one_of(0, 1, 2)
        return tuple(
            self.pod(component, f"{BASE}-{component.value}{number or ''}")
            for component, count in counts.items()
            for number in range(count)
        )

    def object(self, name: str) -> ObservedObject:
        uid = self.one_of("u1", "u2")
        problem = self.one_of("", *_TEXTS, *_REFUSALS)
        since = self.maybe()
        lost = self.one_of((), (), (), ("spec.authOptions.secretName",))
        return ObservedObject(
            name,
            uid,
            self.time(),
            deleting=self.yes(),
            provisioned=self.yes(),
            problem=problem,
            problem_since=since,
            lost_fields=lost,
        )

    def rivals(self) -> Rivals:
        first = Claimant(self.time(), "u1", "first", "a", holds=self.yes())
        return Rivals("a", first, self.one_of(None, first), others_hold=self.yes())

    def refusal(self) -> Refusal:
        return Refusal(self.one_of(*_TEXTS, *_REFUSALS), self.one_of(0, 403, 403, 422, 500), self.time())

    def receipt(self) -> list[dict[str, Any]]:
        return [
            {
                "object": name,
                "uid": self.one_of(*_UIDS),
                "count": self.one_of(0, 1, 3),
                "lifetime": self.interval(),
            }
            for name in _OBJECTS
            if self.one_of(True, False, False)
        ]

    def status(self) -> dict[str, Any]:
        phase = self.one_of("", *Phase, Phase.PROVISIONING, Phase.RUNNING, Phase.RELEASING, Phase.SEALING)
        if not phase:
            return {}
        record = {"uri": "s3://runs/x", "state": self.one_of("Open", "Open", "Sealed", "Unsealed")}
        return {
            "phase": phase,
            "reason": self.one_of("", *Reason),
            "message": self.one_of(*_TEXTS),
            "outcome": self.one_of("", "SUCCEEDED", "CANCELLED", "odd"),
            "startTime": self.moment(),
            "completionTime": self.moment(),
            "record": self.one_of(None, record, record),
            "timeline": {name: self.interval() for name in _STRETCHES if self.yes()},
            "receipt": self.receipt(),
            "leftovers": self.one_of([], [], ["Pod/late"]),
        }

    def spec(self, deadlines: bool) -> dict[str, Any]:
        names = ("provisioningSeconds", "runSeconds", "sealSeconds")
        few = (1, 60, _LONGEST) if deadlines else (_LONGEST,)
        endless = {name: self.one_of(0, *few) for name in names[:2]} if deadlines else {}
        drain, release = self.one_of((1, 33), (1, 60), (60, 210)) if deadlines else (60, _LONGEST)
        return {
            "cancel": self.yes(),
            "suspend": self.yes(),
            "ray": {"workers": [{"name": "cpu", "replicas": self.one_of(0, 1, 1, 2)}]},
            "parameters": {self.one_of("a", "a", "not a name"): self.one_of(*_VALUES)},
            "tags": self.one_of({}, {}, {_TEXTS[4]: _TEXTS[4][:256]}),
            "deadlines": {
                **{name: self.one_of(*few) for name in names},
                **endless,
                "drainSeconds": drain,
                "releaseSeconds": release,
            },
            "ttlSecondsAfterFinished": self.one_of(0, 60) if deadlines else _LONGEST,
        }

    def observation(self, deadlines: bool) -> Observed:
        deleted = self.one_of(None, None, None, self.time().isoformat())
        created = self.one_of(None, self.time().isoformat())
        generation = self._random.randint(0, 3)
        metadata = {"deletionTimestamp": deleted, "creationTimestamp": created, "generation": generation}
        left = self.one_of(
            (),
            (),
            (f"Pod/{BASE}-runner",),
            (f"RayCluster/{BASE}",),
            (f"Pod/{BASE}-head-x1x2x",),
            ("Service/x",),
        )
        return Observed(
            run=a_run(self.spec(deadlines), self.status(), **metadata),
            # Whatever counts from some time in tens of seconds is not over within the next five.
            now=self.time() + timedelta(seconds=4),
            settings=SETTINGS,
            kuberay=self.one_of(True, True, False),
            ray_cluster=self.one_of(None, self.object(BASE)),
            services=tuple(self.object(name) for name in _SERVICES if self.yes()),
            pods=() if self.one_of(True, False, False) else self.pods(),
            secret=self.one_of(*SecretState),
            left_out=self.one_of((), (), (), _LEFT_OUT[:1], _LEFT_OUT),
            refused=self.one_of(None, self.refusal()),
            rivals=self.one_of(None, self.rivals()),
            sweep_result=self.one_of(
                None, SweepResult(self.time(), left), SweepResult(_START + timedelta(days=1), left)
            ),
        )

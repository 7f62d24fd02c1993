"""The explorer: each scenario is lived once undisturbed, then once for each fault, and must end the same.

A fault is of one call, one read or one word of a watch, by its number; a life has as many as the
undisturbed one of its scenario has calls, reads and words.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

from runtime.joined_life import Crash, Life
from runtime.joined_scenarios import ENDS, LEFT, SCENARIOS, Scenario
from runtime.played_watch import PlayedWatch, Told
from vaportrail_operator.acting.client import Unavailable
from vaportrail_operator.acting.endpoints import SECRETS

__all__ = [
    "EXCUSES",
    "FAULTS",
    "Case",
    "End",
    "all_cases",
    "cases_of",
    "differences",
    "end_of",
    "lived",
    "sample",
    "undisturbed",
    "unsound",
]

_CALL_FAULTS: Final = ("killed before", "killed after", "reply lost", "refused once", "slow")
_READ_FAULTS: Final = ("read lost",)
_WATCH_FAULTS: Final = ("dropped", "doubled", "late", "overtaken")
_TIMES: Final = ("down for long",)
FAULTS: Final = (*_CALL_FAULTS, *_TIMES, *_READ_FAULTS, *_WATCH_FAULTS)
_SLOW_SECONDS: Final = 20
_LATE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Case:
    """A life with one fault.

    Attributes:
        scenario: the name of what befalls the run.
        fault: what goes wrong; empty: nothing.
        number: of the call, read or word that it befalls, from 1.
        second: of another fault of the same kind, later; 0: none.
    """

    scenario: str
    fault: str = ""
    number: int = 0
    second: int = 0

    def __str__(self) -> str:
        again = f" and {self.second}" if self.second else ""
        return f"{self.scenario}: {self.fault} {self.number}{again}"


@dataclass(frozen=True, slots=True)
class End:
    """How a life ended: what must be the same whatever befell the operator."""

    phase: str
    reason: str
    outcome: str
    record: tuple[str, str, str]
    conditions: tuple[tuple[str, str, str], ...]
    leftovers: tuple[str, ...]
    receipt: tuple[tuple[str, bool], ...]
    left: tuple[str, ...]
    secrets: tuple[str, ...]
    made: tuple[tuple[str, int], ...]
    unshipped: tuple[str, ...]
    requests: int
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Excuse:
    """A difference that is none.

    Attributes:
        why: the reason.
        scenarios: where; none: anywhere.
        faults: after which faults; none: after any.
        forgive: given the undisturbed end and the other, returns the other without the difference.
    """

    why: str
    scenarios: frozenset[str]
    faults: frozenset[str]
    forgive: Callable[[End, End], End]


def _not_lost(expected: End, found: End) -> End:
    less = set(found.unshipped) <= set(expected.unshipped)
    return replace(found, unshipped=expected.unshipped) if less else found


def _unseen(expected: End, found: End) -> End:
    known = set(found.receipt) <= set(expected.receipt)
    lacks = set(expected.receipt) - set(found.receipt)
    kuberays = all(_BY_KUBERAY in name for name, _ in lacks)
    return replace(found, receipt=expected.receipt) if known and kuberays else found


def _made_so_far(expected: End, found: End) -> End:
    """Forgive that less was made, or seen; each once, and gone."""
    names = {name.removeprefix("create ") for name, _ in found.made}
    own = {name for name, _ in found.receipt if _BY_KUBERAY not in name}
    closed = not any(is_open for _, is_open in found.receipt)
    if not (set(found.made) <= set(expected.made) and own <= names and closed):
        return found
    return replace(found, made=expected.made, receipt=expected.receipt)


def _not_sealed(expected: End, found: End) -> End:
    less = set(expected.made) - set(found.made)
    if set(found.made) <= set(expected.made) and all(name.endswith("-sealer") for name, _ in less):
        return replace(found, made=expected.made, requests=min(expected.requests, found.requests + len(less)))
    return found


def _service_again(expected: End, found: End) -> End:
    def others(end: End) -> list[tuple[str, int]]:
        return [(name, count) for name, count in end.made if not _is_collectors_service(name)]

    return replace(found, made=expected.made) if others(expected) == others(found) else found


def _is_collectors_service(call: str) -> bool:
    return call.startswith("create Service/") and call.endswith("-collector")


_BY_KUBERAY: Final = " of "
"""In the receipt's name of what KubeRay made."""
_ONLY_WATCHED: Final = frozenset({"dropped", "late", "overtaken", "down for long"})
EXCUSES: Final[tuple[Excuse, ...]] = (
    Excuse(
        "where data is lost in any case, that less of it was is no fault",
        frozenset(),
        frozenset(),
        _not_lost,
    ),
    Excuse(
        "of what KubeRay makes only the watch tells: what came and went while that was silent nobody saw",
        frozenset(),
        _ONLY_WATCHED,
        _unseen,
    ),
    Excuse(
        "what there was as somebody cancelled depends on when that was; nothing is made twice, all is gone",
        frozenset({"cancelled as it starts"}),
        frozenset(),
        _made_so_far,
    ),
    Excuse(
        "a run that is deleted before its sealer is made has none: whoever deletes it may seal it by hand",
        frozenset({"deleted as it is sealed"}),
        frozenset(),
        _not_sealed,
    ),
    Excuse(
        "of two that work at once, against the Lease, one whose watch is late does not know yet that all has "
        "drained: it makes the collector's Service again, which holds nothing and goes again",
        frozenset({"two operators", "two operators and a failure"}),
        frozenset({"late"}),
        _service_again,
    ),
)
"""Every difference that is none, and why."""


def end_of(life: Life) -> End:
    """Return how a life ended."""
    status = life.status
    record = status.get("record") or {}
    conditions = [(each["type"], each["status"], each["reason"]) for each in status.get("conditions", [])]
    receipt = [(each["object"], each["lifetime"].endswith("..")) for each in status.get("receipt", [])]
    own = [each for each in life.world.left() if "theirs" not in each]
    made = Counter({name: count for name, count in life.made.items() if "Event" not in name})
    return End(
        phase=life.phase,
        reason=str(status.get("reason", "")),
        outcome=str(status.get("outcome", "")),
        record=tuple(str(record.get(key, "")) for key in ("state", "manifestSha256", "planSha256")),  # type: ignore[arg-type]
        conditions=tuple(sorted(conditions)),
        leftovers=tuple(status.get("leftovers", [])),
        receipt=tuple(sorted(receipt)),
        left=tuple(own),
        secrets=tuple(each["metadata"]["name"] for each in life.world.of(SECRETS)),
        made=tuple(sorted(made.items())),
        unshipped=tuple(sorted(life.cluster.unshipped)),
        requests=len({each.model_dump_json() for each in life.cluster.requests}),
        errors=tuple(life.errors),
    )


@cache
def undisturbed(scenario: str) -> tuple[End, int, int, int]:
    """Return the end of a scenario without a fault, and how many calls, reads and words it has."""
    life, counts = _life(Case(scenario))
    life.play()
    return end_of(life), counts["call"], counts["read"], counts["word"]


def unsound(scenario: str) -> list[str]:
    """Return in words what is wrong with the end of a scenario though nothing went wrong."""
    end = undisturbed(scenario)[0]
    told = "/".join((end.phase, end.reason, end.outcome)).rstrip("/")
    again = [each for each in end.made if each[1] > 1 and not scenario.startswith(("lost", "evicted"))]
    found = {
        f"it ended as {told} instead of {ENDS[scenario]}": told != ENDS[scenario],
        f"it left {end.left}": bool(end.left) != (scenario in LEFT),
        f"it left {end.secrets}": bool(end.secrets),
        f"it made again {again}": bool(again),
        "a step raised what is no answer of the API server's": bool(end.errors),
        f"the record says {end.record[1]}": end.record[1] not in ("", "a" * 64),
    }
    return [words for words, wrong in found.items() if wrong]


def lived(case: Case) -> Life:
    """Live a case to its end."""
    life, _ = _life(case)
    life.play()
    return life


def differences(case: Case) -> list[str]:
    """Live a case; return in words what ended otherwise than without the fault, excuses aside."""
    expected = undisturbed(case.scenario)[0]
    try:
        found = end_of(lived(case))
    except AssertionError as error:
        return [str(error)[:2000]]
    for excuse in EXCUSES:
        here = not excuse.scenarios or case.scenario in excuse.scenarios
        if here and (not excuse.faults or case.fault in excuse.faults):
            found = excuse.forgive(expected, found)
    names = End.__dataclass_fields__
    pairs = [(name, getattr(found, name), getattr(expected, name)) for name in names]
    return [f"{name}: {_told(one, other)}" for name, one, other in pairs if one != other]


def _told(found: Any, expected: Any) -> str:
    if isinstance(found, tuple):
        more = [each for each in found if each not in expected]
        less = [each for each in expected if each not in found]
        return f"{more} instead of {less}"
    return f"{found} instead of {expected}"


def cases_of(scenario: str) -> Iterator[Case]:
    """Yield all cases of a scenario with one fault."""
    _, calls, reads, words = undisturbed(scenario)
    for fault in (*_CALL_FAULTS, *_TIMES):
        yield from (Case(scenario, fault, number) for number in range(1, calls + 1))
    for fault in _READ_FAULTS:
        yield from (Case(scenario, fault, number) for number in range(1, reads + 1))
    for fault in _WATCH_FAULTS:
        yield from (Case(scenario, fault, number) for number in range(1, words + 1))


def all_cases(scenarios: tuple[str, ...], seed: int, doubles: int) -> list[Case]:
    """Return all cases with one fault, and some with two of a kind.

    Args:
        scenarios: their names.
        seed: of what is drawn.
        doubles: how many have two faults, of each hundred with one.
    """
    single = [case for name in scenarios for case in cases_of(name)]
    draw = random.Random(seed)
    chosen = draw.choices(single, k=len(single) * doubles // 100) if single else []
    return [*single, *(replace(each, second=each.number + draw.randint(1, 12)) for each in chosen)]


def sample(scenario: str, count: int, seed: int) -> list[Case]:
    """Return some cases of a scenario: of each kind of fault as many, drawn by a seed."""
    draw = random.Random(f"{scenario} {seed}")
    groups: dict[str, list[Case]] = {}
    for case in cases_of(scenario):
        groups.setdefault(case.fault, []).append(case)
    kinds = list(groups.values())
    for cases in kinds:
        draw.shuffle(cases)
    draw.shuffle(kinds)
    turns = itertools.zip_longest(*kinds)
    return [case for turn in turns for case in turn if case is not None][:count]


@dataclass
class _Fault:
    """A case's fault, as it befalls a life."""

    case: Case
    life: Life | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def _strikes(self, kind: str, faults: tuple[str, ...]) -> bool:
        self.counts[kind] += 1
        return self.case.fault in faults and self.counts[kind] in (self.case.number, self.case.second)

    def before_call(self, call: str) -> None:
        if not self._strikes("call", ("killed before", "refused once", "slow")):
            return
        if self.case.fault == "killed before":
            raise Crash
        if self.case.fault == "refused once":
            raise Unavailable("no answer")
        assert self.life is not None
        self.life.let_pass(_SLOW_SECONDS)

    def after_call(self, call: str) -> None:
        if not self._strikes("reply", ("killed after", "reply lost", "down for long")):
            return
        if self.case.fault == "reply lost":
            raise Unavailable("no answer")
        raise Crash

    def before_read(self, call: str) -> None:
        if self._strikes("read", ("read lost",)):
            raise Unavailable("no answer")

    def change(self, watch: list[PlayedWatch], number: int, told: Told) -> list[Told]:
        if not self._strikes("word", _WATCH_FAULTS):
            return [told]
        later = replace(told, at=told.at + _LATE_SECONDS)
        match self.case.fault:
            case "dropped":
                return []
            case "doubled":
                return [told, later]
            case "overtaken":
                return [later]
        watch[0].hold(told.kind, later.at)
        return [later]


def _life(case: Case) -> tuple[Life, Counter[str]]:
    scenario: Scenario = SCENARIOS[case.scenario]
    fault = _Fault(case)

    def watches(life: Life) -> PlayedWatch:
        own: list[PlayedWatch] = []
        own.append(
            PlayedWatch(life.world, life.seconds, lambda number, told: fault.change(own, number, told))
        )
        return own[0]

    more: dict[str, Any] = {"down_seconds": 100.0} if case.fault == "down for long" else {}
    life = scenario.life(
        watches=watches,
        before_call=fault.before_call,
        after_call=fault.after_call,
        before_read=fault.before_read,
        **more,
    )
    fault.life = life
    return life, fault.counts

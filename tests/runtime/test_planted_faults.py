"""Faults are planted in the operator, one at a time; each is found by the test, or life, that is for it."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runtime import joined_deeds as deeds
from runtime.joined_explorer import Case, cases_of, differences, undisturbed
from runtime.joined_scenarios import SCENARIOS, Scenario
from vaportrail.crd import status
from vaportrail_operator.acting import server_clock
from vaportrail_operator.acting.apply import Applier
from vaportrail_operator.planning import belonging, ends, leftovers

AT_WORK = Scenario("label taken off at work", outcome=None, deeds=(("Running", deeds.unlabel("runner")),))
REPOSITORY = Path(__file__).parents[2]
_SOURCE = REPOSITORY / "operator" / "src" / "vaportrail_operator"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    Attributes:
        module: where it is planted.
        old: what stands there, once.
        new: what is planted.
        found_by: a test's id.
    """

    module: str
    old: str
    new: str
    found_by: str


FAULTS = {
    "precondition skipped": Fault(
        "acting/apply.py",
        "uid=action.uid,",
        'uid="",',
        "tests/runtime/test_apply.py::test_a_deletion_means_the_object_of_that_uid_and_no_other",
    ),
    "last requeue lost": Fault(
        "runtime/reconciler.py",
        "return 0.0 if changed else planned.again",
        "return 0.0 if changed else None",
        "tests/runtime/test_reconciler.py::test_a_run_is_looked_at_again_when_its_plan_says_so",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    shutil.copytree(_SOURCE, tmp_path / "vaportrail_operator", ignore=shutil.ignore_patterns("__pycache__"))
    module = tmp_path / "vaportrail_operator" / fault.module
    text = module.read_text()
    assert text.count(fault.old) == 1, "it has to be planted elsewhere"
    module.write_text(text.replace(fault.old, fault.new))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", fault.found_by],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault that a life of the joined explorer finds.

    Attributes:
        owner: the module or class of what it is planted in.
        function: of its.
        old: what stands there, once.
        new: what is planted.
        scenario: whose lives end otherwise by it.
        disturbance: of the lives; empty: the undisturbed one.
    """

    owner: Any
    function: str
    old: str
    new: str
    scenario: str
    disturbance: str = ""

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        function = getattr(self.owner, self.function)
        source = textwrap.dedent(inspect.getsource(function))
        assert source.count(self.old) == 1, "it has to be planted elsewhere"
        made: dict[str, Any] = {}
        exec(source.replace(self.old, self.new), function.__globals__, made)
        # In its place, so that whoever has imported it has it, too.
        monkeypatch.setattr(function, "__code__", made[self.function].__code__)

    def cases(self) -> list[Case]:
        if not self.disturbance:
            return [Case(self.scenario)]
        return [case for case in cases_of(self.scenario) if case.fault == self.disturbance]


PLANTED = {
    "act before status": Planted(
        Applier,
        "apply",
        "planned = Seen(seen.version, self._now())",
        "planned = seen\n    for action in plan.actions:\n        await self._act(run, seen, action)",
        "success",
        "killed before",
    ),
    "one child missed in release": Planted(
        leftovers,
        "object_removals",
        "if child and ",
        "if child and kind is not Kind.SERVICE and ",
        "success",
    ),
    'cache trusted for "gone"': Planted(
        ends,
        "_is_lost",
        'since and sweep_result and sweep_result.at >= since and f"{kind}/{name}" not in sweep_result.left',
        "since",
        AT_WORK.name,
    ),
    "a stranger's pod counted": Planted(
        belonging,
        "standing",
        "if child is None or namespace != run.metadata.namespace:",
        "if child is not None and kind is Kind.POD:\n"
        "        return Standing.OURS\n"
        "    if child is None or namespace != run.metadata.namespace:",
        "sealer's name taken",
    ),
    "Secret forgotten": Planted(
        Applier,
        "_delete_secret",
        "reply = await self._client.delete(ENDPOINTS[Kind.SECRET], run.metadata.namespace, action.name)",
        "raise NotFound('', status=404)",
        "success",
    ),
    "409 taken as done": Planted(
        Applier,
        "_create",
        "self._check_ours(run, action, made)",
        "pass",
        "sealer's name taken",
    ),
    "wall clock for monotonic": Planted(
        server_clock.ServerClock,
        "now",
        "return time + timedelta(seconds=self._monotonic() - then)",
        "return self._local()",
        "clock that jumps",
    ),
    "a message unbounded": Planted(
        status,
        "shortened",
        "if len(text) * _LONGEST",
        "return text\n    if len(text) * _LONGEST",
        "image that cannot be pulled",
    ),
}


@pytest.fixture
def at_work() -> Iterator[None]:
    """Add a scenario that is not among the explorer's: one killed operator still ends it otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SCENARIOS, AT_WORK.name, AT_WORK)
        yield


@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_ends_a_life_otherwise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = PLANTED[name]
    # Before it is planted.
    undisturbed(fault.scenario)
    cases = fault.cases()
    fault.plant(monkeypatch)
    found = next((case for case in cases if differences(case)), None)
    assert found is not None
    monkeypatch.undo()
    assert differences(found) == []


def test_ten_kinds_of_faults_are_planted() -> None:
    assert len({*FAULTS, *PLANTED}) >= 10

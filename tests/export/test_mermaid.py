"""Mermaid diagrams: labels from untrusted records reach them only as text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import made_facts

from vaportrail.contract.outcome import Outcome
from vaportrail.export.mermaid import flowchart, gantt_chart
from vaportrail.record.rows import AttemptInfo, Edge, TaskInfo
from vaportrail.record.run_facts import Facts
from vaportrail.record.times import rfc3339

NASTY = st.text(
    st.sampled_from("\"'<>;:#%{}[]()|`\\\n\r\t&~ aé-") | st.characters(exclude_categories=["Cs"]), max_size=30
)
SAFE = re.compile(r"([\w \-.,=/]|#\d+;)*")


def make_task(task_id: str, **changes: Any) -> TaskInfo:
    plain: dict[str, Any] = {
        "id": task_id, "name": task_id.rpartition("-")[0], "kind": "python", "outcome": Outcome.SUCCEEDED,
        "arguments": {}, "options": {}, "upstream": [], "attempts": 1, "submitted": "", "ended": "",
        "cause": "", "allow_failure": False, "span_id": "0" * 16,
    }  # fmt: skip
    return TaskInfo(**{**plain, **changes})


def make_attempt(task: str, start: int, end: int, **changes: Any) -> AttemptInfo:
    plain: dict[str, Any] = {
        "task": task, "attempt": 1, "outcome": Outcome.SUCCEEDED, "started": rfc3339(start),
        "ended": rfc3339(end), "failure": None, "host": "", "pid": 1, "node": "", "writer": "",
        "span_id": "0" * 16,
    }  # fmt: skip
    return AttemptInfo(**{**plain, **changes})


def make_facts(*tasks: TaskInfo, attempts: tuple[AttemptInfo, ...] = ()) -> Facts:
    return made_facts.make_facts(tasks, attempts)


def test_tasks_are_nodes_and_needs_are_arrows() -> None:
    first = make_task("a-1", arguments={"n": 3})
    second = make_task(
        "b-1",
        kind="notebook",
        outcome=Outcome.FAILED,
        upstream=[Edge(task="a-1", kind="value", argument="x")],
    )
    third = make_task("c-1", outcome=Outcome.SKIPPED, upstream=[Edge(task="b-1", kind="order", argument="")])
    assert flowchart(make_facts(first, second, third)).splitlines()[:6] == [
        "flowchart LR",
        '  t0["a#40;n=3#41;"]:::succeeded',
        '  t1[["b#40;#41;"]]:::failed',
        '  t2["c#40;#41;"]:::skipped',
        "  t0 --> t1",
        "  t1 -.-> t2",
    ]


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_style_that_is_there(outcome: Outcome) -> None:
    chart = flowchart(make_facts(make_task("a-1", outcome=outcome)))
    found = re.search(r":::(\w+)", chart)
    assert found is not None
    assert f"classDef {found[1]} " in chart


def test_a_need_of_an_unknown_task_is_left_out() -> None:
    lonely = make_task("a-1", upstream=[Edge(task="gone-1", kind="value", argument="")])
    assert "-->" not in flowchart(make_facts(lonely))


@given(name=NASTY, argument=NASTY, value=NASTY)
def test_nothing_of_a_label_can_act_in_a_flowchart(name: str, argument: str, value: str) -> None:
    chart = flowchart(make_facts(make_task("x-1", name=name, arguments={argument: value})))
    lines = chart.split("\n")
    assert len(lines) == len(flowchart(make_facts(make_task("x-1"))).split("\n"))
    found = re.fullmatch(r'  t0\["(.*)"\]:::succeeded', lines[1])
    assert found is not None
    assert SAFE.fullmatch(found[1])


@given(name=NASTY, value=NASTY)
def test_nothing_of_a_label_can_act_in_a_gantt_chart(name: str, value: str) -> None:
    task = make_task("x-1", name=name, arguments={"a": value})
    lines = gantt_chart(make_facts(task, attempts=(make_attempt("x-1", 10**15, 2 * 10**15),))).split("\n")
    assert [line.split(" ")[2] for line in lines[3:] if line] == ["section", "SUCCEEDED"]
    assert SAFE.fullmatch(lines[3].removeprefix("  section "))


def test_attempts_are_bars_in_the_section_of_their_task() -> None:
    tasks = make_task("a-1", arguments={"n": 3}), make_task("b-1")
    attempts = (
        make_attempt("a-1", 1_000_000_000, 2_000_000_000, outcome=Outcome.FAILED),
        make_attempt("a-1", 3_000_000_000, 4_000_000_000, attempt=2),
        make_attempt("b-1", 5_000_000_000, 5_000_000_000),
    )
    assert gantt_chart(make_facts(*tasks, attempts=attempts)).splitlines()[3:] == [
        "  section a-1 #40;n=3#41;",
        "  FAILED 1 :crit, 1000, 2000",
        "  SUCCEEDED 2 :3000, 4000",
        "  section b-1",
        "  SUCCEEDED 1 :5000, 5001",
    ]


@pytest.mark.parametrize("side", ["started", "ended"])
def test_an_attempt_without_both_times_has_no_bar(side: str) -> None:
    attempt = make_attempt("a-1", 10**9, 2 * 10**9, **{side: ""})
    assert "section" not in gantt_chart(make_facts(make_task("a-1"), attempts=(attempt,)))

"""How the public API type-checks: read by mypy, never run. Each ignore is an error that must be one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, assert_type

import vaportrail
from vaportrail import (
    Artifact,
    AttemptInfo,
    Context,
    LogLine,
    MetricPoint,
    Outcome,
    Pipeline,
    Run,
    Task,
    TaskRun,
    as_completed,
    cancel,
    context,
    log,
    notebook,
    outcome,
    pipeline,
    result,
    task,
)


@task
def train(data: list[int], rate: float = 0.1) -> float:
    return rate * len(data)


@task(cpus=2, timeout="10m", retries=1, retry_on=(ConnectionError,), env={"A": "b"})
def split(n: int) -> list[int]:
    return list(range(n))


def tasks_are_typed_as_their_functions() -> None:
    assert_type(train([1]), float)
    assert_type(split(3), list[int])
    assert_type(train(split(3), rate=0.2), float)
    assert_type(train.fn([1], 0.1), float)
    assert_type(train.name, str)


def wrong_calls_are_errors() -> None:
    train("text")  # type: ignore[arg-type]
    train()  # type: ignore[call-arg]
    train([1], speed=2)  # type: ignore[call-arg]
    train(split)  # type: ignore[arg-type]
    split(train([1]))  # type: ignore[arg-type]


def options_are_checked() -> None:
    assert_type(train.options(timeout="1h", name="slow")([1]), float)
    assert_type(split.options(after=[train([1])])(2), list[int])
    assert_type(train.options(timeout=5, backoff=0.5, memory=10**9)([1]), float)
    assert_type(train.options(timeout=None, retry_on=ConnectionError)([1]), float)
    assert_type(train.options(retry_on=[ConnectionError, TimeoutError])([1]), float)
    task(memory=5, timeout=0.5)
    train.options(timeout=[5])  # type: ignore[arg-type]
    train.options(retrys=5)  # type: ignore[call-arg]
    train.options(retry_on="ConnectionError")  # type: ignore[arg-type]
    task(memory=[5])  # type: ignore[call-overload]
    task(3)  # type: ignore[call-overload]


def decorators_are_typed() -> None:
    plain: Callable[[int], int] = lambda n: n  # noqa: E731
    assert_type(task(plain), Task[[int], int])
    assert_type(task(retries=1)(plain), Task[[int], int])
    assert_type(pipeline(plain), Pipeline[[int], int])


def maps_give_lists() -> None:
    models = train.map([[1], [2]], rate=0.3)
    assert_type(models, list[float])
    assert_type(as_completed(models), Iterator[float])
    train.map(3)  # type: ignore[arg-type]


def waiting_keeps_the_type() -> None:
    value = train([1])
    assert_type(result(value), float)
    assert_type(result(value, timeout="5m"), float)
    assert_type(result("plain"), str)
    assert_type(outcome(value), Outcome)
    cancel(value)
    assert_type(result(value, timeout=5), float)
    assert_type(result([value, value]), list[float])
    assert_type(outcome([value, value]), Outcome)
    result(value, timeout=[5])  # type: ignore[arg-type]
    result(value, "5m")  # type: ignore[call-arg]
    cancel()  # type: ignore[call-arg]


@pipeline
def nightly(sizes: list[int], name: str = "x") -> float:
    return sum(result(each) for each in train.map([split(n) for n in sizes]))


def pipelines_are_typed_as_their_functions() -> None:
    assert_type(nightly([1, 2], name="y"), float)
    assert_type(nightly.run({"sizes": [1]}, tags={"team": "vision"}), Run)
    nightly("text")  # type: ignore[arg-type]
    nightly.run(sizes=[1])  # type: ignore[call-arg]
    nightly.run(tags={"team": 1})  # type: ignore[dict-item]


def notebooks_give_dictionaries() -> None:
    report = notebook("report.py", timeout="2m", isolate=True)
    assert_type(report, Task[..., dict[str, Any]])
    assert_type(report(model=train([1]), n=3), dict[str, Any])
    notebook(3)  # type: ignore[arg-type]
    notebook("report.py", cpus="two")  # type: ignore[arg-type]


def runs_are_read() -> None:
    run = vaportrail.open("vaportrail-runs/runs/x/y")
    assert_type(run, Run)
    assert_type(run.outcome, Outcome)
    assert_type(vaportrail.runs(pipeline="x"), Iterator[Run])
    tasks: list[TaskRun] = list(run.tasks)
    points: list[MetricPoint] = run.metrics("loss", best="min")
    lines: Iterator[LogLine] = tasks[0].logs()
    attempts: list[AttemptInfo] = list(tasks[0].attempts)
    print(points, lines, attempts)
    vaportrail.open(3)  # type: ignore[arg-type]


def logging_is_typed() -> None:
    log.param("n", object())
    log.metric("loss", 0.5, step=1)
    log.metrics({"loss": 0.5, "auc": [0.5]}, step=1)
    log.metrics("auc", [0.5, 0.25])
    assert_type(log.artifact("a.bin", b"x"), Artifact)
    assert_type(log.text("a.txt", "x"), Artifact | None)
    assert_type(context(), Context)
    assert_type(context().bind(train.fn)([1]), float)
    log.metric("loss", "high")  # type: ignore[arg-type]
    log.metric("loss", 0.5, 1)  # type: ignore[call-arg]
    log.tag("team", 3)  # type: ignore[arg-type]
    log.artifact("a.bin", 3)  # type: ignore[arg-type]

"""A small pipeline that succeeds and logs one of everything."""

import logging
import sys
import threading
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from opentelemetry import trace

from vaportrail import Hidden, context, log, notebook, pipeline, result, task

report = notebook("report.py")
tracer = trace.get_tracer("small")


@dataclass
class Numbers:
    values: list[int]


@task
def make(size: int, token: Annotated[str, Hidden] = "not-to-be-seen") -> Numbers:
    assert token
    log.params({"size": size, "kind": "numbers"})
    print(f"making {size}")
    print("a complaint", file=sys.stderr)
    logging.getLogger("small.make").info("made %d", size)
    return Numbers(list(range(size)))


@task(name="double")
def times_two(numbers: Numbers, extra: dict[str, list[Numbers]]) -> int:
    assert extra["more"][0].values == numbers.values
    with tracer.start_as_current_span("doubling") as span:
        span.set_attribute("how", "twice")
        log.metric("inside", 1)

        def in_thread() -> None:
            with tracer.start_as_current_span("in a thread"):
                log.text("thread.txt", "written in a thread")

        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
    for step, value in enumerate([3.0, 2.0, float("nan"), np.float32(1.5)]):
        log.metric("loss", value, step=step)
    log.tag("verdict", "good")
    log.json("shape.json", {"values": np.array(numbers.values)})
    log.table("table.csv", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])
    log.artifact("folder/data.bin", b"\x00\x01")
    log.param("attempt", context().attempt)
    return 2 * len(numbers.values)


@pipeline
def small(size: int = 2, secret: Annotated[str, Hidden] = "hidden-default") -> None:
    assert secret
    numbers = make(size)
    doubled = times_two(numbers, {"more": [numbers]})
    log.param("in_body", True)
    if result(doubled) > 0:
        report.options(after=[doubled])(numbers=numbers, title="Report")

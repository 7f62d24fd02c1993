"""A plain script that runs its own pipeline, twice, and tries to run one inside the other."""

import math
import sys
from typing import Any

import vaportrail
from vaportrail import TaskFailed, log, pipeline, result, task


class OfMain(Exception):
    """An exception of a script's own."""


@task
def measure(value: float) -> float:
    log.metric("value", value)
    return value


@pipeline
def one(value: float = math.nan) -> None:
    measure(value)


@task(retries=1, backoff="1ms", retry_on=(OfMain,))
def raises() -> None:
    raise OfMain("again")


@task
def array() -> Any:
    import numpy as np

    return np.arange(200_000)


@pipeline
def retried() -> dict[str, Any]:
    try:
        result(raises())
    except TaskFailed as error:
        log.param("cause", isinstance(error.__cause__, OfMain))
    return {"values": [measure(1.0), 2], "array": array()}


@pipeline
def outer() -> None:
    one.run(record=sys.argv[1])


if __name__ == "__main__":
    for _ in range(2):
        print(one.run(record=sys.argv[1]).outcome.value)
    print(outer.run(record=sys.argv[1]).facts.verdict.message)
    run = retried.run(record=sys.argv[1])
    print(len(run.task("raises-1").attempts), run.facts.params[0].value)
    print(run.result["values"], run.result["array"].sum())
    try:
        print(vaportrail.open(run.uri).result)
    except LookupError as error:
        print(error.args[0].partition(": ")[2])

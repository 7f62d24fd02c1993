"""A plain script that runs its own pipeline, twice, and tries to run one inside the other."""

import math
import sys

from vaportrail import log, pipeline, task


@task
def measure(value: float) -> float:
    log.metric("value", value)
    return value


@pipeline
def one(value: float = math.nan) -> None:
    measure(value)


@pipeline
def outer() -> None:
    one.run(record=sys.argv[1])


if __name__ == "__main__":
    for _ in range(2):
        print(one.run(record=sys.argv[1]).outcome.value)
    print(outer.run(record=sys.argv[1]).facts.verdict.message)

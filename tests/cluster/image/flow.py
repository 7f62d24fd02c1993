"""The code in the image of the runners that are tested."""

import socket
import time
from typing import Annotated

from vaportrail import Hidden, log, pipeline, result, task


@task
def double(n: int) -> int:
    print(f"doubling {n}")
    log.metric("doubled", 2 * n)
    return 2 * n


@task
def broken() -> None:
    raise ValueError("no good")


@task
def forever() -> None:
    print("begun", flush=True)
    try:
        time.sleep(600)
    finally:
        print("cleaning up", flush=True)


@task(timeout=0.5)
def deaf() -> None:
    """Does not hear its time limit: it eats the exception."""
    while True:
        try:
            time.sleep(600)
        except BaseException:
            print("not heard", flush=True)


@pipeline
def flow(
    n: int = 2, fail: bool = False, hang: bool = False, secret: Annotated[str, Hidden] = ""
) -> list[int]:
    print("first line")
    doubled = [double(i) for i in range(n)]
    assert result(doubled[-1]) == 2 * (n - 1)
    log.param("ready", _is_open(8399))
    if fail:
        broken()
        deaf()
    if hang:
        forever()
        print("hanging")
    return doubled


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True

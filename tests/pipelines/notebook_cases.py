"""Notebooks of many kinds in one run; their files are written into the folder where it is started."""

import textwrap
from pathlib import Path
from typing import Any

from vaportrail import log, notebook, pipeline, task

FOLDER = Path("notebooks").absolute()
NESTED = (
    '{"cells": [{"cell_type": "code", "source": "deep = 1", "metadata": {}, "outputs": [], '
    '"execution_count": null, "id": "a"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
)
(FOLDER / "elsewhere").mkdir(parents=True, exist_ok=True)
(FOLDER / "beside.py").write_text("class Thing:\n    pass\n")
(FOLDER / "nested.ipynb").write_text(NESTED)


def made(file: str, source: str, **options: Any) -> Any:
    (FOLDER / file).write_text(textwrap.dedent(source))
    return notebook(str(FOLDER / file), **options)


long_name = made(
    "01_exploratory_analysis_of_customers_and_of_all_that_they_ever_bought.py",
    """\
    # %%
    from vaportrail import output
    output(prompts=len(prompts), upstream=sorted(upstream), both=sorted(both), own=self)
    """,
)
outputs = made(
    "outputs.py",
    """\
    # %%
    import threading
    from vaportrail import output
    output(good=1)

    # %% tags=["raises-exception"]
    output(good=2, lock=threading.Lock())

    # %%
    rows = ["as it was"]
    output(rows=rows)
    rows.append("changed later")

    # %%
    output(late=3)
    """,
)
unloadable = made(
    "unloadable.py",
    """\
    # %%
    import beside
    from vaportrail import output
    output(thing=beside.Thing())
    """,
    allow_failure=True,
)
awaits = made(
    "awaits.py",
    """\
    # %%
    import asyncio
    from opentelemetry import trace
    from vaportrail import log
    tracer = trace.get_tracer("awaits")

    # %%
    await asyncio.sleep(0)
    with tracer.start_as_current_span("in a cell that awaits"):
        await asyncio.sleep(0)

    # %%
    with tracer.start_as_current_span("in the cell after it"):
        log.metric("after", 1)

    # %%
    from IPython.display import display
    display({"image/png": "iVBORw0KGgo="}, raw=True)
    """,
)
numbered = made(
    "numbered.py",
    """\
    # %% [markdown]
    # # A title

    # %% tags=["parameters"]
    n = 1

    # %%

    # %%
    # %run nested.ipynb

    # %%
    print(n)
    1 / 0
    """,
    allow_failure=True,
)
killed = made(
    "killed.py",
    """\
    # %%
    print("before the kill")

    # %%
    import os, signal
    print("at the kill")
    os.kill(os.getpid(), signal.SIGKILL)
    """,
    retries=1,
    backoff="50ms",
    retry_on=(ConnectionError,),
    allow_failure=True,
)
prints = made(
    "prints.py",
    """\
    # %%
    import multiprocessing, os, subprocess, sys, threading

    def much(number):
        for line in range(1000):
            print(f"fork {number} line {line}", flush=True)

    forks = [multiprocessing.get_context("fork").Process(target=much, args=(each,)) for each in range(2)]
    for fork in forks:
        fork.start()
    for fork in forks:
        fork.join()

    # %%
    subprocess.run(["echo", "a program"], check=True)
    subprocess.run(["echo", "a program on sys.stdout"], stdout=sys.stdout, check=True)
    os.system("echo a shell >&2")
    print("the cell itself")

    # %%
    go_on, printed = threading.Event(), threading.Event()

    def later():
        go_on.wait()
        print("a thread of the cell before")
        printed.set()

    threading.Thread(target=later).start()

    # %%
    go_on.set()
    assert printed.wait(60)
    """,
)
all_options = made(
    "all_options.py",
    """\
    # %%
    import os
    import beside
    print(os.getcwd())
    print(os.environ["WORD"], os.environ["OTHER"])
    """,
    cwd=str(FOLDER / "elsewhere"),
    name="every-option",
    cpus=0.5,
    gpus=0,
    memory="10Mi",
    resources={},
    timeout="3m",
    retries=1,
    backoff="1s",
    retry_on=(ValueError,),
    env={"WORD": "said"},
    runtime_env={"env_vars": {"OTHER": "too"}},
    allow_failure=False,
)


@task
def letters() -> set[str]:
    return {"a", "b"}


@task
def keep(values: dict[str, Any]) -> None:
    log.json("outputs.json", values)


@pipeline
def notebooks(prompts: list[str]) -> None:
    keep(long_name(prompts=prompts, upstream=letters(), both={1, 2}, self="self"))
    given = outputs()
    keep(given)
    unloadable()
    awaits()
    numbered(n=5)
    killed()
    prints()
    all_options.options(after=[given])()

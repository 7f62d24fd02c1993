"""A pipeline that says its secrets in every way there is."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys

from vaportrail import log, notebook, outcome, pipeline, task

CHILD = "import os; print(os.environ['DB_PASSWORD'], os.environ['TLS_PRIVATE_KEY'], sep='\\n')"

secretive_notebook = notebook("secretive_notebook.py")


@task
def says(password: str, account: int) -> None:
    print(password, repr(password), account)
    print("x" * (64 * 1024 - 6) + password)
    logging.getLogger("mine").warning("login with %s", password)
    log.params({"password": password, "account": account, "deep": {password: [account]}})
    log.metric("account", account)
    subprocess.run([sys.executable, "-c", f"import os; {CHILD}"], check=True)


@task(allow_failure=True, env={"TASK_TOKEN": "t4skt0k3n-t4skt0k3n"})
def raises() -> None:
    raise RuntimeError(f"no way in with {os.environ['TASK_TOKEN']} and {os.environ['DB_PASSWORD']}")


@task(allow_failure=True)
def dies() -> None:
    os.write(2, f"{os.environ['DB_PASSWORD']}\n{os.environ['TLS_PRIVATE_KEY']}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


@pipeline
def secretive(password: str, account: int, database: str) -> None:
    print(f"the body knows {password}")
    logging.getLogger("mine").warning("the body knows %s", database)
    for handle in (says(password, account), raises(), dies(), secretive_notebook(password=password)):
        outcome(handle)
    raise ValueError(f"the body ends with {password} of {database}")

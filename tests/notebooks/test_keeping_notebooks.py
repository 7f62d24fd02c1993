"""A notebook whose time has run out is kept, also where that takes longer than the grace."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.execution.deadline import GRACE_SECONDS, AttemptTimedOut
from vaportrail.notebooks.notebook_client import QuietLoop
from vaportrail.notebooks.run_notebook import NO_PAGE, keep_notebook, short_folder
from vaportrail.record.spooled import spooled_records
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope
from vaportrail.telemetry.recorder import Recorder

NOTEBOOK = """\
# %%
print("before the end")

# %%
import time
time.sleep(600)
"""
# A process of its own: the watchdog would end this one.
ATTEMPT = """
    import importlib.abc, json, sys, time
    import jupytext, jupyter_client.manager, nbclient, nbformat  # seconds, on a slow machine
    from pathlib import Path
    from vaportrail.contract.run_identity import RunIdentity, RunSettings
    from vaportrail.execution.deadline import AttemptTimedOut, time_limit
    from vaportrail.notebooks.run_notebook import run_notebook
    from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope
    from vaportrail.telemetry.active_recorder import install

    class SlowMachine(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name == "nbconvert":
                time.sleep({slow})

    sys.meta_path.insert(0, SlowMachine())
    here = str(Path.cwd())
    settings = RunSettings(RunIdentity("0" * 32, "p", "p", 1), here, here, "record")
    install(settings, "worker")
    scope = AttemptScope("t-1", "t", 1, "1" * 16, None, here + "/scratch")
    set_attempt_scope(scope, settings)
    try:
        with time_limit(8, Path("stack")):
            run_notebook(Path("nb.py").absolute(), Path("nb.py").read_text(), dict())
    except AttemptTimedOut as error:
        print(json.dumps([error.failure.message, "nbconvert" in sys.modules]))
"""


@pytest.fixture(scope="module")
def attempt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("kept")
    (folder / "nb.py").write_text(NOTEBOOK)
    code = textwrap.dedent(ATTEMPT).replace("{slow}", str(GRACE_SECONDS + 1))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=600
    )
    return folder, done


def test_an_attempt_whose_time_has_run_out_lives_until_its_notebook_is_kept(
    attempt: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    done = attempt[1]

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)[1] is True


def test_it_says_that_its_time_has_run_out(
    attempt: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    assert json.loads(attempt[1].stdout)[0].startswith("ran longer than its timeout of 8 s")


def test_both_files_are_in_the_record(attempt: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder = attempt[0]
    kept = [path.read_bytes()[:9] for path in (folder / "record" / "artifacts").iterdir()]

    assert sorted(start[:1] for start in kept) == [b"<", b"{"]


def test_nothing_is_left_of_its_kernel(attempt: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    assert not list(attempt[0].glob("vtnb-*"))


@pytest.mark.parametrize("folder", ["/tmp", "/tmp/vtray-12345678/scratch", "/" + 80 * "x"])
def test_a_folder_that_leaves_room_for_sockets_is_taken(folder: str) -> None:
    assert short_folder(folder) == folder


@pytest.mark.parametrize("folder", ["/" + 90 * "x", "/" + 60 * "ü"])
def test_sockets_go_elsewhere_where_a_folder_leaves_no_room(folder: str) -> None:
    assert short_folder(folder) == "/tmp"


def test_a_notebook_runs_where_the_temporary_folder_has_a_long_name(tmp_path: Path) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    (tmp_path / "nb.py").write_text("# %%\nfrom vaportrail import output\noutput(x=1)\n")
    code = "from vaportrail import notebook; print(notebook('nb.py')())"

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(long)},
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert (done.stdout, done.stderr) == ("{'x': 1}\n", "")


def test_a_page_that_cannot_be_made_is_told_and_the_notebook_is_kept(tmp_path: Path) -> None:
    from nbformat import from_dict

    # A kernel may send anything.
    output = {"output_type": "display_data", "data": {"text/markdown": 5}, "metadata": {}}
    cell = {"cell_type": "code", "source": "1", "execution_count": 1, "metadata": {}, "outputs": [output]}
    notebook = from_dict({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    settings = RunSettings(RunIdentity("uid", "p", "p", 1), str(tmp_path), str(tmp_path), "x")
    recorder = Recorder(settings, "worker", writer_id="w")
    set_attempt_scope(AttemptScope("t-1", "t", 1, "1" * 16, None, str(tmp_path)), settings)
    try:
        keep_notebook(recorder, notebook, "broken")
    finally:
        set_attempt_scope(None)

    found = list(spooled_records(open_store(str(tmp_path)), "w.spool"))
    warning, missing = (record.body["body"]["stringValue"] for record in found[1:])
    assert [record.body.get("eventName", "") for record in found] == [
        c.EVENT_ARTIFACT,
        "",
        c.EVENT_NOT_CAPTURED,
    ]
    assert found[0].attributes[c.VALUE_NAME] == "notebook.ipynb"
    assert warning.startswith("no notebook.html could be made of notebook.ipynb: ")
    assert missing == NO_PAGE


def test_what_breaks_in_the_loop_that_drives_a_kernel_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def waits() -> None:
        asyncio.get_running_loop().call_soon(int, "no number")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR), asyncio.Runner(loop_factory=QuietLoop) as runner:
        runner.run(waits())

    assert [record.name for record in caplog.records] == ["asyncio"]
    assert "no number" in str(caplog.records[0].exc_info)


def test_a_time_limit_that_ends_within_a_callback_is_heard() -> None:
    def ring() -> None:
        raise AttemptTimedOut("its time is up")

    async def waits() -> None:
        asyncio.get_running_loop().call_soon(ring)
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=QuietLoop) as runner, pytest.raises(AttemptTimedOut, match="its time"):
        runner.run(waits())

"""Another user of the machine can neither read nor replace anything of a run while it goes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_stopping_runs import endless_run, until

NOBODY = 65534
LOOK = f"""
import os, sys
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
for path in sys.stdin.read().split("\\0"):
    folder = os.path.dirname(path)
    replaced = os.access(folder, os.W_OK | os.X_OK) and not os.stat(folder).st_mode & 0o1000
    if os.access(path, os.R_OK) or os.access(path, os.W_OK) or replaced:
        print(path)
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def all_below(folder: Path) -> list[Path]:
    return [Path(parent, name) for parent, folders, files in os.walk(folder) for name in [*folders, *files]]


def processes_with(variable: str) -> Iterator[Path]:
    """Yield the folders in /proc of the processes that were started with a variable in their environment."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (process / "environ").read_bytes().split(b"\0"):
                yield process
        except OSError:  # it has just gone
            continue


def held_open(process: Path) -> Iterator[str]:
    """Yield the paths of the files that a process has open for writing, or shares by mapping them."""
    for fd in (process / "fd").glob("*"):
        try:
            path = str(fd.readlink())
            flags = re.search(r"flags:\s+(\d+)", (process / "fdinfo" / fd.name).read_text())
        except OSError:
            continue
        if path.startswith("/") and flags is not None and int(flags[1], 8) & os.O_ACCMODE != os.O_RDONLY:
            yield path
    for line in (process / "maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].startswith("/") and fields[1].startswith("rw-s"):
            yield fields[5]


def opened_by_the_run(variable: str) -> set[Path]:
    found = {path for process in processes_with(variable) for path in held_open(process)}
    there = {Path(path) for path in found if not path.endswith(" (deleted)")}
    return {path for path in there if path.exists() and not path.is_char_device()}


def reached_by_nobody(paths: set[Path]) -> list[str]:
    """Return which of these another user can read or write, or exchange in their folder."""
    asked = "\0".join(map(str, paths))
    done = subprocess.run(
        [sys.executable, "-c", LOOK], input=asked, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def test_nothing_of_a_live_run_is_in_reach_and_its_record_follows_the_umask_when_it_is_sealed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # All above is open to everybody, as `/tmp` and `/home/name` often are.
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="vt") as opened:
        base = Path(opened)
        base.chmod(0o755)
        temporary = base / "t"
        temporary.mkdir()
        temporary.chmod(0o1777)
        (base / "readable").touch(mode=0o644)
        monkeypatch.setenv("TMPDIR", str(temporary))
        with endless_run(base) as run:
            until(lambda: list(temporary.glob("vtray-*/s/vtnb-*/*ipc*")), run)  # the notebook's sockets
            (session,) = temporary.glob("vtray-*")
            (record,) = base.glob("root/runs/*/*")
            (spool,) = base.glob("root/spool/*")
            inside = {path for folder in (session, spool, record) for path in all_below(folder)}
            opened_now = opened_by_the_run(f"TMPDIR={temporary}")
            reached = reached_by_nobody({*inside, *opened_now, session, record, spool, base / "readable"})
            owners = {path.lstat().st_uid for path in inside | opened_now}
            modes = {path: path.stat().st_mode & 0o7777 for path in (session, record, spool)}
            run.send_signal(2)
            run.communicate(timeout=600)
        sealed = record.stat().st_mode & 0o777

    umask = os.umask(0o022)
    os.umask(umask)
    assert any(path.suffix == ".spool" for path in opened_now)
    assert owners == {0}
    assert set(modes.values()) == {0o700}
    assert reached == [str(base / "readable")]  # which shows that it is looked for
    assert sealed == 0o777 & ~umask

"""Fixtures that several folders of tests use: the command line, sealed runs, a real S3 server.

Pipelines run in processes of their own, as a user's do: what Ray and OpenTelemetry set up in a
process can't be undone in it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from once import common_folder, once
from s3_server import s3_server
from vaportrail.record.reading.read import open_run
from vaportrail.record.reading.recorded_run import Run

collect_ignore_glob = ["pipelines/*", "typing/public_api.py"]

REPOSITORY = Path(__file__).parent.parent
PIPELINES = Path(__file__).parent / "pipelines"
CLI = Path(sys.executable).parent / "vaportrail"
MNIST = REPOSITORY / "examples" / "mnist" / "pipeline.py"
ONE_SIZE = "train_sizes=[400]"
TIMEOUT = 600
"""Seconds of a command, on a machine whose cores others keep busy, too."""

# How long one example takes says more of the machine than of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Let no test see what whoever started pytest ignores: `nohup` SIGHUP, a shell's `&` SIGINT.

    A program that is started by these processes starts with the default where they have a handler.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def pytest_itemcollected(item: pytest.Item) -> None:
    """Refuse a test whose name differs from process to process: they could not share the work."""
    if " at 0x" in item.nodeid:
        raise pytest.UsageError(f"{item.nodeid}: give its parameters an id without an address")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that start whole runs first: at the end one of them would keep one process only busy."""
    items.sort(key=lambda item: not _starts_runs(item.path))


@cache
def _starts_runs(file: Path) -> bool:
    words = ("make_run(", "PIPELINES", "subprocess", "Sealed", "Cli")
    return any(word in file.read_text() for word in words)


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def run(self) -> Any:
        """What `run --json` said of its run, among what the pipeline's body printed."""
        assert '{"uri": ' in self.out, self.err
        return json.JSONDecoder().raw_decode(self.out, self.out.index('{"uri": '))[0]


Cli = Callable[..., Finished]


def run_vaportrail(*args: object, cwd: Path, env: dict[str, str] | None = None) -> Finished:
    """Run the command line as a user does."""
    done = subprocess.run(
        [str(CLI), *map(str, args)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command line, started in the test's own folder."""

    def run(*args: object, env: dict[str, str] | None = None) -> Finished:
        return run_vaportrail(*args, cwd=tmp_path, env=env)

    return run


@dataclass(frozen=True)
class Sealed:
    """A run that was made by the command line: its record, and its spool as it was at the seal."""

    root: Path
    uri: str
    sha256: str
    finished: Finished
    spool: Path

    @property
    def run(self) -> Run:
        return open_run(self.uri)

    @property
    def folder(self) -> Path:
        return Path(self.uri)


def make_run(root: Path, entrypoint: str, *args: object, env: dict[str, str] | None = None) -> Sealed:
    """Run a pipeline, keep a copy of its spool, and seal it."""
    root.mkdir(parents=True, exist_ok=True)
    finished = run_vaportrail(
        "run", entrypoint, "--record", root, "--json", "--keep-spool", *args, cwd=root, env=env
    )
    said = finished.run
    spool = root / "spool" / said["uid"]
    return Sealed(root, said["uri"], said["sha256"], finished, spool)


@pytest.fixture(scope="session")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """The MNIST example, run once for all tests. Never change its record: copy it."""
    return once(tmp_path_factory, "mnist", lambda root: make_run(root, f"{MNIST}:mnist"))


@pytest.fixture(scope="session")
def one_size(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """The MNIST example with one size and without `--keep-spool`: the exit code and the folder."""

    def make(folder: Path) -> tuple[int, Path]:
        folder.mkdir(exist_ok=True)
        return run_vaportrail("run", f"{MNIST}:mnist", "-p", ONE_SIZE, cwd=folder).code, folder

    return once(tmp_path_factory, "one-size", make)


@pytest.fixture(scope="session")
def failures(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """A run in which tasks fail in every way there is. Never change its record: copy it."""
    entrypoint = f"{PIPELINES / 'failures.py'}:failures"
    return once(tmp_path_factory, "failures", lambda root: make_run(root, entrypoint))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """A small run that succeeds and logs one of everything. Never change its record: copy it."""
    arguments = (f"{PIPELINES / 'small.py'}:small", "--tag", "team=vision", "-p", "size=3")
    return once(tmp_path_factory, "small", lambda root: make_run(root, *arguments))


@pytest.fixture
def small_copy(small: Sealed, tmp_path: Path) -> Path:
    """A copy of the small run's record that a test may damage."""
    copy = tmp_path / "runs" / "small" / small.folder.name
    shutil.copytree(small.folder, copy)
    return copy


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A SeaweedFS S3 server on loopback with the bucket `records`; yields the environment to reach it."""
    with s3_server(common_folder(tmp_path_factory) / "seaweedfs") as env:
        yield env

"""The standard library's `logging` is recorded beside the user's own set-up, which is as it is without us."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.telemetry.spool import read_spool
from vaportrail.telemetry.values import read_attributes

HEAD = """
import json, logging, logging.config, sys
from pathlib import Path
from vaportrail.contract.run_identity import RunSettings
from vaportrail.telemetry.active_recorder import install
from vaportrail.telemetry.stdlib_logging import install_handler

root, log = logging.getLogger(), logging.getLogger("mine")

def state():
    loggers = [(name, logging.getLogger(name).level) for name in ("asyncio", "ray", "traitlets")]
    return str((root.level, root.handlers, logging.lastResort, logging.Logger.callHandlers, loggers))

before = state()
install(RunSettings.from_json(sys.argv[1]), "worker")
end = install_handler()
"""


def run(folder: Path, body: str) -> tuple[str, list[dict[str, Any]]]:
    """Return what a program complained about, and the log records that are in its spool."""
    settings = RunSettings(RunIdentity("uid", "p", "p", 1), str(folder / "spool"), str(folder), "runs/p/x")
    done = subprocess.run(
        [sys.executable, "-c", HEAD + body, settings.to_json()], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    (spool,) = (folder / "spool").glob("*.spool")
    return done.stderr, [
        dict(line.record) for line in read_spool(iter(spool.read_bytes().splitlines(True)[1:]))
    ]


def texts(records: list[dict[str, Any]]) -> list[str]:
    return [record["body"]["stringValue"] for record in records]


def test_basic_config_sets_level_and_file_as_it_does_without_us(tmp_path: Path) -> None:
    _, records = run(
        tmp_path,
        """
logging.basicConfig(level=logging.DEBUG, filename="app.log")
log.debug("details")
""",
    )

    assert texts(records) == ["details"]
    assert (tmp_path / "app.log").read_text() == "DEBUG:mine:details\n"


@pytest.mark.parametrize(
    "change",
    [
        "logging.basicConfig(force=True, stream=open('/dev/null', 'w'))",
        "logging.config.dictConfig(dict(version=1, disable_existing_loggers=False, root=dict(handlers=[])))",
        "root.handlers.clear()",
        "root.handlers = []",
    ],
    ids=["basicConfig by force", "dictConfig", "cleared", "replaced"],
)
def test_whatever_becomes_of_the_roots_handlers_all_is_recorded_once(change: str, tmp_path: Path) -> None:
    _, records = run(tmp_path, f"{change}\nlog.warning('still here')\nroot.error('and here')\n")

    assert texts(records) == ["still here", "and here"]


def test_nothing_is_printed_that_is_recorded(tmp_path: Path) -> None:
    complained, records = run(tmp_path, "log.warning('once')")

    assert (complained, texts(records)) == ("", ["once"])


def test_a_logger_that_does_not_propagate_is_its_owners(tmp_path: Path) -> None:
    _, records = run(
        tmp_path, "log.propagate = False\nlog.addHandler(logging.NullHandler())\nlog.error('mine')"
    )

    assert records == []


def test_a_logger_that_stands_alone_is_its_owners(tmp_path: Path) -> None:
    _, records = run(tmp_path, "logging.Logger('aside').warning('its own'); log.warning('all')")

    assert texts(records) == ["all"]


def test_a_wrapper_of_another_library_around_ours_does_not_double_what_is_recorded(tmp_path: Path) -> None:
    _, records = run(
        tmp_path,
        """
theirs = logging.Logger.callHandlers
logging.Logger.callHandlers = lambda logger, record: theirs(logger, record)
install_handler()
log.info("once")
""",
    )

    assert texts(records) == ["once"]


def test_extra_and_stack_info_are_attributes(tmp_path: Path) -> None:
    _, records = run(
        tmp_path,
        """
class Broken:
    def __str__(self):
        raise ValueError
log.info("x", extra={"user": "ann", "count": 3, "vaportrail.seq": 9, "any": Broken()}, stack_info=True)
""",
    )
    (found,) = [read_attributes(record["attributes"]) for record in records]

    assert (found["user"], found["count"], found["extra.vaportrail.seq"]) == ("ann", 3, 9)
    assert found["any"] == "<str() of a Broken raised ValueError>"
    assert found["code.stacktrace"].startswith("Stack (most recent call last):")


def test_an_exception_that_cannot_be_told_is_recorded_all_the_same(tmp_path: Path) -> None:
    _, records = run(
        tmp_path,
        """
class Odd(Exception):
    def __str__(self):
        raise KeyError
try:
    raise Odd
except Odd:
    log.exception("it broke")
""",
    )

    assert texts(records) == ["it broke"]


def test_logging_is_as_before_when_it_ends(tmp_path: Path) -> None:
    run(tmp_path, "log.info('x')\nend()\nassert state() == before, (state(), before)")


def test_what_the_users_code_set_meanwhile_stays(tmp_path: Path) -> None:
    run(tmp_path, "root.setLevel(logging.DEBUG)\nend()\nassert root.level == logging.DEBUG")

"""`vaportrail seal`: what waits is listed, and becomes a record."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.conftest import Sealed


@pytest.fixture
def waiting(small: Sealed, tmp_path: Path) -> Path:
    """A spool that waits for its seal in the default root."""
    root = tmp_path / "vaportrail-runs"
    return wait(small, root, small.spool.name)


def wait(small: Sealed, root: Path, uid: str) -> Path:
    """Copy the small run's spool below `root` under another id, as its dead runner would have left it."""
    spool = root / "spool" / uid
    shutil.copytree(small.spool, spool)
    (spool / "seal-plan.json").unlink()
    (spool / "sealed").unlink()
    settings = json.loads((spool / "run.json").read_text())
    path = f"runs/small/20300101T000000Z-{uid[:8]}"
    settings |= {"root": str(root), "spool": str(spool), "path": path}
    settings["identity"] |= {"uid": uid, "created_unix_nano": 1_893_456_000 * 10**9}
    (spool / "run.json").write_text(json.dumps(settings))
    for file in spool.glob("*.spool"):
        header, rest = file.read_bytes().split(b"\n", 1)
        file.write_bytes(header.replace(small.spool.name.encode(), uid.encode()) + b"\n" + rest)
    shutil.copytree(small.folder / "artifacts", root / path / "artifacts")
    return spool


@pytest.fixture
def alive(waiting: Path) -> Iterator[Path]:
    """The same, but its runner still holds its lock."""
    with (waiting / "runner.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield waiting


def test_nothing_to_seal_is_said(command: Command) -> None:
    said = command("seal")

    assert (said.code, said.out, said.err) == (0, "", "no run below vaportrail-runs waits for a seal\n")


def test_what_waits_is_listed(command: Command, waiting: Path) -> None:
    [line] = command("seal").lines

    assert line.startswith(f"{waiting.name}  small/")
    assert line.endswith("  its runner is gone")


def test_a_run_that_is_alive_is_listed_as_such(command: Command, alive: Path) -> None:
    assert command("seal").out.endswith("  its runner is alive\n")


def test_listing_seals_nothing(command: Command, waiting: Path) -> None:
    command("seal")

    assert not (waiting / "seal-plan.json").exists()


def test_a_run_is_sealed_by_the_start_of_its_id(command: Command, waiting: Path, tmp_path: Path) -> None:
    said = command("seal", waiting.name[:6])

    assert said.code == 0
    assert len(list(tmp_path.glob("vaportrail-runs/runs/small/*/manifest.json"))) == 1


def test_the_verdict_of_a_sealed_run_is_printed(command: Command, waiting: Path) -> None:
    said = command("seal", waiting.name)

    assert [line.split()[0] for line in said.lines] == ["SUCCEEDED", "record", "sha256"]


def test_what_was_sealed_verifies(command: Command, waiting: Path) -> None:
    command("seal", waiting.name)

    assert command("verify", "--rebuild").code == 0


def test_the_printed_hash_is_the_records(command: Command, waiting: Path) -> None:
    sealed = json.loads(command("seal", waiting.name, "--json").out)

    assert json.loads(command("verify", sealed["uri"], "--json").out)["sha256"] == sealed["sha256"]


def test_the_spool_is_gone_after_the_seal(command: Command, waiting: Path) -> None:
    command("seal", waiting.name)

    assert not waiting.exists()


def test_the_spool_is_kept_where_asked_and_gives_the_same_hash_again(command: Command, waiting: Path) -> None:
    first = command("seal", waiting.name, "--keep-spool", "--json")
    second = command("seal", waiting.name, "--json")

    assert first.out == second.out


def test_all_that_wait_are_sealed(command: Command, small: Sealed, waiting: Path) -> None:
    other = wait(small, waiting.parents[1], "00000000-1111-4222-8333-444444444444")
    said = command("seal", "--all", "--json")

    assert len(said.lines) == 2
    assert not waiting.exists()
    assert not other.exists()


def test_all_leaves_out_a_run_that_is_alive(command: Command, alive: Path) -> None:
    said = command("seal", "--all")

    assert (said.code, said.out) == (0, "")
    assert alive.exists()


def test_a_run_that_is_alive_is_not_sealed(command: Command, alive: Path) -> None:
    said = command("seal", alive.name)

    assert said.code == 1
    assert "is still alive" in said.err


def test_an_unknown_id_is_told_with_those_there_are(command: Command, waiting: Path) -> None:
    said = command("seal", "zzz")

    assert said.code == 1
    assert waiting.name in said.err


def test_an_id_and_all_are_bad_input(command: Command, waiting: Path) -> None:
    said = command("seal", waiting.name, "--all")

    assert (said.code, said.err) == (2, "error: give a UID or --all, not both\n")


def test_a_run_that_waits_is_listed_as_not_sealed(command: Command, waiting: Path) -> None:
    assert "  not sealed: vaportrail seal" in command("ls").lines[1]


def test_a_run_that_is_alive_is_listed_as_running(command: Command, alive: Path) -> None:
    assert command("ls").lines[1].endswith("  running")


def test_a_run_that_waits_can_be_shown_and_read(command: Command, waiting: Path) -> None:
    assert "made 3" in command("logs").out
    assert command("show").lines[0].startswith("SUCCEEDED  small/")


def test_a_conflict_is_told_and_nothing_removed(command: Command, small: Sealed, waiting: Path) -> None:
    settings = json.loads((waiting / "run.json").read_text())
    manifest = waiting.parents[1] / settings["path"] / "manifest.json"
    manifest.write_text("something else")
    said = command("seal", waiting.name)

    assert said.code == 1
    assert "nothing was overwritten" in said.err
    assert waiting.exists()

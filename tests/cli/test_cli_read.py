"""`ls`, `show` and `logs`: reading runs from the command line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vaportrail.cli.main import COMMANDS

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.conftest import Sealed

SUMMARY = {
    "uri", "uid", "name", "pipeline", "outcome", "message", "sealed", "seal_command", "created",
    "duration_seconds", "tasks", "parameters", "tags",
}  # fmt: skip


@pytest.fixture
def two_runs(small: Sealed, failures: Sealed, tmp_path: Path) -> Path:
    """A record root with the small run and the failing one, which is newer or older by minutes."""
    root = tmp_path / "two-runs"
    for made in (small, failures):
        copy = root / made.folder.relative_to(made.root)
        shutil.copytree(made.folder, copy)
    return root


def newest(*made: Sealed) -> Sealed:
    return max(made, key=lambda one: one.folder.name)


# Help


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_names_every_command(command: Command, name: str) -> None:
    assert f"\n  {name} " in command("--help").out


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(command: Command, name: str, flag: str) -> None:
    said = command(name, flag)

    assert said.code == 0
    assert said.out.startswith(f"Usage: vaportrail {name} ")


def test_the_help_of_run_says_the_exit_codes(command: Command) -> None:
    text = " ".join(command("run", "--help").out.split())

    assert "Exit codes: 0 succeeded, 1 failed or not sealed, 2 bad input" in text


@pytest.mark.parametrize("name", ["run", "ls", "show", "logs", "verify", "seal"])
def test_every_command_on_records_takes_a_root(command: Command, name: str) -> None:
    assert "--record ROOT" in command(name, "--help").out


def test_the_version_is_told(command: Command) -> None:
    from vaportrail.version import __version__

    said = command("--version").out

    # These tests run in a checkout.
    assert re.fullmatch(
        rf"vaportrail, version {re.escape(__version__)}, revision [0-9a-f]{{40}}(-changed)?\n", said
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["show", "--nonsense"],
        ["ls", "--limit", "many"],
        ["show", "one", "two"],
        ["export", "x"],
    ],
    ids=" ".join,
)
def test_what_the_command_line_does_not_know_is_bad_input(command: Command, arguments: list[str]) -> None:
    said = command(*arguments)

    assert (said.code, said.out) == (2, "")
    assert "Usage:" in said.err


# ls


def test_ls_lists_a_run_under_a_head(command: Command, small: Sealed) -> None:
    head, line = command("ls", "--record", small.root).lines

    assert head.split() == ["OUTCOME", "PIPELINE", "DURATION", "TASKS", "RUN"]
    assert line.split()[0:2] == ["SUCCEEDED", "small"]
    assert line.split()[-2:] == ["3", small.folder.name]


def test_ls_lists_the_newest_run_first(
    command: Command, two_runs: Path, small: Sealed, failures: Sealed
) -> None:
    listed = [line.split()[-1] for line in command("ls", "--record", two_runs).lines[1:]]

    assert listed == sorted((small.folder.name, failures.folder.name), reverse=True)


def test_ls_lists_only_runs_of_a_pipeline(command: Command, two_runs: Path) -> None:
    listed = command("ls", "--record", two_runs, "--pipeline", "failures").lines[1:]

    assert [line.split()[1] for line in listed] == ["failures"]


def test_ls_says_that_there_is_more(command: Command, two_runs: Path) -> None:
    said = command("ls", "--record", two_runs, "-n", "1")

    assert len(said.lines) == 2
    assert "and more" in said.err


def test_ls_does_not_say_that_there_is_more_when_there_is_not(command: Command, two_runs: Path) -> None:
    assert command("ls", "--record", two_runs, "-n", "2").err == ""


def test_ls_as_json_is_an_object_a_line(command: Command, two_runs: Path) -> None:
    listed = [json.loads(line) for line in command("ls", "--record", two_runs, "--json").lines]

    assert [set(run) for run in listed] == [SUMMARY, SUMMARY]


def test_ls_as_json_says_what_the_run_was(command: Command, small: Sealed) -> None:
    run = json.loads(command("ls", "--record", small.root, "--json").out)

    assert run["parameters"] == {"size": 3, "secret": "<hidden>"}
    assert run["tags"] == {"team": "vision"}
    assert (run["outcome"], run["tasks"], run["sealed"]) == ("SUCCEEDED", {"SUCCEEDED": 3}, True)


def test_ls_of_an_empty_root_says_so(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = command("ls", "--record", "empty")

    assert (said.code, said.out, said.err) == (0, "", "no runs below empty\n")


def test_ls_of_a_root_that_is_not_there_fails(command: Command) -> None:
    said = command("ls", "--record", "nowhere")

    assert said.code == 1
    assert said.err.startswith("error: there is no record root nowhere yet: start a run with ")


def test_ls_warns_of_a_record_that_it_cannot_read_and_lists_the_others(
    command: Command, two_runs: Path, failures: Sealed
) -> None:
    (two_runs / "runs" / "failures" / failures.folder.name / "manifest.json").write_text("garbage")
    said = command("ls", "--record", two_runs)

    assert [line.split()[1] for line in said.lines[1:]] == ["small"]
    assert said.err.startswith("warning: ")
    assert failures.folder.name in said.err


def test_the_root_may_come_from_the_environment(
    command: Command, small: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAPORTRAIL_RECORD", str(small.root))

    assert small.folder.name in command("ls").out


def test_a_scheme_that_holds_no_records_is_bad_input(command: Command) -> None:
    said = command("ls", "--record", "ftp://somewhere/else")

    assert said.code == 2
    assert "ftp://somewhere/else" in said.err


# Which run


def test_a_run_is_found_by_its_folder(command: Command, small: Sealed) -> None:
    assert small.uri in command("show", small.folder).out


def test_a_run_is_found_by_its_name(command: Command, small: Sealed) -> None:
    assert small.uri in command("show", small.folder.name, "--record", small.root).out


def test_a_run_is_found_by_the_start_of_its_id(command: Command, small: Sealed) -> None:
    assert small.uri in command("show", small.run.facts.run.uid[:5], "--record", small.root).out


def test_the_latest_run_is_meant_where_none_is_named(
    command: Command, two_runs: Path, small: Sealed, failures: Sealed
) -> None:
    assert newest(small, failures).folder.name in command("show", "--record", two_runs).lines[0]


def test_latest_names_the_latest_run(
    command: Command, two_runs: Path, small: Sealed, failures: Sealed
) -> None:
    assert newest(small, failures).folder.name in command("show", "latest", "--record", two_runs).lines[0]


def test_no_run_at_all_is_told_with_what_to_do(command: Command, tmp_path: Path) -> None:
    (tmp_path / "vaportrail-runs").mkdir()
    said = command("show")

    assert said.code == 1
    assert "there is no run below vaportrail-runs yet; start one with" in said.err


def test_an_unknown_name_is_told_with_what_to_do(command: Command, small: Sealed) -> None:
    said = command("show", "zzz", "--record", small.root)

    assert said.code == 1
    assert said.err.startswith("error: no run 'zzz' below ")


def test_a_name_that_means_two_runs_is_refused(command: Command, small: Sealed, tmp_path: Path) -> None:
    # Two records of one run, as after a copy.
    for folder in ("20300101T000000Z-aaaaaaaa", "20300101T000001Z-bbbbbbbb"):
        shutil.copytree(small.folder, tmp_path / "root" / "runs" / "small" / folder)
    said = command("show", small.run.facts.run.uid[:8], "--record", "root")

    assert said.code == 1
    assert "means 2 runs" in said.err
    assert "aaaaaaaa" in said.err
    assert "bbbbbbbb" in said.err


# show


def test_the_first_line_of_show_is_the_verdict(command: Command, small: Sealed) -> None:
    first = command("show", small.folder).lines[0]

    assert first.startswith(f"SUCCEEDED  small/{small.folder.name}  ")
    assert first.endswith("  sealed: 3 of 3 tasks succeeded")


def test_the_first_line_of_show_says_what_failed(command: Command, failures: Sealed) -> None:
    first = command("show", failures.folder).lines[0]

    assert first.startswith("FAILED  failures/")
    assert "raises-1 FAILED" in first


def test_show_succeeds_also_for_a_run_that_failed(command: Command, failures: Sealed) -> None:
    assert command("show", failures.folder).code == 0


@pytest.mark.parametrize(
    "text",
    [
        "parameters  size=3, secret=<hidden>",
        "tags        team=vision",
        "loss: none",
        "make(size=3)",
        "loss = 1.5  (last of 4, 1.5 … 3)",
        "verdict = good",
        "in_body = True",
        "files       6, ",
    ],
)
def test_show_tells_what_there_is(command: Command, small: Sealed, text: str) -> None:
    assert text in command("show", small.folder).out


@pytest.mark.parametrize(
    "text",
    [
        "because raises-1 did not succeed",
        "after 3 attempts",
        "FAILED raises-1, attempt 1: ValueError: the very bottom",
        "    ValueError: the very bottom",
        "TIMED_OUT",
        "WORKER_LOST",
    ],
)
def test_show_tells_what_went_wrong(command: Command, failures: Sealed, text: str) -> None:
    assert text in command("show", failures.folder).out


def test_show_as_json_is_the_manifest_and_all_rows(command: Command, small: Sealed) -> None:
    shown = json.loads(command("show", small.folder, "--json").out)
    manifest = json.loads((small.folder / "manifest.json").read_bytes())

    assert {key: shown[key] for key in manifest} == manifest
    assert {key: len(shown[key]) for key in manifest["totals"]} == manifest["totals"]
    assert [task["id"] for task in shown["tasks"]] == ["make-1", "double-1", "report-1"]


def test_output_that_is_no_terminal_has_no_colours(command: Command, failures: Sealed) -> None:
    assert "\x1b" not in command("show", failures.folder).out


# logs


def test_logs_prints_output_and_log_lines(command: Command, small: Sealed) -> None:
    said = [line.split(maxsplit=1)[1] for line in command("logs", small.folder, "--task", "make-1").lines]

    assert sorted(" ".join(line.split()) for line in said) == [
        "make-1 small.make made 3",
        "make-1 stderr a complaint",
        "make-1 stdout making 3",
    ]


def test_logs_are_in_the_order_of_their_times(command: Command, small: Sealed) -> None:
    times = [json.loads(line)["time"] for line in command("logs", small.folder, "--json").lines]

    assert times == sorted(times)


def test_logs_of_all_tasks_hold_those_of_each(command: Command, small: Sealed) -> None:
    everything = set(command("logs", small.folder).lines)
    each = {
        line for task in small.run.tasks for line in command("logs", small.folder, "--task", task.id).lines
    }

    assert each == everything


def test_logs_as_json_is_an_object_a_line(command: Command, small: Sealed) -> None:
    keys = {"time", "task", "attempt", "source", "severity", "text"}

    assert [set(json.loads(line)) for line in command("logs", small.folder, "--json").lines] == [keys] * 7


def test_logs_keep_what_a_killed_process_said(command: Command, failures: Sealed) -> None:
    texts = [
        json.loads(line)["text"]
        for line in command("logs", failures.folder, "--task", "killed-1", "--json").lines
    ]

    assert sorted(texts) == ["a warning before the kill", "before the kill", "half a line"]


def test_logs_of_a_task_that_there_is_not_are_bad_input(command: Command, small: Sealed) -> None:
    said = command("logs", small.folder, "--task", "make-9")

    assert said.code == 2
    assert "it has make-1, double-1, report-1" in said.err

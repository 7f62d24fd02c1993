"""`vaportrail run`: bad input starts nothing; a run ends with a line, a record and an exit code."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vaportrail.cli.main import main
from vaportrail.execution.alone import alone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from tests.cli.conftest import Command
    from tests.conftest import Cli, Finished, Sealed

PIPELINES = Path(__file__).parents[1] / "pipelines"
SMALL = f"{PIPELINES / 'small.py'}:small"
CLI = Path(sys.executable).parent / "vaportrail"
HELLO = """\
from vaportrail import pipeline, task

@task
def greet(name: str) -> str:
    print(f"hello, {name}")
    return name

@pipeline
def hello(name: str = "world", fail: bool = False) -> None:
    greet(name)
    if fail:
        raise ValueError("asked to fail")
"""

BAD_INPUT = {
    "no entrypoint": ([], "Missing argument 'MODULE:PIPELINE'"),
    "empty entrypoint": ([":small"], "':small' is not MODULE:PIPELINE"),
    "no such file": (["nowhere.py:small"], "there is no file nowhere.py"),
    "a folder": ([f"{PIPELINES}:small"], f"there is no file {PIPELINES}"),
    "no such module": (["nowhere:small"], "no module 'nowhere' can be imported"),
    "no such pipeline": ([f"{PIPELINES / 'small.py'}:smal"], "has no pipeline 'smal'; it has small"),
    "a task": ([f"{PIPELINES / 'small.py'}:make"], "'make' in "),
    "a module without pipelines": (["json:loads"], "'loads' in json is not a pipeline"),
    "nothing to choose": (["json"], "does not say which pipeline: json has none"),
    "unknown parameter": ([SMALL, "-p", "colour=red"], "unknown parameter 'colour'; it takes size, secret"),
    "misspelt parameter": ([SMALL, "-p", "sise=3"], "unknown parameter 'sise'; did you mean 'size'?"),
    "ill-typed parameter": ([SMALL, "-p", "size=many"], "parameter 'size' does not take 'many'"),
    "parameter without a value": ([SMALL, "-p", "size"], "-p 'size' is not NAME=VALUE"),
    "parameter twice": ([SMALL, "-p", "size=1", "-p", "size=2"], "parameter 'size' is given twice"),
    "no such parameter file": ([SMALL, "-P", "nowhere.yaml"], "parameter file 'nowhere.yaml' cannot be read"),
    "tag without a value": ([SMALL, "--tag", "vision"], "--tag 'vision' is not NAME=VALUE"),
    "tag without a name": ([SMALL, "--tag", "=vision"], "--tag '=vision' is not NAME=VALUE"),
    "no CPUs": ([SMALL, "--cpus", "0"], "Invalid value for '--cpus'"),
    "unknown option": ([SMALL, "--colour"], "No such option"),
    "name that leaves the record": ([SMALL, "--name", "../up"], "'../up' cannot name"),
    "root that holds no records": ([SMALL, "--record", "ftp://a/b"], "'ftp://a/b' is not a place"),
}


@pytest.fixture
def unchanged() -> Iterator[None]:
    """Put back what importing a pipeline changes in this process."""
    path, modules = list(sys.path), dict(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        yield
    sys.path[:] = path
    for name in [
        name for name, module in sys.modules.items() if _of_pipelines(module) and name not in modules
    ]:
        del sys.modules[name]


def _of_pipelines(module: ModuleType) -> bool:
    return Path(getattr(module, "__file__", None) or "/").is_relative_to(PIPELINES)


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_is_named_before_anything_starts(
    command: Command, unchanged: None, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = command("run", *arguments)

    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "starting Ray" not in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("size: [", "is neither YAML nor JSON"),
        ("- size", "does not hold a mapping"),
        ("1: 2", "unknown parameter '1'"),
        ("colour: red", "unknown parameter 'colour'"),
        ("size: many", "parameter 'size' does not take 'many'"),
    ],
)
def test_a_bad_parameter_file_is_named_before_anything_starts(
    command: Command, unchanged: None, tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "parameters.yaml").write_text(content)
    done = command("run", SMALL, "-P", "parameters.yaml")

    assert done.code == 2
    assert message in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["parameters.yaml"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import nowhere_to_be_found", "needs 'nowhere_to_be_found', which is not installed"),
        ("1 / 0", "importing broken raised ZeroDivisionError: division by zero"),
        ("def f(:", "importing broken raised SyntaxError"),
        (
            "import sys; sys.exit(0)",
            "importing broken raised SystemExit(0): guard what ends the program with "
            'if __name__ == "__main__":',
        ),
        ("import sys; sys.exit('no data')", "importing broken raised SystemExit('no data')"),
    ],
)
def test_a_module_that_cannot_be_imported_is_bad_input(
    cli: Cli, tmp_path: Path, source: str, message: str
) -> None:
    (tmp_path / "broken.py").write_text(source)
    done = cli("run", "broken:x", env={"PYTHONDONTWRITEBYTECODE": "1"})

    assert done.code == 2
    assert message in done.err


def test_all_bad_parameters_are_named_at_once(cli: Cli) -> None:
    done = cli("run", SMALL, "-p", "colour=red", "-p", "size=many")

    assert "'colour'" in done.err
    assert "'size'" in done.err


def test_a_hidden_parameters_value_is_not_in_the_message(cli: Cli) -> None:
    done = cli("run", SMALL, "-p", "size=many", "-p", "secret=hush-hush")

    assert "hush-hush" not in done.err


# What the session's runs said, which were made with --json.


def test_a_run_that_succeeded_exits_with_zero(small: Sealed) -> None:
    assert small.finished.code == 0


def test_a_run_that_failed_exits_with_one(failures: Sealed) -> None:
    assert failures.finished.code == 1


def test_a_run_that_failed_is_sealed_too(failures: Sealed) -> None:
    assert failures.run.sealed


def test_run_as_json_prints_one_object_and_nothing_else(small: Sealed) -> None:
    assert set(small.finished.json) == {
        "uri", "uid", "name", "pipeline", "outcome", "message", "sealed", "seal_command", "created",
        "duration_seconds", "tasks", "parameters", "tags", "result", "sha256",
    }  # fmt: skip


def test_progress_is_plain_lines_with_a_time_where_there_is_no_terminal(failures: Sealed) -> None:
    wrong = [line for line in failures.finished.err.splitlines() if not re.match(r"\d\d:\d\d:\d\d \S", line)]

    assert wrong == []


def test_progress_tells_start_and_end_of_every_task(small: Sealed) -> None:
    for task in small.run.tasks:
        assert f" {task.id} handed to Ray: " in small.finished.err
        assert f" {task.id} SUCCEEDED " in small.finished.err


def test_progress_begins_with_ray_and_ends_with_the_seal(small: Sealed) -> None:
    said = [line.split(maxsplit=1)[1] for line in small.finished.err.splitlines()]

    assert (said[0], said[-1]) == ("starting Ray", "sealing the record")


def test_progress_tells_why_a_task_failed(failures: Sealed) -> None:
    assert re.search(r"raises-1 FAILED .*: ValueError: the very bottom", failures.finished.err)


def test_progress_tells_why_a_task_was_skipped(failures: Sealed) -> None:
    assert re.search(r"needs-1 SKIPPED .*: raises-1 did not succeed", failures.finished.err)


def test_progress_tells_of_retries(failures: Sealed) -> None:
    assert re.search(r"flaky-1 attempt 2 in .* after ConnectionError: try 0", failures.finished.err)


# One run as a person makes it: no --json, a module in the folder, everything that can be given.


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, Path]:
    folder = tmp_path_factory.mktemp("hello")
    (folder / "hello.py").write_text(HELLO)
    (folder / "parameters.yaml").write_text("name: file\nfail: true\n")
    return _run(
        folder, "hello", "-P", "parameters.yaml", "-p", "name=you", "--name", "first", "--tag", "a=b=c"
    )


def _run(folder: Path, *args: str) -> tuple[Finished, Path]:
    done = subprocess.run([str(CLI), "run", *args], cwd=folder, capture_output=True, text=True, timeout=600)
    return done, folder  # type: ignore[return-value]


@pytest.fixture
def said(hello: tuple[subprocess.CompletedProcess[str], Path]) -> list[str]:
    return hello[0].stdout.splitlines()


@pytest.fixture
def record(hello: tuple[object, Path]) -> dict[str, object]:
    [manifest] = (hello[1] / "vaportrail-runs" / "runs" / "hello").glob("*/manifest.json")
    content: dict[str, object] = json.loads(manifest.read_text())
    return content


def test_a_body_that_raises_makes_the_run_fail(hello: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    assert hello[0].returncode == 1


def test_the_verdict_is_printed_with_record_and_hash_below_it(said: list[str]) -> None:
    assert [line.split()[0] for line in said[-3:]] == ["FAILED", "record", "sha256"]


def test_the_verdict_says_what_the_body_raised(said: list[str]) -> None:
    assert said[-3].endswith("sealed: the pipeline's body raised ValueError: asked to fail")


def test_standard_output_has_no_progress(said: list[str]) -> None:
    assert [line for line in said if "Ray" in line or "hello, you" in line] == []


def test_only_the_record_is_left(hello: tuple[object, Path]) -> None:
    assert [path.name for path in (hello[1] / "vaportrail-runs").iterdir()] == ["runs"]


def test_an_assignment_goes_before_the_parameter_file(record: dict[str, dict[str, object]]) -> None:
    assert record["run"]["parameters"] == {"name": "you", "fail": True}


def test_the_name_that_was_given_is_the_runs(record: dict[str, dict[str, object]]) -> None:
    assert record["run"]["name"] == "first"


def test_a_tags_value_may_hold_an_equals_sign(record: dict[str, dict[str, object]]) -> None:
    assert record["run"]["tags"] == {"a": "b=c"}


# On a terminal.


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, str]:
    """Run with standard error on a terminal; return the exit code, standard output, and what was drawn."""
    folder = tmp_path_factory.mktemp("terminal")
    (folder / "hello.py").write_text(HELLO)
    ours, theirs = pty.openpty()
    drawn = b""
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            [str(CLI), "run", "hello"],
            cwd=folder,
            stdout=out,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        os.close(theirs)
        deadline = time.monotonic() + 200
        try:
            while time.monotonic() < deadline:
                if not select.select([ours], [], [], 1)[0]:
                    continue
                try:
                    chunk = os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
                if not chunk:
                    break
                drawn += chunk
            code = process.wait(30)
        finally:
            process.kill()
            process.wait()
            os.close(ours)
    return code, (folder / "out").read_text(), drawn.decode()


def test_a_run_on_a_terminal_succeeds(terminal: tuple[int, str, str]) -> None:
    assert terminal[0] == 0


def test_a_terminal_shows_a_live_table(terminal: tuple[int, str, str]) -> None:
    assert "greet-1" in terminal[2]
    assert "1 of 1 tasks ended" in terminal[2]


def test_a_terminal_gets_its_cursor_back(terminal: tuple[int, str, str]) -> None:
    assert terminal[2].rfind("\x1b[?25h") > terminal[2].rfind("\x1b[?25l") >= 0


def test_the_last_table_stays_and_ends_with_a_new_line(terminal: tuple[int, str, str]) -> None:
    left = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal[2])

    assert left.endswith("\n")
    assert "1 of 1 tasks ended" in left.rstrip().splitlines()[-1]


def test_standard_output_stays_plain_beside_a_live_table(terminal: tuple[int, str, str]) -> None:
    assert "\x1b" not in terminal[1]
    assert terminal[1].startswith("SUCCEEDED  hello/")


def test_a_run_that_is_refused_since_another_goes_on_in_its_process_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "refused.py").write_text(HELLO)

    with alone("first"), pytest.raises(SystemExit) as left:
        main(["run", f"{tmp_path / 'refused.py'}:hello", "--record", str(tmp_path / "root")])

    assert left.value.code == 2
    assert "another run is going on in this process" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()

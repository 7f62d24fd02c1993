"""The first ten minutes: what the page's commands name exists, and who runs them runs the page's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from first_minutes import PAGE, Step, StepFailed, changed, perform, steps_of

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY))

from e2e.demo import demo_steps

TEXT = PAGE.read_text()


def test_each_step_has_a_heading_and_commands() -> None:
    steps = steps_of(TEXT)

    assert [step.title for step in steps][:2] == ["The images", "A cluster"]
    assert steps[-1].title == "Its record"
    assert len(steps) >= 8


@pytest.mark.parametrize("step", steps_of(TEXT), ids=lambda step: step.title)
def test_the_commands_are_a_shell_script(step: Step) -> None:
    done = subprocess.run(["bash", "-n"], input=step.commands, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_files_that_the_commands_name_are_there() -> None:
    commands = "\n".join(step.commands for step in steps_of(TEXT))
    files = re.findall(r"\b((?:manifests|charts|examples|e2e)/[\w./-]+)", commands)

    assert len(files) >= 4
    assert [name for name in files if not (REPOSITORY / name).exists()] == []


def test_every_resource_of_ours_is_named_in_full() -> None:
    commands = "\n".join(step.commands for step in steps_of(TEXT))

    assert re.findall(r"pipelineruns?\b(?!\.)", commands.replace("pipelinerun.yaml", "")) == []


def test_the_targets_that_the_commands_make_are_there() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    wanted = re.findall(r"^make (.+)$", "\n".join(step.commands for step in steps_of(TEXT)), re.MULTILINE)

    assert wanted
    for target in " ".join(wanted).split():
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_a_page_without_the_section_is_refused() -> None:
    with pytest.raises(ValueError, match="no section"):
        steps_of("# Another page\n")


def test_a_step_without_commands_is_refused() -> None:
    with pytest.raises(ValueError, match="one block of commands"):
        steps_of("## The first ten minutes\n\n### One\n\nNothing.\n\n## Next\n")


def test_the_e2e_cluster_runs_the_pages_steps_from_the_operator_on() -> None:
    steps = {step.title: step.commands for step in steps_of(TEXT)}
    ours = demo_steps(TEXT)

    assert [step.title for step in ours] == list(steps)[-len(ours) :]
    assert ours[0].title == "The operator"
    unchanged = {step.title for step in ours if step.commands == steps[step.title]}
    assert unchanged >= {"A run", "What is left"}
    assert "development-only" not in "\n".join(step.commands for step in ours)


def test_a_change_that_no_longer_fits_is_an_error() -> None:
    with pytest.raises(ValueError, match="no longer says 'nothing'"):
        changed(Step("One", "true\n"), {"nothing": "something"})


def test_steps_are_run_in_order_until_one_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    steps = [
        Step("One", 'echo "one $WORD"\n'),
        Step("Two", "false\necho not reached\n"),
        Step("Three", "echo three\n"),
    ]
    with pytest.raises(StepFailed, match="'Two' ended with 1"):
        perform(steps, env={"WORD": "said"})

    said = capfd.readouterr().out
    assert "one said" in said
    assert "\nnot reached" not in said
    assert "== Three" not in said


def test_what_a_step_leaves_in_the_background_ends_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(StepFailed):
        perform([Step("One", f"sleep 1000 &\necho $! > {pid}\nfalse\n")])

    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_the_demo_names_the_programs_that_are_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "scripts/kind_demo.py"],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    for name in ("docker", "kind", "kubectl", "helm"):
        assert f"`{name}` is not on the PATH: http" in done.stderr
    assert "make e2e-demo" in done.stderr


@pytest.mark.parametrize(
    ("docker", "kind", "said"),
    [
        ("exit 1", "", "`docker info` fails"),
        ("exit 0", "echo vaportrail", "there is a cluster vaportrail: kind delete cluster"),
    ],
)
def test_the_demo_begins_nothing_that_it_could_not_end(
    tmp_path: Path, docker: str, kind: str, said: str
) -> None:
    for name in ("docker", "kind", "kubectl", "helm", "curl"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{ {'docker': docker, 'kind': kind}.get(name, 'exit 9') }\n")
        program.chmod(0o755)

    done = subprocess.run(
        [sys.executable, REPOSITORY / "scripts/kind_demo.py"],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert said in done.stderr
    assert "==" not in done.stdout

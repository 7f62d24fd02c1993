"""Adding one more of a kind touches at most three files by hand, and a place that is forgotten fails a test.

In a copy of the tree one is added and thrown away: with all of its places the kind's tests pass, and with
any of them left out one fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCE = "runner/src/vaportrail"
OPERATOR = "operator/src/vaportrail_operator"
COPIED = ("runner/src", "operator/src", "charts", "manifests", "docs", "scripts", "tests", "pyproject.toml")
MOST = 3


@dataclass(frozen=True)
class Edit:
    """One place: text that is put in after a line, or a file of its own."""

    path: str
    text: str
    after: str = ""


@dataclass(frozen=True)
class Kind:
    """What is added, where, and which tests know its kind."""

    edits: dict[str, Edit]
    tests: tuple[str, ...]
    generated: bool = False


KINDS = {
    "option": Kind(
        edits={
            "its type": Edit(
                f"{SOURCE}/authoring/options.py",
                "    throwaway: bool\n",
                after="    allow_failure: bool\n",
            ),
            "its row": Edit(
                f"{SOURCE}/authoring/options.py",
                "    throwaway: bool = _option(False, _flag)\n",
                after="    allow_failure: bool = _option(False, _flag)\n",
            ),
            "what carries it out": Edit(
                f"{SOURCE}/execution/ray_backend.py",
                '    if options.throwaway:\n        chosen["throwaway"] = True\n',
                after='        chosen["num_gpus"] = options.gpus\n',
            ),
            "its line in the reference": Edit(
                "docs/sdk.md",
                "| `throwaway` | bool | False | nothing |\n",
                after="| `allow_failure` | bool | False | its failure does not fail the run |\n",
            ),
        },
        tests=(
            "tests/authoring/test_options.py::test_every_option_that_may_be_written_is_declared",
            "tests/authoring/test_options.py::test_the_reference_has_a_row_for_every_option",
            "tests/execution/test_options_carried_out.py",
        ),
    ),
    "outcome": Kind(
        edits={
            "its word": Edit(
                f"{SOURCE}/contract/outcome.py",
                '    THROWN_AWAY = "THROWN_AWAY"\n    """Thrown away."""\n',
                after='    """The node of the attempt went away."""\n',
            ),
            "its traits": Edit(
                f"{SOURCE}/contract/outcome.py",
                '    Outcome.THROWN_AWAY: Traits("thrown away", "skip", "skipped"),\n',
                after="TRAITS: Final[Mapping[Outcome, Traits]] = {\n",
            ),
        },
        tests=(
            "tests/telemetry/test_conventions.py::test_every_outcome_has_its_traits",
            "tests/telemetry/test_conventions.py::test_every_outcome_has_a_result_in_the_fields_words",
        ),
        generated=True,
    ),
    "signal": Kind(
        edits={
            "its letter": Edit(
                f"{SOURCE}/contract/otlp_signals.py", ', "P"', after='Kind = Literal["L", "T", "M"'
            ),
            "its row": Edit(
                f"{SOURCE}/contract/otlp_signals.py",
                '    Signal("P", 3, "profiles", "resourceProfiles", "scopeProfiles", "profiles",\n'
                '        "profiles", "profiles", since="1.1"),\n',
                after='        attributes="metadata", counted=False,\n    ),\n',
            ),
            "its count in a record": Edit(
                f"{SOURCE}/record/manifest.py",
                "    profiles: SignalCount = SignalCount(made=0, recorded=0, lost=0)\n",
                after="    logs: SignalCount\n    spans: SignalCount\n",
            ),
            "its loss in a run's status": Edit(
                f"{SOURCE}/crd/status.py",
                '    profiles: Count = 0\n    """How many profiles."""\n',
                after='    """How many log records."""\n',
            ),
        },
        tests=("tests/record/test_otlp_signals.py",),
        generated=True,
    ),
    "logged value": Kind(
        edits={
            "its name": Edit(
                f"{SOURCE}/telemetry/log_types.py",
                ', "remark"',
                after='ValueKind = Literal["param", "tag", "metric"',
            ),
            "its row": Edit(
                f"{SOURCE}/telemetry/log_types.py",
                '    ValueType("remark", "remarks", "a named remark; the body is its text"),\n',
                after='    ValueType("tag", "tags", "a named word; the body is the word"),\n',
            ),
            "its method": Edit(
                f"{SOURCE}/telemetry/logger.py",
                '\n    def remark(self, name: str, text: str) -> None:\n        """Record a remark."""\n'
                '        self._value("remark", name, text)\n',
                after='        self._value("tag", name, value)\n',
            ),
            "its line in the reference": Edit(
                "docs/sdk.md",
                "| `log.remark(name, text)` | a remark |\n",
                after="| `log.tag(name, value)` | a word to find it by |\n",
            ),
        },
        tests=("tests/telemetry/test_log_types.py", "tests/record/test_log_types_read.py"),
    ),
    "logged file": Kind(
        edits={
            "its name": Edit(
                f"{SOURCE}/telemetry/log_types.py", '"sound", ', after='FileKind = Literal["text", "json", '
            ),
            "its row": Edit(
                f"{SOURCE}/telemetry/log_types.py",
                '    FileType("sound", "sound", {"audio/wav": ".wav"}),\n',
                after='    FileType("table", "table", {"text/csv": ".csv"}),\n',
            ),
            "its method": Edit(
                f"{SOURCE}/telemetry/logger.py",
                "\n    def sound(self, name: str, wave: bytes) -> Artifact | None:\n"
                '        """Store a sound."""\n        return self._file("sound", name, wave, "audio/wav")\n',
                after='        return self._text("table", name, text)\n',
            ),
            "its line in the reference": Edit(
                "docs/sdk.md",
                "| `log.sound(name, wave)` | a sound |\n",
                after="| `log.tag(name, value)` | a word to find it by |\n",
            ),
        },
        tests=("tests/telemetry/test_log_types.py", "tests/record/test_log_types_read.py"),
    ),
    "command": Kind(
        edits={
            "its module": Edit(
                f"{SOURCE}/cli/throwaway_command.py",
                '"""`vaportrail throwaway`"""\n\nimport click\n\n\n'
                '@click.command()\ndef command() -> None:\n    """Do nothing."""\n',
            ),
            "its line of help": Edit(
                f"{SOURCE}/cli/main.py", '    "throwaway": "Do nothing.",\n', after="COMMANDS = {\n"
            ),
            "its section": Edit(
                "docs/cli.md", "## `vaportrail throwaway`\n\nNothing.\n\n", after="## Exit codes\n\n"
            ),
        },
        tests=("tests/cli/test_commands_declared.py",),
    ),
    "child": Kind(
        edits={
            "its kind": Edit(
                f"{OPERATOR}/planning/kinds.py",
                '    BUDGET = "PodDisruptionBudget"\n',
                after='    RAY_CLUSTER = "RayCluster"\n',
            ),
            "where it is served": Edit(
                f"{OPERATOR}/planning/kinds.py",
                '    Kind.BUDGET: Endpoint("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),\n',
                after='    Kind.RAY_CLUSTER: Endpoint("ray.io", "v1", "rayclusters", "RayCluster"),\n',
            ),
            "its manifest": Edit(
                f"{OPERATOR}/planning/children/budget.py",
                '"""The budget of the runner."""\n\n'
                "from vaportrail_operator.planning.names import metadata_of, runner_name\n\n\n"
                'def budget(run):\n    """Return it."""\n    return {"apiVersion": "policy/v1", '
                '"kind": "PodDisruptionBudget", "metadata": metadata_of(run, runner_name(run)), '
                '"spec": {"maxUnavailable": 0}}\n',
            ),
            "its row": Edit(
                f"{OPERATOR}/planning/children/table.py",
                "    Child(Kind.BUDGET, runner_name, make=lambda seen: "
                "Create(Kind.BUDGET, budget(seen.run)), released=Released.FIRST),\n",
                after="    # What is dear comes last: nothing follows on what could not be made.\n",
            ),
            "its manifest's import": Edit(
                f"{OPERATOR}/planning/children/table.py",
                "from vaportrail_operator.planning.children.budget import budget\n",
                after="from vaportrail.crd.pipelinerun import PipelineRun\n",
            ),
        },
        tests=("tests/runtime/test_children_made.py", "tests/runtime/test_rights_used.py"),
        generated=True,
    ),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("tree")
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, copy / name)
    return copy


def add(tree: Path, edit: Edit) -> None:
    path = tree / edit.path
    if not edit.after:
        path.write_text(edit.text)
        return
    text = path.read_text()
    assert text.count(edit.after) == 1, f"{edit.path} has not one {edit.after!r}"
    path.write_text(text.replace(edit.after, edit.after + edit.text))


def restore(tree: Path, edit: Edit) -> None:
    (tree / edit.path).unlink()
    if (REPOSITORY / edit.path).exists():
        shutil.copy(REPOSITORY / edit.path, tree / edit.path)


def passes(tree: Path, kind: Kind) -> bool:
    """Return whether the tests of a kind pass in the tree, its generated files written anew."""
    paths = [tree / "runner/src", tree / "operator/src", tree / "tests", tree / "scripts", tree]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    for key in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[key]
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    # None of them needs what all tests share, which takes long to load.
    bare = ["-c", os.devnull, "--rootdir", str(tree), "--noconftest", "-p", "no:cacheprovider"]
    commands = [[sys.executable, "-m", "pytest", "-q", *bare, *kind.tests]]
    if kind.generated:
        commands.insert(0, [sys.executable, "scripts/generate.py"])
    return all(
        subprocess.run(command, cwd=tree, env=environment, capture_output=True).returncode == 0
        for command in commands
    )


@pytest.mark.parametrize("name", KINDS)
def test_one_more_touches_at_most_three_files_and_each_forgotten_place_fails(tree: Path, name: str) -> None:
    kind = KINDS[name]
    assert len({edit.path for edit in kind.edits.values()}) <= MOST
    verdicts = {}
    for forgotten in ("nothing", *kind.edits):
        made = [edit for place, edit in kind.edits.items() if place != forgotten]
        for edit in made:
            add(tree, edit)
        try:
            verdicts[forgotten] = passes(tree, kind)
        finally:
            for edit in {edit.path: edit for edit in made}.values():
                restore(tree, edit)
    assert verdicts == {"nothing": True, **dict.fromkeys(kind.edits, False)}

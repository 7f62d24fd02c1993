"""`vaportrail run -f`: the file of a cluster's run, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from vaportrail.record.reading.read import open_run

if TYPE_CHECKING:
    from tests.conftest import Cli

CODE = """\
from vaportrail import pipeline, task

@task
def greet(name: str) -> str:
    return name

@pipeline
def hello(name: str, count: int = 1) -> None:
    for _ in range(count):
        greet(name)
"""


def write(folder: Path, **spec: Any) -> Path:
    body = {
        "apiVersion": "vaportrail.dev/v1alpha1",
        "kind": "PipelineRun",
        "metadata": {"name": "first"},
        "spec": {
            "pipeline": "greetings",
            "entrypoint": "greeting_module:hello",
            "image": "nowhere",
            "record": {"uri": "s3://nowhere"},
            "ray": {"workers": [{"name": "workers"}]},
            "parameters": {"name": "Ada", "count": 2},
            "tags": {"team": "vision", "kind": "test"},
            **spec,
        },
    }
    folder.mkdir(exist_ok=True)
    path = folder / "pipelinerun.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


def test_the_same_file_runs_here(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path / "code", source={"configMap": {"name": "code"}})
    (tmp_path / "code" / "greeting_module.py").write_text(CODE)

    done = cli("run", "-f", file, "-p", "count=1", "--tag", "kind=local", "--json")

    assert done.code == 0, done.err
    run = open_run(done.json["uri"])
    identity = run.facts.run
    assert Path(run.uri).parent == tmp_path / "vaportrail-runs" / "runs" / "greetings"
    assert (identity.pipeline, identity.name, identity.entrypoint) == (
        "greetings",
        "first",
        "greeting_module:hello",
    )
    assert identity.parameters == {"name": "Ada", "count": 1}
    assert identity.tags == {"team": "vision", "kind": "local"}
    said = f"note: spec.source.configMap is not fetched here: the code is that in {tmp_path / 'code'}"
    assert said in done.err


BAD_INPUT: dict[str, tuple[list[str], dict[str, Any], list[str]]] = {
    "both": (["greeting_module:hello"], {}, ["give MODULE:PIPELINE or -f FILE, not both"]),
    "a file with problems": (
        [],
        {"entrypoint": "hello", "image": ""},
        ["pipelinerun.yaml: this PipelineRun cannot run", "spec.entrypoint: 'hello'", "spec.image: ''"],
    ),
    "no such module": ([], {}, ["there is no module 'greeting_module' in "]),
    "no such parameter": (
        [],
        {"entrypoint": "here:hello", "parameters": {"nam": "Ada"}},
        ["unknown parameter 'nam'; did you mean 'name'?"],
    ),
}


@pytest.mark.parametrize(("words", "spec", "messages"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_is_named_before_anything_starts(
    cli: Cli, tmp_path: Path, words: list[str], spec: dict[str, Any], messages: list[str]
) -> None:
    (tmp_path / "here.py").write_text(CODE)

    done = cli("run", *words, "-f", write(tmp_path, **spec))

    assert (done.code, done.out) == (2, "")
    assert [message for message in messages if message not in done.err] == []
    assert not (tmp_path / "vaportrail-runs").exists()


def test_a_file_that_is_not_there_is_named(cli: Cli) -> None:
    done = cli("run", "-f", "nowhere.yaml")

    assert (done.code, done.out) == (2, "")
    assert "'nowhere.yaml' cannot be read: No such file or directory" in done.err


def test_without_a_pipeline_both_ways_to_name_one_are_told(cli: Cli) -> None:
    done = cli("run")

    assert done.code == 2
    assert "Missing argument 'MODULE:PIPELINE' (or -f FILE)" in done.err

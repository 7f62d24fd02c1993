"""A real run whose store has its keys as files: to all of its code the environment is the user's own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from conftest import PIPELINES, Cli, Finished, run_vaportrail
from mounted_secret import mount, variable
from vaportrail.record.reading.read import open_run
from vaportrail.record.reading.recorded_run import Run

THEIRS = {
    "AWS_ACCESS_KEY_ID": "THEIRS",
    "AWS_SECRET_ACCESS_KEY": "their-own-secret",
    "AWS_SESSION_TOKEN": "their-own-token",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_REGION": "eu-north-1",
    "AZURE_STORAGE_ACCOUNT_NAME": "theirs",
    "GOOGLE_CLOUD_PROJECT": "theirs",
}
NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_PREFIXES = ("AWS_", "AZURE_", "GOOGLE_")
_PLACES = ("body", "task", "task afterwards", "child", "own", "kernel")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, s3: dict[str, str]) -> Finished:
    folder = tmp_path_factory.mktemp("keys")
    keys = mount(folder / "store", {name: s3[name] for name in NAMES})
    root = f"s3://records/{folder.name}"
    access = variable(keys, root, endpoint=s3["AWS_ENDPOINT_URL"], region=s3.get("AWS_REGION", ""))
    env = {**THEIRS, "VAPORTRAIL_STORE": access}
    entrypoint = f"{PIPELINES / 'keys_out_of_the_way.py'}:keys_out_of_the_way"
    return run_vaportrail("run", entrypoint, "--record", root, "--json", cwd=folder, env=env)


OF_THE_MACHINE = dict(os.environ)


@pytest.fixture
def run(finished: Finished, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    assert finished.code == 0, finished.err
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    return open_run(finished.run["uri"])


def told(run: Run) -> dict[str, dict[str, str]]:
    """Return what each place found, as its line in the record says it."""
    found: dict[str, dict[str, str]] = {}
    for line in run.logs():
        if line.text.startswith('{"'):
            found |= json.loads(line.text)
    return found


@pytest.mark.parametrize("place", _PLACES)
def test_code_of_the_user_finds_its_own_variables_and_none_of_the_stores(run: Run, place: str) -> None:
    shown = {**THEIRS, "AWS_SECRET_ACCESS_KEY": "[redacted:AWS_SECRET_ACCESS_KEY]"}
    shown["AWS_SESSION_TOKEN"] = "[redacted:AWS_SESSION_TOKEN]"
    own = {"AWS_ACCESS_KEY_ID": "of-a-task"} if place == "own" else {}
    of_the_machine = {name: value for name, value in OF_THE_MACHINE.items() if name.startswith(_PREFIXES)}
    assert told(run)[place] == {**of_the_machine, **shown, **own}


def test_what_each_of_them_stores_is_in_the_record(run: Run) -> None:
    assert {"body.txt", "task.txt", "child.txt", "own.txt", "kernel.txt"} <= set(run.artifacts())


def test_the_key_that_code_reads_from_its_file_is_not_in_the_record(run: Run, s3: dict[str, str]) -> None:
    said = [line.text for line in run.logs() if line.text.startswith("the store's key is")]
    assert said == ["the store's key is [redacted:AWS_SECRET_ACCESS_KEY]"]
    assert s3["AWS_SECRET_ACCESS_KEY"] not in "".join(line.text for line in run.logs())


def test_on_a_laptop_the_shells_keys_reach_the_store_and_the_tasks(
    cli: Cli, s3: dict[str, str], tmp_path: Path
) -> None:
    root = f"s3://records/{tmp_path.name}-laptop"
    entrypoint = f"{PIPELINES / 'keys_out_of_the_way.py'}:keys_on_a_laptop"
    done = cli("run", entrypoint, "--record", root, "--json", env=s3)
    assert done.code == 0, done.err
    assert json.loads(done.out.splitlines()[0])["body"]["AWS_ACCESS_KEY_ID"] == s3["AWS_ACCESS_KEY_ID"]

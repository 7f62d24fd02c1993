"""A real run whose body, tasks, notebook and child process say their secrets: none is anywhere in the end."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from conftest import PIPELINES, Sealed, make_run

LINES = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "BKcwggSjAgEAAoIBAQDHf3kLxQyWb1nP"]
ENVIRON = {
    "DB_PASSWORD": "pa'ss\"w0rd&<1>",
    "ACCOUNT_KEY": "4711471147114711",
    "TLS_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\n" + "\n".join(LINES) + "\n-----END PRIVATE KEY-----\n",
    "DATABASE_URL": "postgres://app:s3cr3tpassage@db.example/app",
    "VAPORTRAIL_SECRET_NAMES": "ACME_*",
    "ACME_LICENCE": "acme-licence-1",
}
CANARIES = ["w0rd&", "w0rd&amp;", ENVIRON["ACCOUNT_KEY"], *LINES, "s3cr3tpassage", "t4skt0k3n-t4skt0k3n",
            "acme-licence-1"]  # fmt: skip


@pytest.fixture(scope="module")
def secretive(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    root = tmp_path_factory.mktemp("secretive")
    parameters = root / "parameters.yaml"
    parameters.write_text(
        f"password: {ENVIRON['DB_PASSWORD']!r}\naccount: {ENVIRON['ACCOUNT_KEY']}\n"
        f"database: {ENVIRON['DATABASE_URL']}\n".replace("\\'", "''")
    )
    return make_run(
        root, f"{PIPELINES / 'secretive.py'}:secretive", "-P", parameters, "--tag", "licence=acme-licence-1",
        "--plain", env=ENVIRON,
    )  # fmt: skip


def contents(folder: Path) -> dict[str, str]:
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
            found[str(path.relative_to(folder))] = raw.decode("utf-8", "replace")
    return found


@pytest.mark.parametrize("canary", CANARIES)
def test_no_secret_is_in_a_byte_of_the_record(secretive: Sealed, canary: str) -> None:
    found = contents(secretive.folder)
    assert {"manifest.json", "logs-0001.jsonl.gz", "traces-0001.jsonl.gz"} <= found.keys()
    assert [name for name, text in found.items() if canary in text] == []


@pytest.mark.parametrize("canary", CANARIES)
def test_no_secret_is_in_what_the_engine_itself_says_on_the_terminal(secretive: Sealed, canary: str) -> None:
    # What the body prints is the user's own and stands on the terminal as it is.
    own = [line for line in secretive.finished.err.splitlines() if "the body knows" not in line]
    assert any("RuntimeError: no way in with [redacted:TASK_TOKEN]" in line for line in own)
    assert [line for line in own if canary in line] == []


def test_all_of_it_ran_and_is_there_without_the_secrets(secretive: Sealed) -> None:
    run = secretive.run
    said = [line.text for line in run.logs()]

    assert {task.name: task.outcome.value for task in run.facts.tasks} == {
        "says": "SUCCEEDED", "raises": "FAILED", "dies": "WORKER_LOST", "secretive_notebook": "SUCCEEDED"
    }  # fmt: skip
    assert run.facts.run.parameters == {
        "password": "[redacted:DB_PASSWORD]",
        "account": "[redacted:ACCOUNT_KEY]",
        "database": "postgres://app:[redacted:DATABASE_URL]@db.example/app",
    }
    assert said.count("[redacted:TLS_PRIVATE_KEY]") >= 4
    assert run.facts.verdict.message.count("[redacted:DB_PASSWORD]") == 1


def test_no_path_reads_as_redacted(secretive: Sealed) -> None:
    record = "".join(contents(secretive.folder).values())
    assert "tests/pipelines/secretive.py" in record
    assert "[redacted:PWD]" not in record
    assert "[redacted:OLDPWD]" not in record

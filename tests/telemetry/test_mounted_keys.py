"""The store's keys, which no variable holds, stay out of what a run's processes write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mounted_secret import mount, variable
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.redact import redactor

OLD = {"AWS_ACCESS_KEY_ID": "OURS", "AWS_SECRET_ACCESS_KEY": "first-secret-key"}
NEW = {"AWS_ACCESS_KEY_ID": "OURS", "AWS_SECRET_ACCESS_KEY": "second-secret-key"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = mount(tmp_path / "store", OLD)
    monkeypatch.setenv("VAPORTRAIL_STORE", variable(folder))
    return folder


def recorder(tmp_path: Path) -> Recorder:
    identity = RunIdentity(uid="u", pipeline="p", name="n", created_unix_nano=1)
    return Recorder(RunSettings(identity, str(tmp_path / "spool"), str(tmp_path), "runs/p/n"), "worker")


def spooled(recorder: Recorder) -> str:
    return (recorder.writer.directory / f"{recorder.writer.header.writer}.spool").read_text()


def test_a_mounted_key_is_redacted_though_no_variable_has_it(folder: Path, tmp_path: Path) -> None:
    told = recorder(tmp_path)
    told.log("it is first-secret-key")
    assert "first-secret-key" not in spooled(told)
    assert "[redacted:AWS_SECRET_ACCESS_KEY]" in spooled(told)


def test_a_key_that_is_replaced_is_redacted_old_and_new(folder: Path, tmp_path: Path) -> None:
    told = recorder(tmp_path)
    mount(folder, NEW)
    told.log("first first-secret-key, then second-secret-key")
    assert told.plain("second-secret-key first-secret-key") == " ".join(
        ["[redacted:AWS_SECRET_ACCESS_KEY]"] * 2
    )
    assert "secret-key" not in spooled(told)


def test_the_users_key_of_the_same_name_is_another_secret(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "their-secret-key")
    told = recorder(tmp_path)
    told.log("first-secret-key and their-secret-key")
    assert "secret-key" not in spooled(told)
    plain = redactor(os.environ)
    assert plain is not None
    assert "secret-key" not in plain("first-secret-key and their-secret-key")

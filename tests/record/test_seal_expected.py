"""What a request knows of its run, and what stands in the root is held against."""

from __future__ import annotations

import pytest

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.record.seal.expected import Expected, check_report, check_settings
from vaportrail.record.seal.operator_report import OperatorReport
from vaportrail.record.sound import Unsound

IDENTITY = RunIdentity("4f1c9f5e-0000-4000-8000-000000000000", "flow", "nightly-of-hunter2hunter2", 1)


def report(version: str) -> OperatorReport:
    return OperatorReport(
        outcome=Outcome.FAILED,
        message="",
        timeline=[],
        receipt=[],
        environment={"image": "acme/flow:1", "operator_version": version},
    )


def named(name: str) -> RunSettings:
    identity = RunIdentity(IDENTITY.uid, IDENTITY.pipeline, name, IDENTITY.created_unix_nano)
    return RunSettings(identity, "", "/root", "runs/flow/x")


def test_an_operator_of_another_version_says_the_same_of_a_run() -> None:
    check_report(report("1"), report("2"))


@pytest.mark.parametrize(
    "name", [IDENTITY.name, "nightly-of-[redacted:DB_PASSWORD]", "[redacted:A]-of-[redacted:B]"]
)
def test_a_name_may_have_lost_a_secret(name: str) -> None:
    check_settings(named(name), Expected(named(IDENTITY.name), None))


@pytest.mark.parametrize("name", ["", "nightly", "weekly-of-[redacted:DB_PASSWORD]", "nightly-of-.*"])
def test_another_name_is_another_run(name: str) -> None:
    with pytest.raises(Unsound, match="its name is"):
        check_settings(named(name), Expected(named(IDENTITY.name), None))


def test_by_hand_a_root_may_be_called_otherwise() -> None:
    known = named(IDENTITY.name)
    there = RunSettings(known.identity, "", "/mnt/root", known.path)
    check_settings(there, Expected(known, None))

    with pytest.raises(Unsound, match="its root is '/mnt/root', not '/root'"):
        check_settings(there, Expected(known, report("1")))

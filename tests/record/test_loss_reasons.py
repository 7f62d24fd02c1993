"""A loss that nobody can count is `Unknown` and says why, in plain sentences."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.record.facts import build_facts
from vaportrail.record.loss import REASON_LIMIT, loss_reasons
from vaportrail.record.manifest import Counts, Manifest
from vaportrail.record.otlp_lines import Record
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.record.spooled import live_records
from vaportrail.record.verify import rebuild_facts
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.recorder import Recorder, run_values

UID = "0f0e0d0c-0b0a-4009-8807-060504030201"


def sealed(recorder: Recorder) -> Manifest:
    recorder.writer.close()
    return seal_spool(Path(recorder.settings.spool)).manifest


def test_a_run_that_captured_all_has_no_reasons(recorder: Recorder) -> None:
    counts = sealed(recorder).counts

    assert (counts.loss, counts.loss_reasons) == ("None", [])


def test_what_was_not_captured_makes_the_loss_unknown_and_says_why(recorder: Recorder) -> None:
    recorder.not_captured("nobody reads the printer", 2)
    counts = sealed(recorder).counts

    assert (counts.loss, counts.loss_reasons) == ("Unknown", ["nobody reads the printer (2 times)"])


def test_what_was_not_captured_is_added_up_by_its_reason(recorder: Recorder) -> None:
    for _ in range(3):
        recorder.not_captured("nobody reads the printer", 2)
    recorder.not_captured("the lights were out")

    assert sealed(recorder).counts.loss_reasons == [
        "nobody reads the printer (6 times)",
        "the lights were out",
    ]


def test_a_live_run_says_it_too(recorder: Recorder) -> None:
    recorder.not_captured("the lights were out")

    counts = build_facts(live_records(Path(recorder.settings.spool))).counts
    assert (counts.loss, counts.loss_reasons) == ("Unknown", ["the lights were out"])


def test_the_reasons_follow_from_the_otlp_files(recorder: Recorder) -> None:
    recorder.not_captured("the lights were out")
    manifest = sealed(recorder)

    store = open_store(recorder.settings.record_uri)
    assert rebuild_facts(store, manifest).counts == manifest.counts


def test_a_ledger_that_is_gone_is_a_reason(recorder: Recorder) -> None:
    writer = recorder.writer.header.writer
    (Path(recorder.settings.spool) / f"{writer}.ledger").unlink()

    assert sealed(recorder).counts.loss_reasons == [f"the last count of 1 process is gone: {writer}"]


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_the_order_of_the_records_does_not_change_the_reasons(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("order")
    run = RunSettings(RunIdentity(UID, "p", "n", 1), str(folder), str(folder), "x")
    writer = Recorder(run, "runner")
    values = {**run_values(run.identity, 1), c.RUN_ENVIRONMENT: "{}"}
    writer.span_started("RUN p", writer.run_span_id, "", event=c.EVENT_RUN_STARTED, values=values)
    for index in range(6):
        writer.not_captured(f"reason {index % 3}", index)
    writer.writer.close()
    records: list[Record] = list(live_records(folder))
    random.Random(seed).shuffle(records)

    expected = ["reason 0 (3 times)", "reason 1 (5 times)", "reason 2 (7 times)"]
    assert build_facts(records).counts.loss_reasons == expected


def test_there_are_never_more_reasons_than_a_person_reads() -> None:
    reasons = loss_reasons({f"reason {number:03}": 1 for number in range(500)}, [], 0)

    assert len(reasons) == REASON_LIMIT + 1
    assert reasons[-1] == f"{500 - REASON_LIMIT} more reasons"


def test_a_reason_is_one_short_line() -> None:
    (reason,) = loss_reasons({"a\nb" + "x" * 10_000: 1}, [], 0)

    assert "\n" not in reason
    assert len(reason) <= 400


def test_counts_of_records_of_old_have_no_reasons() -> None:
    signal = {"made": 1, "recorded": 1, "lost": 0}
    old = {
        "logs": signal, "spans": signal, "metrics": signal, "loss": "None",
        "synthesised_spans": 0, "recovered_lines": 0,
    }  # fmt: skip

    assert Counts.model_validate(old).loss_reasons == []


def test_the_counts_tell_of_no_signal_that_nobody_writes() -> None:
    assert "metrics" not in Counts.model_fields

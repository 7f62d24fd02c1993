"""Every signal of the table goes the whole way: written, counted, shipped, stored, sealed and read."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.planning.runs import a_run
from tests.record.clusters import Cluster

from otlp_server import collector_server
from vaportrail.contract.otlp_signals import (
    BY_KIND,
    COUNTED,
    FIRST_FORMAT,
    IN_LEDGERS,
    SIGNALS,
    Kind,
    Signal,
)
from vaportrail.contract.pod_messages import SealReport
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.crd.status import Loss
from vaportrail.record.manifest import Counts, SignalCount, count_of
from vaportrail.record.seal.spool_plan import LedgerEntry
from vaportrail.record.sound import check_record
from vaportrail.record.verify import sealed_records, unfounded, verify
from vaportrail.shipper.__main__ import SpoolFolder
from vaportrail.shipper.otlp_http import HttpCollector
from vaportrail.shipper.shipper import Shipper
from vaportrail.storage import layout
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.recorder import Recorder, run_values
from vaportrail.telemetry.spool import read_ledger
from vaportrail.telemetry.values import attributes
from vaportrail_operator.planning.children.collector_configuration import collector_configuration

UID = "0f0e0d0c-0b0a-4009-8807-060504030201"
FIRST = [signal for signal in IN_LEDGERS if signal.since == FIRST_FORMAT]


def test_no_two_signals_are_called_alike() -> None:
    for names in zip(*((s.kind, s.file, s.resources, s.many, s.noun) for s in SIGNALS), strict=True):
        assert len(set(names)) == len(SIGNALS)
    assert {signal.kind for signal in SIGNALS} == set(get_args(Kind))
    assert not [
        (s.file, o.file) for s in SIGNALS for o in SIGNALS if s is not o and s.file.startswith(o.file)
    ]


def test_every_signal_has_a_counter_of_its_own_and_those_that_came_later_come_last() -> None:
    assert [signal.slot for signal in IN_LEDGERS] == list(range(len(SIGNALS)))
    assert list(IN_LEDGERS[: len(FIRST)]) == FIRST


def test_a_records_counts_are_those_of_the_signals() -> None:
    fields = {name for name, field in Counts.model_fields.items() if field.annotation is SignalCount}

    assert fields == {signal.many for signal in COUNTED}


def test_what_came_after_the_first_format_is_no_must_in_older_counts() -> None:
    zero = {"made": 0, "recorded": 0, "lost": 0}
    older = {signal.many: zero for signal in COUNTED if signal in FIRST}

    read = Counts.model_validate({**older, "loss": "None", "synthesised_spans": 0, "recovered_lines": 0})
    assert [count_of(read, signal).made for signal in COUNTED] == [0] * len(COUNTED)


def test_a_runs_status_says_of_each_signal_how_much_is_lost() -> None:
    assert set(Loss.model_fields) - {"state", "values"} == {signal.status_field for signal in COUNTED}


def test_a_sealers_report_has_a_field_a_signal_where_it_travels() -> None:
    lost = {signal.many: number for number, signal in enumerate(COUNTED, 1)}
    report = SealReport.model_validate(
        {"outcome": "FAILED", "uri": "u", "sha256": "s", "loss": "Counted", "lost": lost}
    )
    travels = report.model_dump(mode="json")

    assert {f"lost_{many}": travels[f"lost_{many}"] for many in lost} == {
        f"lost_{many}": count for many, count in lost.items()
    }
    assert SealReport.model_validate_json(report.model_dump_json()) == report


def test_a_seal_plans_counts_have_a_field_a_signal_and_those_of_before_are_read() -> None:
    entry = LedgerEntry(writer="w", state="exact", made={s.kind: s.slot for s in SIGNALS})
    older = {"writer": "w", "state": "exact", "counted_at_unix_nano": 0, **{s.many: s.slot for s in FIRST}}
    said = json.loads(entry.model_dump_json())

    assert said == {**older, **{s.many: s.slot for s in SIGNALS}}
    assert LedgerEntry.model_validate(said) == entry
    assert LedgerEntry.model_validate(older).made == {s.kind: s.slot for s in FIRST}


def test_a_count_of_before_a_signal_came_is_read() -> None:
    counts = b"".join(number.to_bytes(8, "little") for number in range(5, 5 + len(FIRST)))
    ledger = read_ledger(b"VTLEDG1\n" + counts)
    said = {c.LEDGER_WRITER: "w", c.LEDGER_STATE: "exact", **{signal.counter: 5 for signal in FIRST}}
    event = {"timeUnixNano": "1", "eventName": c.EVENT_LEDGER, "attributes": attributes(said)}

    assert ledger == {**{s.kind: 0 for s in SIGNALS}, **{s.kind: 5 + n for n, s in enumerate(FIRST)}}
    assert check_record("L", {}, event) == said


@pytest.mark.parametrize(
    "raw", [b"", b"VTLEDG1\n", b"VTLEDG2\n" + bytes(24), b"VTLEDG1\n" + bytes(25), bytes(32)]
)
def test_what_is_no_ledger_counts_nothing(raw: bytes) -> None:
    assert read_ledger(raw) is None


@pytest.mark.parametrize("root", ["file:///records/ml", "s3://runs/ml"])
def test_the_collector_takes_and_stores_every_signal(root: str) -> None:
    made = collector_configuration(a_run({"record": {"uri": root}}))
    pipelines = made["service"]["pipelines"]

    assert set(pipelines) == {signal.file for signal in SIGNALS}
    assert {name for pipeline in pipelines.values() for name in pipeline["exporters"]} == set(
        made["exporters"]
    )


def body_of(signal: Signal, seq: int, span: str) -> dict[str, Any]:
    """Return a record that has all that a record of any signal needs."""
    ids = {"traceId": "0" * 31 + "1", "spanId": span, "name": "it"}
    times = {"timeUnixNano": "5", "startTimeUnixNano": "5", "endTimeUnixNano": "6"}
    return {**ids, **times, signal.attributes: attributes({c.SEQ: seq, "mine": 7})}


def written(folder: Path, signal: Signal) -> RunSettings:
    """Leave a spool of three records of a signal, of which the last is torn."""
    identity = RunIdentity(UID, "p", "n", 1_700_000_000_000_000_000)
    run = RunSettings(identity, str(folder / UID), str(folder), layout.run_path(identity))
    recorder = Recorder(run, "runner", writer_id="runner-1")
    values = {**run_values(identity, 1), c.RUN_ENVIRONMENT: "{}"}
    recorder.span_started("RUN p", recorder.run_span_id, "", kind=2, event=c.EVENT_RUN_STARTED, values=values)
    for number in range(3):
        recorder.writer.append(
            signal.kind, "mine", lambda seq, n=number: body_of(signal, seq, f"{n + 1:016x}")
        )
    recorder.writer.close()
    spool = Path(run.spool, "runner-1.spool")
    spool.write_bytes(spool.read_bytes()[:-5])
    return run


@pytest.mark.parametrize("kind", BY_KIND)
def test_what_a_process_records_of_a_signal_is_counted_shipped_sealed_and_read(
    kind: Kind, tmp_path: Path
) -> None:
    signal = BY_KIND[kind]
    cluster = Cluster(str(tmp_path / "root"), written(tmp_path / "pod", signal))
    with (
        collector_server(cluster.put) as server,
        closing(HttpCollector(server.url, "token", 10)) as collector,
    ):
        shipper = Shipper(
            SpoolFolder(tmp_path / "pod"), collector,
            unix_nano=time.time_ns, monotonic=time.monotonic, wait=lambda seconds: True, chance=lambda: 0.5,
            say=lambda line: None, drain_seconds=50,
        )  # fmt: skip
        assert shipper.run() == 0
    shipped = [path for path in cluster.parts() if path.rpartition("/")[2].startswith(signal.file)]
    report = cluster.seal(runner_started=True)
    record, manifest = open_store(cluster.settings.record_uri), cluster.manifest
    found = [each for each in sealed_records(record, manifest, signal.file) if each.scope == "mine"]
    said = [(each.kind, each.body["name"], each.attributes["mine"]) for each in found]

    assert shipped
    assert said == [(kind, "it", 7)] * 2
    assert verify(record, "it").problems == []
    assert unfounded(record, manifest) == []
    if signal.counted:
        count = count_of(manifest.counts, signal)
        assert (count.made - count.recorded, count.lost, report.lost[signal.many]) == (1, 1, 1)
        assert manifest.counts.loss == "Counted"

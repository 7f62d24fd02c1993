"""The manifest follows from the records, whatever their order, and from the sealed files alone."""

from __future__ import annotations

import json
import random
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaportrail.errors import RecordError
from vaportrail.record.facts import build_facts
from vaportrail.record.manifest import manifest_schema
from vaportrail.record.otlp_lines import Record
from vaportrail.record.run_facts import Facts
from vaportrail.record.sealed_lines import row_blocks, stored_files
from vaportrail.record.spooled import live_records
from vaportrail.record.times import from_rfc3339, rfc3339
from vaportrail.record.verify import rebuild_facts, sealed_records, unfounded
from vaportrail.storage.store import open_store

if TYPE_CHECKING:
    from tests.conftest import Sealed


def plain(facts: Facts) -> Any:
    """Return facts as JSON, in which NaN equals itself."""
    return {key: part for key, part in json.loads(facts.to_json()).items() if key not in ("files", "stored")}


@lru_cache(maxsize=3)
def records(uri: str) -> list[Record]:
    from vaportrail.record.reading.read import open_run

    manifest = open_run(uri).manifest
    assert manifest is not None
    return list(sealed_records(open_store(uri), manifest))


def test_the_facts_rebuilt_from_the_otlp_files_are_the_manifests(made: Sealed) -> None:
    manifest = made.run.manifest
    assert manifest is not None

    assert plain(rebuild_facts(open_store(made.uri), manifest)) == plain(made.run.facts)
    assert unfounded(open_store(made.uri), manifest) == []


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), doubled=st.floats(0, 1))
def test_neither_order_nor_duplicates_change_the_facts(small: Sealed, seed: int, doubled: float) -> None:
    order = random.Random(seed)
    found = records(small.uri)
    shuffled = [*found, *order.sample(found, int(doubled * len(found)))]
    order.shuffle(shuffled)

    assert plain(build_facts(shuffled)) == plain(small.run.facts)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_the_order_does_not_change_the_facts_of_failures_either(failures: Sealed, seed: int) -> None:
    shuffled = list(records(failures.uri))
    random.Random(seed).shuffle(shuffled)

    assert plain(build_facts(shuffled)) == plain(failures.run.facts)


def test_a_record_that_is_left_out_changes_the_facts(small: Sealed) -> None:
    # Otherwise the tests above could not fail.
    assert plain(build_facts(records(small.uri)[:-5])) != plain(small.run.facts)


def test_records_without_the_start_of_a_run_are_no_run() -> None:
    with pytest.raises(RecordError, match="do not hold the start of a run"):
        build_facts([])


def test_the_spools_records_give_the_same_run_before_the_seal(small: Sealed) -> None:
    live, sealed = plain(build_facts(live_records(small.spool))), plain(small.run.facts)

    assert {key for key in sealed if live[key] != sealed[key]} == {"sealed"}


def test_every_manifest_fits_its_schema(made: Sealed) -> None:
    manifest = json.loads((made.folder / "manifest.json").read_bytes())

    jsonschema.validate(manifest, manifest_schema(), jsonschema.Draft202012Validator)


@cache
def of_line(kind: str) -> jsonschema.Draft202012Validator:
    schema = manifest_schema()
    of_kind = {**schema["$defs"][f"line_{kind}"], "$defs": schema["$defs"]}
    jsonschema.Draft202012Validator.check_schema(of_kind)
    return jsonschema.Draft202012Validator(of_kind)


def test_every_row_fits_its_schema(made: Sealed) -> None:
    manifest = made.run.manifest
    assert manifest is not None

    for line in b"".join(row_blocks(open_store(made.uri), manifest)).splitlines():
        row = json.loads(line)
        of_line(row["line"]).validate(row)


@pytest.mark.parametrize("key", ["run", "verdict", "layout", "counts", "files"])
def test_a_manifest_without_one_of_its_parts_does_not_fit_the_schema(small: Sealed, key: str) -> None:
    manifest = json.loads((small.folder / "manifest.json").read_bytes())
    del manifest[key]

    with pytest.raises(jsonschema.ValidationError, match=f"'{key}' is a required property"):
        jsonschema.validate(manifest, manifest_schema(), jsonschema.Draft202012Validator)


def test_the_schema_is_itself_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(manifest_schema())


def test_every_artifact_of_the_manifest_is_one_of_its_files(made: Sealed) -> None:
    manifest = made.run.manifest
    assert manifest is not None

    stored = stored_files(open_store(made.uri), manifest)
    files = {(file.path, file.sha256, file.size) for file in stored if not isinstance(file, str)}
    assert {(a.path, a.sha256, a.size) for a in made.run.facts.artifacts} == files
    assert (manifest.stored.count, manifest.stored.damaged) == (len(files), 0)


def test_every_edge_of_the_manifest_leads_to_a_task(made: Sealed) -> None:
    facts = made.run.facts

    assert {edge.task for task in facts.tasks for edge in task.upstream} - {
        t.id for t in facts.tasks
    } == set()


def test_the_verdict_counts_every_task(made: Sealed) -> None:
    facts = made.run.facts

    assert sum(facts.verdict.tasks.values()) == len(facts.tasks)


def test_made_is_recorded_and_lost(made: Sealed) -> None:
    counts = made.run.facts.counts

    for signal in (counts.logs, counts.spans):
        assert signal.made == signal.recorded + signal.lost


@given(st.integers(0, 2**62))
def test_a_time_as_text_is_the_same_time(unix_nano: int) -> None:
    assert from_rfc3339(rfc3339(unix_nano)) == unix_nano


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_times_as_text_sort_as_times_do(one: int, other: int) -> None:
    assert (rfc3339(one) < rfc3339(other)) == (one < other)

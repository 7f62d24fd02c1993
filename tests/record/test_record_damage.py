"""Records that lost more than they should: what was gone before the seal is counted or stated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from vaportrail.errors import SealConflict
from vaportrail.record.manifest import manifest_schema
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.record.verify import verify
from vaportrail.storage.store import open_store

if TYPE_CHECKING:
    from tests.conftest import Sealed
    from tests.record.conftest import Unseal, Unsealed


@pytest.mark.parametrize("damage", ["empty", "header changed", "gone", "header only, ledger gone"])
def test_a_process_whose_records_are_all_lost_is_not_passed_over(unsealed: Unsealed, damage: str) -> None:
    path, lines = unsealed.file("worker"), unsealed.lines("worker")
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "header changed":
        unsealed.write("worker", [b"X" + lines[0][1:], *lines[1:]])
    elif damage == "gone":
        path.unlink()
    else:
        unsealed.write("worker", lines[:1])
        unsealed.file("worker", "ledger").unlink()

    assert unsealed.seal().manifest.counts.loss != "None"


def test_a_spool_whose_run_started_line_is_lost_can_be_sealed(unsealed: Unsealed) -> None:
    lines = unsealed.lines("runner")
    unsealed.write("runner", [lines[0], *lines[2:]])

    assert unsealed.seal().manifest.counts.loss == "Counted"


@pytest.mark.parametrize("name", ["notes#1", "artifacts/notes#12", "dangling"])
def test_a_file_that_is_added_is_named(small_copy: Path, name: str) -> None:
    if name == "dangling":
        (small_copy / name).symlink_to("nowhere")
    else:
        (small_copy / name).write_bytes(b"added")

    found = verify(open_store(str(small_copy)), str(small_copy))
    assert {problem.path for problem in found.problems} == {name}


def test_a_manifest_with_a_metric_that_is_not_a_number_fits_the_schema(small: Sealed) -> None:
    manifest = small.run.manifest
    assert manifest is not None
    metric = manifest.metrics[0].model_copy(update={"last": float("nan"), "min": float("nan")})
    raw = manifest.model_copy(update={"metrics": [metric]}).to_bytes()

    jsonschema.validate(json.loads(raw), manifest_schema(), jsonschema.Draft202012Validator)


def test_two_spools_cannot_be_sealed_into_one_record(small: Sealed, unseal: Unseal) -> None:
    first, second = unseal(small), unseal(small)
    second.write("worker", second.lines("worker")[:-3])
    settings = json.loads((second.spool / "run.json").read_text())
    settings["root"] = str(first.record.parents[2])
    (second.spool / "run.json").write_text(json.dumps(settings))
    first.seal()

    with pytest.raises(SealConflict):
        seal_spool(second.spool, root=settings["root"])

    assert verify(open_store(str(first.record)), "record").ok

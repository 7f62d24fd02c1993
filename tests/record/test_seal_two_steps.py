"""A sealer first fixes what is sealed, and says its hash; its second step seals that and nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.record.clusters import SEALED_AT, Cluster, files

from vaportrail.contract.pod_messages import SealPlanReport, SealReport
from vaportrail.errors import RecordError, SealConflict
from vaportrail.record.manifest import hash_line
from vaportrail.record.seal.cluster_seal import fix_seal, seal_run
from vaportrail.record.verify import verify
from vaportrail.storage.store import open_store

if TYPE_CHECKING:
    from tests.conftest import Cli


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "of-the-sealer"


def fix(cluster: Cluster, folder: Path, **more: object) -> SealPlanReport:
    return fix_seal(cluster.request(**more), folder, clock=lambda: SEALED_AT)


def plan_path(cluster: Cluster) -> str:
    return f"{cluster.prefix}seal-plan.json"


def test_the_hash_is_that_of_the_plan_that_stands(cluster: Cluster, folder: Path) -> None:
    fixed = fix(cluster, folder)

    assert fixed.sha256 == hashlib.sha256(cluster.store.get(plan_path(cluster))).hexdigest()
    assert (fixed.parts, fixed.size > 0) == (len(cluster.parts()), True)


def test_nothing_of_the_record_is_made_by_the_first_step(cluster: Cluster, folder: Path) -> None:
    fix(cluster, folder)

    assert [path for path in files(cluster.store, "runs") if "/artifacts/" not in path] == []


def test_two_steps_make_the_record_that_one_makes(cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    other = Cluster(str(tmp_path / "other"), cluster.settings)
    for path, content in files(cluster.store, "").items():
        other.store.create(path, content)
    fixed = fix(cluster, folder)
    report = seal_run(cluster.request(), folder=folder)
    other.seal()

    assert files(cluster.store, "runs") == files(other.store, "runs")
    assert report.plan_sha256 == fixed.sha256
    assert not Path(cluster.root, "spool").exists()


def test_a_plan_that_is_exchanged_between_the_steps_is_not_carried_out(
    cluster: Cluster, folder: Path
) -> None:
    fixed = fix(cluster, folder)
    plan = json.loads(cluster.store.get(plan_path(cluster)))
    cluster.replace(plan_path(cluster), json.dumps({**plan, "parts": []}).encode())
    report = seal_run(cluster.request(), folder=folder)

    assert (report.plan_sha256, report.loss, report.late_parts) == (fixed.sha256, "None", 0)
    assert cluster.parts() == []
    assert verify(open_store(cluster.settings.record_uri), "it").ok


def test_a_part_that_is_exchanged_between_the_steps_changes_nothing(cluster: Cluster, folder: Path) -> None:
    fix(cluster, folder)
    for path in cluster.parts():
        cluster.replace(path, b"something else")

    assert seal_run(cluster.request(), folder=folder).loss == "None"


def test_a_record_that_is_put_there_between_the_steps_is_refused(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    other = Cluster(str(tmp_path / "other"), cluster.settings)
    for path, content in files(cluster.store, "").items():
        other.store.create(path, content)
    fix(cluster, folder)
    # Whole, and of this run; but not by the plan that was fixed.
    seal_run(other.request(), clock=lambda: SEALED_AT + 10**9)
    for path, content in files(other.store, "runs").items():
        cluster.store.create(path, content)

    with pytest.raises(SealConflict, match=r"^something else stands at manifest\.json: .* by the plan of "):
        seal_run(cluster.request(), folder=folder)


def test_a_record_that_is_put_there_while_the_second_step_works_is_refused(
    cluster: Cluster, folder: Path
) -> None:
    """Also one of the plan's own time: the same plan gives the same bytes."""
    fix(cluster, folder)
    seal_run(cluster.request(), folder=folder, keep_spool=True)
    record = open_store(cluster.settings.record_uri)
    manifest = json.loads(record.get("manifest.json"))
    manifest["verdict"]["message"] = "audited"
    raw = json.dumps(manifest).encode()
    record.delete("manifest.json")
    record.delete("manifest.sha256")

    def put(_line: str) -> None:
        record.create("manifest.json", raw)
        record.create("manifest.sha256", hash_line(raw))

    with pytest.raises(SealConflict, match=r"^something else stands at manifest\.sha256: "):
        seal_run(cluster.request(), folder=folder, progress=put)


def test_a_second_step_that_is_begun_again_goes_on(cluster: Cluster, folder: Path) -> None:
    """As when it was killed for its memory: what it had read already it fetches again."""
    fix(cluster, folder)
    for path in (folder / "parts").iterdir():
        path.unlink()

    assert seal_run(cluster.request(), folder=folder).loss == "None"


def test_a_second_step_that_is_begun_again_after_the_seal_answers_from_the_record(
    cluster: Cluster, folder: Path
) -> None:
    fix(cluster, folder)
    first = seal_run(cluster.request(), folder=folder)

    assert seal_run(cluster.request(), folder=folder).sha256 == first.sha256


def test_a_sealer_that_finds_the_record_fixes_nothing_and_answers(cluster: Cluster, folder: Path) -> None:
    first = cluster.seal()

    assert fix(cluster, folder).sha256 == ""
    assert seal_run(cluster.request(), folder=folder).sha256 == first.sha256


def test_a_record_that_goes_between_the_steps_is_told(cluster: Cluster, folder: Path) -> None:
    cluster.seal()
    fix(cluster, folder)
    cluster.store.delete(f"{cluster.settings.path}/manifest.json")

    with pytest.raises(RecordError, match="stood when its seal began, and is gone"):
        seal_run(cluster.request(), folder=folder)


def test_a_sealer_goes_on_with_the_plan_that_was_told_whatever_is_said_of_the_run_now(
    cluster: Cluster, folder: Path
) -> None:
    fixed = fix(cluster, folder).sha256

    assert fix(cluster, folder, message="another word", plan_sha256=fixed).sha256 == fixed


def test_a_plan_that_is_not_the_one_that_was_told_is_refused(cluster: Cluster, folder: Path) -> None:
    fix(cluster, folder)

    with pytest.raises(SealConflict, match=rf"^something else stands at .*plan\.json: .*{64 * 'a'} was"):
        fix(cluster, folder, plan_sha256=64 * "a")


def test_a_plan_that_was_told_and_is_gone_is_not_replaced(cluster: Cluster, folder: Path) -> None:
    fixed = fix(cluster, folder).sha256
    cluster.store.delete(plan_path(cluster))

    with pytest.raises(SealConflict, match=f"{fixed}.* is gone"):
        fix(cluster, folder, plan_sha256=fixed)


def test_the_command_takes_the_two_steps(cli: Cli, cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    answer = tmp_path / "termination-log"
    env = {
        "VAPORTRAIL_TERMINATION_MESSAGE": str(answer),
        "VAPORTRAIL_SEAL_REQUEST": cluster.request().model_dump_json(),
    }
    first = cli("seal-run", "--fix", "--folder", str(folder), env=env)
    fixed = SealPlanReport.model_validate_json(answer.read_text())
    second = cli("seal-run", "--folder", str(folder), env=env)
    report = SealReport.model_validate_json(answer.read_text())

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert report.plan_sha256 == fixed.sha256 != ""


def test_the_first_step_has_to_know_where_to(cli: Cli, cluster: Cluster, tmp_path: Path) -> None:
    env = {
        "VAPORTRAIL_TERMINATION_MESSAGE": str(tmp_path / "termination-log"),
        "VAPORTRAIL_SEAL_REQUEST": cluster.request().model_dump_json(),
    }

    assert cli("seal-run", "--fix", env=env).code == 2


def test_by_hand_a_record_that_is_not_by_the_plan_beside_it_is_refused_and_all_parts_stay(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    other = Cluster(str(tmp_path / "other"), cluster.settings)
    for path, content in files(cluster.store, "").items():
        other.store.create(path, content)
    fix(cluster, folder)
    seal_run(other.request(), clock=lambda: SEALED_AT + 10**9)
    for path, content in files(other.store, "runs").items():
        cluster.store.create(path, content)
    parts = cluster.parts()

    with pytest.raises(SealConflict, match=r"^something else stands at manifest\.json: .* by the plan of "):
        seal_run(cluster.request(), by_hand=True)
    assert cluster.parts() == parts


def test_by_hand_a_plan_is_carried_out_whoever_fixed_it(cluster: Cluster, folder: Path) -> None:
    fixed = fix(cluster, folder, message="the operator's word").sha256

    assert seal_run(cluster.request(), by_hand=True).plan_sha256 == fixed

"""The policies of the documentation: what each key can do with a record root, and what it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
import pytest
from tests.record.clusters import Cluster, cluster_of, ship

from policy_proxy import enforcing, policy_of
from vaportrail.errors import RecordError
from vaportrail.record.seal.cluster_seal import fix_seal, seal_run
from vaportrail.record.verify import verify
from vaportrail.storage import artifacts
from vaportrail.storage.artifacts import ONE_PIECE, store_artifact
from vaportrail.storage.probe import probe
from vaportrail.storage.store import ObjectStore, open_store

if TYPE_CHECKING:
    from tests.record.conftest import Unsealed

POLICIES = Path(__file__).parents[2] / "docs" / "policies"
Use = Callable[[str], None]
DIGEST = 64 * "a"


@pytest.fixture
def root(request: pytest.FixtureRequest) -> str:
    return f"s3://records/policies-{abs(hash(request.node.nodeid))}"


@pytest.fixture
def use(s3: dict[str, str], root: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    """Use the store from here on with the key that has a policy, or with any right."""
    with ExitStack() as proxies:
        prefix = root.removeprefix("s3://records/")

        def become(name: str) -> None:
            env = s3
            if name:
                policy = policy_of(POLICIES / f"s3-{name}.json", "records", prefix)
                env = proxies.enter_context(enforcing(policy, s3))
            for variable, value in env.items():
                monkeypatch.setenv(variable, value)
            artifacts._store.cache_clear()

        become("")
        yield become
        artifacts._store.cache_clear()


@pytest.fixture(params=["writer-usual", "writer-strict"])
def writer(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def overwrite(store: ObjectStore, path: str) -> None:
    """Put an object whatever stands there, as somebody who means harm does."""
    with store._errors("write", path):
        obstore.put(store._inner, path, b"something else", use_multipart=False)


def test_a_writer_can_do_what_a_run_does(use: Use, root: str, writer: str) -> None:
    use(writer)
    store = open_store(root)
    probe(store, "spool/u")

    assert store.create("spool/u/run.json", b"{}")
    artifact = store_artifact(f"{root}/runs/flow/first", "a", b"content")
    assert artifact.read() == b"content"
    assert store.entries("runs/flow/first/artifacts/")


@pytest.mark.parametrize(
    "path",
    [
        "runs/flow/first/manifest.json",
        "runs/flow/first/manifest.sha256",
        "runs/flow/first/logs-0001.jsonl.gz",
        "spool/u/seal-plan.json",
        "spool/u/logs_1.json.gz",
        "elsewhere",
    ],
)
def test_a_writer_can_create_nothing_that_a_seal_or_a_collector_makes(
    use: Use, root: str, writer: str, path: str
) -> None:
    use(writer)

    with pytest.raises(RecordError, match=r"AccessDenied|lacked the required permissions|403"):
        open_store(root).create(path, b"forged")


@pytest.mark.parametrize("path", ["runs/flow/first/manifest.json", f"runs/flow/first/artifacts/{DIGEST}"])
def test_a_writer_can_remove_nothing(use: Use, root: str, writer: str, path: str) -> None:
    open_store(root).create(path, b"content")
    use(writer)

    with pytest.raises(RecordError):
        open_store(root).delete(path)
    assert open_store(root).size(path) == 7


def test_by_the_strict_policy_nothing_is_overwritten(use: Use, root: str) -> None:
    path = f"runs/flow/first/artifacts/{DIGEST}"
    open_store(root).create(path, b"content")
    use("writer-strict")
    store = open_store(root)

    with pytest.raises(RecordError):
        overwrite(store, path)
    assert store.get(path) == b"content"


def test_by_the_usual_policy_what_was_overwritten_is_found_by_its_hash(
    use: Use, root: str, unsealed: Unsealed
) -> None:
    cluster = _cluster(unsealed, root)
    artifact = min(path for path, _ in cluster.store.entries("runs"))
    use("writer-usual")
    overwrite(open_store(root), artifact)
    use("sealer")
    Cluster(root, cluster.settings).seal()

    found = verify(open_store(cluster.settings.record_uri), "it")
    assert (found.ok, [f"{cluster.settings.path}/{path}" for path in found.damaged]) == (True, [artifact])


def test_a_large_artifact_is_stored_by_the_usual_policy_and_named_by_the_strict_one(
    use: Use, root: str, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(ONE_PIECE + 1))
    record = f"{root}/runs/flow/first"
    use("writer-strict")

    with pytest.raises(RecordError, match=r"more than 64 MiB is stored in parts, .*s3:if-none-match"):
        store_artifact(record, "large", large)

    use("writer-usual")
    assert store_artifact(record, "large", large).size == ONE_PIECE + 1


def test_an_artifact_of_just_so_much_is_stored_by_the_strict_policy(
    use: Use, root: str, tmp_path: Path
) -> None:
    most = tmp_path / "most"
    most.write_bytes(bytes(ONE_PIECE))
    use("writer-strict")

    assert store_artifact(f"{root}/runs/flow/first", "most", most).size == ONE_PIECE


def _cluster(unsealed: Unsealed, root: str) -> Cluster:
    cluster = cluster_of(unsealed, root)
    ship(unsealed, cluster)
    return cluster


def test_a_sealer_can_do_what_collector_and_sealer_do(
    use: Use, root: str, unsealed: Unsealed, tmp_path: Path
) -> None:
    use("sealer")
    cluster = _cluster(unsealed, root)
    fix_seal(cluster.request(), tmp_path / "fixed")
    report = seal_run(cluster.request(), folder=tmp_path / "fixed")

    assert report.loss == "None"
    assert cluster.store.entries("spool/") == []


def test_a_sealer_can_remove_nothing_of_a_record(use: Use, root: str) -> None:
    open_store(root).create("runs/flow/first/manifest.json", b"content")
    use("sealer")

    with pytest.raises(RecordError):
        open_store(root).delete("runs/flow/first/manifest.json")


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.json")), ids=lambda path: path.name)
def test_a_policy_names_only_the_bucket_and_the_prefix_that_are_to_be_put_in(path: Path) -> None:
    resources = {
        resource
        for statement in json.loads(path.read_text())["Statement"]
        for resource in [statement["Resource"], *statement["Resource"]]
        if isinstance(resource, str) and len(resource) > 1
    }

    assert all(each.startswith("arn:aws:s3:::BUCKET") for each in resources)

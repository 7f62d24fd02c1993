"""`vaportrail submit` and `cancel`: everything that is wrong at once, then a run in a real API server."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from api_server import CRD, ApiServer, api_server
from vaportrail.storage.store import open_store

if TYPE_CHECKING:
    from tests.cli.conftest import Command

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.api_server
RESOURCE = "pipelineruns.vaportrail.dev"
Object = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that knows PipelineRuns, and a namespace `team`."""
    with api_server(tmp_path_factory.mktemp("api-server")) as server:
        server.namespace("team")
        server.kubectl("config", "set-context", "team", "--cluster=it", "--user=it", "--namespace=team")
        server.apply([CRD])
        yield server


@pytest.fixture
def cluster(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """The same, as the one that this process talks to."""
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return server


def write(folder: Path, name: str = "mnist", metadata: Object | None = None, **spec: Any) -> Path:
    """Write a run's file."""
    body = {
        "apiVersion": "vaportrail.dev/v1alpha1",
        "kind": "PipelineRun",
        "metadata": metadata or {"name": name},
        "spec": {
            "pipeline": "mnist",
            "entrypoint": "pipeline:mnist",
            "image": "mnist",
            "record": {"uri": "s3://records/mnist"},
            "ray": {"workers": [{"name": "workers"}]},
            **spec,
        },
    }
    path = folder / "pipelinerun.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


def found(cluster: ApiServer, name: str, namespace: str = "default") -> Object:
    words = ("get", RESOURCE, name, "--namespace", namespace, "--output", "json")
    seen: Object = json.loads(cluster.kubectl(*words))
    return seen


def runs(cluster: ApiServer) -> str:
    return cluster.kubectl("get", RESOURCE, "--all-namespaces", "--output", "name")


def test_a_file_becomes_a_run_and_says_where_its_record_will_lie(
    command: Command, cluster: ApiServer, tmp_path: Path
) -> None:
    said = command("submit", write(tmp_path, "first"))

    made = found(cluster, "first")["metadata"]
    stamp = made["creationTimestamp"].replace("-", "").replace(":", "")
    record = f"s3://records/mnist/runs/mnist/{stamp}-{made['uid'][:8]}"
    assert (said.code, said.lines) == (
        0,
        [
            "pipelinerun.vaportrail.dev/first created in namespace default",
            f"record      {record}",
            f"status      kubectl get {RESOURCE} first --namespace default",
            f"watch       vaportrail watch {record}",
            "cancel      vaportrail cancel first --namespace default",
        ],
    )


def test_a_name_parameters_and_a_namespace_can_be_given(
    command: Command, cluster: ApiServer, tmp_path: Path
) -> None:
    file = write(tmp_path, "second", parameters={"sizes": [1], "rate": 0.5})

    said = command(
        "submit",
        file,
        "--name",
        "other",
        "-n",
        "team",
        "-p",
        "sizes=[2, 3]",
        "-p",
        "day=2026-11-23",
        "--json",
    )

    made = found(cluster, "other", "team")
    assert made["spec"]["parameters"] == {"sizes": [2, 3], "rate": 0.5, "day": "2026-11-23"}
    assert json.loads(said.out).items() >= {"name": "other", "namespace": "team"}.items()


def test_the_namespace_of_the_context_is_used(command: Command, cluster: ApiServer, tmp_path: Path) -> None:
    command("submit", write(tmp_path, "third"), "--context", "team")

    assert found(cluster, "third", "team")["spec"]["pipeline"] == "mnist"


def test_a_generated_name_is_told(command: Command, cluster: ApiServer, tmp_path: Path) -> None:
    said = command("submit", write(tmp_path, metadata={"generateName": "nightly-"}), "--json")

    assert json.loads(said.out)["name"].startswith("nightly-")


def test_everything_wrong_is_told_before_anything_is_created(
    command: Command, cluster: ApiServer, tmp_path: Path
) -> None:
    before = runs(cluster)
    file = write(
        tmp_path, "Wrong", entrypoint="mnist", image="", record={"uri": "s3://records", "endpont": ""}
    )

    said = command("submit", file)

    assert (said.code, said.out) == (2, "")
    assert "metadata.name: 'Wrong': use at most 40 small letters" in said.err
    assert "spec.entrypoint: 'mnist': use module:pipeline" in said.err
    assert "spec.image: '': use the name of an image" in said.err
    assert "spec.record.endpont: there is no such field; did you mean 'endpoint'?" in said.err
    assert runs(cluster) == before


def test_a_name_that_is_taken_is_refused(command: Command, cluster: ApiServer, tmp_path: Path) -> None:
    file = write(tmp_path, "taken")
    command("submit", file)

    said = command("submit", file)

    assert said.code == 2
    assert "there is a pipelineruns.vaportrail.dev 'taken' in namespace 'default' already" in said.err


def test_a_namespace_that_is_not_there_is_named(command: Command, cluster: ApiServer, tmp_path: Path) -> None:
    said = command("submit", write(tmp_path), "--namespace", "nowhere")

    assert said.code == 2
    assert 'namespaces "nowhere" not found' in said.err


def test_a_cluster_without_the_operator_is_told_so(
    command: Command,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with api_server(tmp_path_factory.mktemp("bare")) as bare:
        monkeypatch.setenv("KUBECONFIG", str(bare.kubeconfig))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

        said = command("submit", write(tmp_path))

    assert said.code == 1
    assert "the cluster knows no pipelineruns.vaportrail.dev: install Vaportrail's operator" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--context", "nowhere"], "--context 'nowhere'"),
        (["-p", "sizes"], "-p 'sizes' is not NAME=VALUE"),
        (["--source", "nowhere"], "--source 'nowhere' is not a folder"),
    ],
)
def test_a_wrong_option_is_named(
    command: Command, cluster: ApiServer, tmp_path: Path, words: list[str], message: str
) -> None:
    said = command("submit", write(tmp_path), *words)

    assert (said.code, said.out) == (2, "")
    assert message in said.err


def test_without_a_cluster_it_is_said_what_is_missing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    said = command("submit", write(tmp_path))

    assert said.code == 2
    assert "there is no cluster to talk to" in said.err


def test_a_cluster_that_does_not_answer_is_named(
    command: Command, server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = yaml.safe_load(server.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    said = command("submit", write(tmp_path))

    assert said.code == 1
    assert "the cluster cannot be reached" in said.err


def test_a_folder_is_packed_uploaded_once_and_submitted_by_its_hash(
    command: Command, cluster: ApiServer, tmp_path: Path, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    code = tmp_path / "code"
    code.mkdir()
    (code / "pipeline.py").write_text("x = 1\n")
    file = write(
        tmp_path, "packed", record={"uri": "s3://records/mnist", "endpoint": "http://in-cluster:8333"}
    )

    first = command("submit", file, "--source", code)
    second = command("submit", file, "--source", code, "--name", "packed-again")

    source = found(cluster, "packed")["spec"]["source"]["archive"]
    archive = open_store("s3://records/mnist").get(f"sources/{source['sha256']}.tar.gz")
    assert hashlib.sha256(archive).hexdigest() == source["sha256"]
    assert source["uri"] == f"s3://records/mnist/sources/{source['sha256']}.tar.gz"
    assert found(cluster, "packed-again")["spec"]["source"]["archive"] == source
    assert "uploaded sources/" in first.err
    assert "already there: sources/" in second.err


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"source": {"configMap": {"name": "code"}}}, "the file has a spec.source already"),
        (
            {"record": {"uri": "file:///records", "persistentVolumeClaim": {"claimName": "records"}}},
            "is a volume of the cluster, which cannot be written from here",
        ),
    ],
)
def test_a_folder_that_cannot_be_submitted_is_refused(
    command: Command, cluster: ApiServer, tmp_path: Path, spec: Object, message: str
) -> None:
    said = command("submit", write(tmp_path, **spec), "--source", REPOSITORY / "examples" / "mnist")

    assert (said.code, said.out) == (2, "")
    assert message in said.err


def test_a_run_is_cancelled_by_its_name(command: Command, cluster: ApiServer, tmp_path: Path) -> None:
    command("submit", write(tmp_path, "to-cancel"))

    said = [command("cancel", "to-cancel").lines for _ in range(2)]

    assert said == [["pipelinerun.vaportrail.dev/to-cancel is being cancelled"]] * 2
    assert found(cluster, "to-cancel")["spec"]["cancel"] is True


def test_cancelling_a_run_that_ended_says_how_it_ended(
    command: Command, cluster: ApiServer, tmp_path: Path
) -> None:
    command("submit", write(tmp_path, "ended"))
    words = ("--subresource=status", "--type=merge", '--patch={"status": {"phase": "Succeeded"}}')
    cluster.kubectl("patch", RESOURCE, "ended", *words)

    said = command("cancel", "ended")

    assert said.lines == ["pipelinerun.vaportrail.dev/ended had ended before: Succeeded"]


def test_a_run_that_is_not_there_cannot_be_cancelled(command: Command, cluster: ApiServer) -> None:
    said = command("cancel", "nobody")

    assert said.code == 2
    assert "there is no pipelineruns.vaportrail.dev 'nobody' in namespace 'default'" in said.err


def test_the_client_is_named_where_it_is_not_installed(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "kubernetes", None)

    said = command("submit", write(tmp_path))

    assert said.code == 2
    assert "pip install 'vaportrail[submit]'" in said.err


def test_the_kubeconfig_is_not_touched(command: Command, cluster: ApiServer, tmp_path: Path) -> None:
    config = cluster.kubeconfig
    before = (config.read_bytes(), os.stat(config).st_mtime_ns)

    command("submit", write(tmp_path, "untouched"))

    assert (config.read_bytes(), os.stat(config).st_mtime_ns) == before

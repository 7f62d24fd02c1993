"""The plain manifests: the chart's objects without Helm, up to date, and samples that are valid."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from manifests import manifest_texts

from conftest import REPOSITORY
from pod_security import violations
from vaportrail.crd.pipelinerun import PipelineRun

FOLDER = REPOSITORY / "manifests"
SAMPLES = sorted((FOLDER / "samples").glob("*.yaml"))


def objects(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def test_the_manifests_are_what_the_chart_gives() -> None:
    for path, text in manifest_texts(REPOSITORY, {}).items():
        assert (REPOSITORY / path).read_text() == text, "write it with: make generate"


def test_rendering_again_gives_the_same_bytes() -> None:
    assert manifest_texts(REPOSITORY, {}) == manifest_texts(REPOSITORY, {})


def test_a_definition_that_is_about_to_be_written_is_the_one_that_is_rendered() -> None:
    path = "charts/vaportrail/files/pipelineruns.vaportrail.dev.yaml"
    changed = (REPOSITORY / path).read_text().replace("vtr", "changed")

    assert "changed" in manifest_texts(REPOSITORY, {path: changed})["manifests/crds.yaml"]


@pytest.mark.parametrize("name", ["crds.yaml", "install.yaml"])
def test_the_manifests_know_nothing_of_helm(name: str) -> None:
    text = (FOLDER / name).read_text()

    assert "helm" not in text.lower()
    assert "hook" not in text


def test_the_definition_is_apart_from_what_uses_it() -> None:
    assert {each["kind"] for each in objects(FOLDER / "crds.yaml")} == {"CustomResourceDefinition"}
    kinds = [each["kind"] for each in objects(FOLDER / "install.yaml")]
    assert "CustomResourceDefinition" not in kinds
    assert kinds[0] == "Namespace"


def test_no_machine_and_no_registry_is_in_the_manifests() -> None:
    for path in FOLDER.rglob("*.yaml"):
        assert "/work/" not in path.read_text()
        assert "/root/" not in path.read_text()


@pytest.mark.parametrize("path", [FOLDER / "install.yaml", *SAMPLES], ids=lambda path: path.name)
def test_every_object_is_valid(path: Path) -> None:
    for each in objects(path):
        if each["kind"] == "PipelineRun":
            PipelineRun.model_validate(each)
        else:
            kubernetes_validate.validate(each, "1.37", strict=True)


@pytest.mark.parametrize("path", [FOLDER / "install.yaml", *SAMPLES], ids=lambda path: path.name)
def test_every_pod_passes_pod_security_restricted(path: Path) -> None:
    for each in objects(path):
        if each["kind"] == "Deployment":
            assert violations(each["spec"]["template"]["spec"]) == []


def test_the_secrets_keys_are_those_of_the_development_bucket() -> None:
    (secret,) = objects(FOLDER / "samples/record-store.yaml")
    (identities,) = [
        each for each in objects(FOLDER / "samples/development-bucket.yaml") if each["kind"] == "Secret"
    ]
    (identity,) = yaml.safe_load(identities["stringData"]["s3.json"])["identities"]

    assert identity["credentials"] == [
        {
            "accessKey": secret["stringData"]["AWS_ACCESS_KEY_ID"],
            "secretKey": secret["stringData"]["AWS_SECRET_ACCESS_KEY"],
        }
    ]


def test_the_sample_run_uses_the_samples(tmp_path: Path) -> None:
    source, run = objects(FOLDER / "samples/hello.yaml")
    bucket = objects(FOLDER / "samples/development-bucket.yaml")
    (service,) = [each for each in bucket if each["kind"] == "Service"]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]

    record = run["spec"]["record"]
    assert record["endpoint"] == f"http://{name}.{namespace}.svc.cluster.local:8333"
    assert record["secretRef"]["name"] == objects(FOLDER / "samples/record-store.yaml")[0]["metadata"]["name"]
    assert run["spec"]["source"]["configMap"]["name"] == source["metadata"]["name"]


def test_the_samples_pipeline_can_be_imported(tmp_path: Path) -> None:
    source, run = objects(FOLDER / "samples/hello.yaml")
    for name, text in source["data"].items():
        (tmp_path / name).write_text(text)
    module, _, pipeline = run["spec"]["entrypoint"].partition(":")

    # A process of its own: the pipeline called as a plain function.
    code = f"import {module}; {module}.{pipeline}(2)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

"""What no cluster could ever run is said before anything is made for it."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from tests.crd.messages import told, with_ray, with_spec

Object = dict[str, Any]

ENDINGS = "its name must end in one of .tar.gz, .tgz, .tar, .zip"
KNOWN = "use cpu, memory, ephemeral-storage, hugepages-…, or a name with a domain such as nvidia.com/gpu"
DEEP: Any = functools.reduce(lambda inner, _: [inner], range(5000), 1)
SOURCES = "give exactly one of configMapKeyRef, fieldRef, resourceFieldRef and secretKeyRef"


def with_archive(uri: str) -> Object:
    return with_spec(source={"archive": {"uri": uri, "sha256": "0" * 64}})


def with_resources(**resources: Any) -> Object:
    return with_ray(workers=[{"name": "gpu", "resources": resources}])


def with_variable(**variable: Any) -> Object:
    return with_spec(podDefaults={"env": [{"name": "A", **variable}]})


PROBLEMS: dict[str, tuple[Object, list[str]]] = {
    "an archive of another kind": (
        with_archive("https://example.com/a.bin"),
        [f"spec.source.archive.uri: 'https://example.com/a.bin': {ENDINGS}"],
    ),
    "an archive of another kind, with a signature": (
        with_archive("https://example.com/a.bin?signature=secret.zip"),
        [f"spec.source.archive.uri: 'https://example.com/a.bin': {ENDINGS}"],
    ),
    "a resource that there is not": (
        with_resources(requests={"cpuu": 1}, limits={"gpu": 1}),
        [
            f"spec.ray.workers[0].resources.requests: 'cpuu': {KNOWN}",
            f"spec.ray.workers[0].resources.limits: 'gpu': {KNOWN}",
        ],
    ),
    "a resource whose domain is none": (
        with_resources(limits={"Nvidia.com/gpu": 1}),
        [f"spec.ray.workers[0].resources.limits: 'Nvidia.com/gpu': {KNOWN}"],
    ),
    "a GPU without a limit": (
        with_resources(requests={"nvidia.com/gpu": 1}),
        [
            "spec.ray.workers[0].resources.requests.nvidia.com/gpu: 1: set limits.nvidia.com/gpu to the "
            "same; a request alone is refused"
        ],
    ),
    "a GPU with another limit": (
        with_resources(requests={"nvidia.com/gpu": 1}, limits={"nvidia.com/gpu": 2}),
        ["spec.ray.workers[0].resources.requests.nvidia.com/gpu: 1: use the limit, 2; they have to be equal"],
    ),
    "half a GPU": (
        with_resources(requests={"nvidia.com/gpu": "500m"}, limits={"nvidia.com/gpu": "0.5"}),
        [
            "spec.ray.workers[0].resources.requests.nvidia.com/gpu: '500m': use a whole number",
            "spec.ray.workers[0].resources.limits.nvidia.com/gpu: '0.5': use a whole number",
        ],
    ),
    "large pages without a limit": (
        with_spec(runner={"resources": {"requests": {"hugepages-2Mi": "2Mi"}}}),
        [
            "spec.runner.resources.requests.hugepages-2Mi: '2Mi': set limits.hugepages-2Mi to the same; "
            "a request alone is refused"
        ],
    ),
    "a value from nowhere": (
        with_variable(valueFrom={}),
        [f"spec.podDefaults.env[0].valueFrom: {SOURCES}"],
    ),
    "a value from something unknown": (
        with_variable(valueFrom={"secretRef": {"name": "a"}}),
        [f"spec.podDefaults.env[0].valueFrom: 'secretRef': {SOURCES}"],
    ),
    "a value from two places": (
        with_variable(valueFrom={"fieldRef": {}, "secretKeyRef": {}}),
        [f"spec.podDefaults.env[0].valueFrom: 'fieldRef', 'secretKeyRef': {SOURCES}"],
    ),
    "a toleration that compares otherwise": (
        with_spec(podDefaults={"tolerations": [{"key": "a", "operator": "Equals"}]}),
        ["spec.podDefaults.tolerations[0].operator: 'Equals': use '', 'Equal' or 'Exists'"],
    ),
    "numbers where a text belongs": (
        with_spec(
            pipeline=2026,
            source={"git": {"url": "https://example.com/a", "revision": 1234567}},
            ray={"version": 2.6, "workers": [{"name": "a"}]},
        ),
        [
            "spec.pipeline: 2026: use a text; put it in quotes",
            "spec.source.git.revision: 1234567: use a text; put it in quotes",
            "spec.ray.version: 2.6: use a text; put it in quotes",
        ],
    ),
    "a list where a mapping belongs": (
        with_spec(deadlines=[]),
        ["spec.deadlines: use a mapping of names to values"],
    ),
    "a label's value with a space": (
        with_spec(podDefaults={"labels": {"team": "a b"}, "nodeSelector": {"zone": "a/b"}}),
        [
            f"spec.podDefaults.{field}: use at most 63 letters, digits, '-', '_' and '.', starting and "
            "ending with a letter or a digit"
            for field in ("labels.team: 'a b'", "nodeSelector.zone: 'a/b'")
        ],
    ),
    "mounts that are not absolute": (
        with_spec(
            record={
                "uri": "file:///records/a",
                "persistentVolumeClaim": {"claimName": "a", "mountPath": "records"},
            },
            podDefaults={
                "volumes": [{"name": "data", "emptyDir": {}}],
                "volumeMounts": [{"name": "data", "mountPath": "rel"}],
            },
        ),
        [
            f"spec.{place}: use an absolute path without ':', such as /data"
            for place in (
                "record.persistentVolumeClaim.mountPath: 'records'",
                "podDefaults.volumeMounts[0].mountPath: 'rel'",
            )
        ],
    ),
    "a region with a space": (
        with_spec(record={"uri": "s3://runs", "region": "a b"}),
        ["spec.record.region: 'a b': use letters, digits and '-', such as eu-central-1"],
    ),
    "metadata left empty": (
        {**with_spec(image=5), "metadata": None},
        [
            "metadata: null: use a mapping of names to values",
            "spec.image: 5: use a text; put it in quotes",
        ],
    ),
    "a number as a name": (
        {**with_spec(pipeline=5), "metadata": {"name": 5}},
        [
            "metadata.name: 5: use a text; put it in quotes",
            "spec.pipeline: 5: use a text; put it in quotes",
        ],
    ),
    "what is nested too deeply": (
        {
            **with_spec(parameters={"x": DEEP}, image=5),
            "metadata": {"name": "a", "managedFields": DEEP},
        },
        [
            "spec.parameters: is nested too deeply; use at most 100 levels",
            "spec.image: 5: use a text; put it in quotes",
        ],
    ),
    "an image in capitals": (
        with_spec(image="Acme/MNIST:1"),
        [
            "spec.image: 'Acme/MNIST:1': use small letters between registry and tag, such as "
            "registry.example.com/mnist:1"
        ],
    ),
    "no time to drain": (
        with_spec(deadlines={"drainSeconds": 100, "releaseSeconds": 329}),
        [
            "spec.deadlines.releaseSeconds: 329: use at least 330, or a smaller drainSeconds than 100: the "
            "runner, then the Ray pods, then the collector may each take that long and 10 s more to end"
        ],
    ),
    "a long drain": (
        with_spec(deadlines={"drainSeconds": 91}),
        [
            "spec.deadlines.releaseSeconds: 300: use at least 303, or a smaller drainSeconds than 91: the "
            "runner, then the Ray pods, then the collector may each take that long and 10 s more to end"
        ],
    ),
}
FINE: dict[str, Object] = {
    "archives": with_archive("s3://runs/sources/a.tgz"),
    "a signed archive": with_archive("https://example.com/a.tar?signature=secret"),
    "a GPU": with_resources(limits={"nvidia.com/gpu": 1}),
    "a GPU said twice": with_resources(requests={"nvidia.com/gpu": 1}, limits={"nvidia.com/gpu": "1000m"}),
    "Kubernetes' own": with_resources(
        requests={"cpu": "500m", "ephemeral-storage": "1Gi", "attachable.kubernetes.io/x": 1},
        limits={"memory": "1.5Gi", "hugepages-2Mi": "2Mi"},
    ),
    "a value from a Secret": with_variable(valueFrom={"secretKeyRef": {"name": "a", "key": "b"}}),
    "tolerations": with_spec(
        podDefaults={"tolerations": [{"key": "a"}, {"operator": "Exists"}, {"key": "b", "operator": "Equal"}]}
    ),
    "a drain that fits": with_spec(deadlines={"drainSeconds": 100, "releaseSeconds": 330}),
}
IMAGES = (
    "mnist",
    "mnist:V1",
    "acme/mnist:V1",
    "localhost:5000/mnist:V1",
    "Registry.Example.com/acme/mnist",
    "registry.example.com:5000/acme/mnist:V1@sha256:ABC",
)


@pytest.mark.parametrize(("raw", "problems"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_what_can_never_work_is_told_with_field_value_and_what_to_do(
    raw: Object, problems: list[str]
) -> None:
    assert told(raw) == problems


@pytest.mark.parametrize("raw", FINE.values(), ids=FINE.keys())
def test_what_may_work_is_no_problem(raw: Object) -> None:
    assert told(raw) == []


@pytest.mark.parametrize("image", IMAGES)
def test_only_a_repository_has_to_be_in_small_letters(image: str) -> None:
    assert told(with_spec(image=image)) == []

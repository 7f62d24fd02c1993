"""Everything that is wrong with a PipelineRun, at once, and in words that say what to do."""

from __future__ import annotations

import copy
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.crd.messages import RUN, told, with_ray, with_spec

from vaportrail.contract import pod_environment
from vaportrail.crd.pipelinerun import PipelineRunSpec
from vaportrail.crd.status import ConditionType, Phase, Reason
from vaportrail.crd.validation import pod_rules
from vaportrail.crd.validation.validate import (
    load_document,
    parse_pipelinerun,
    problems_of,
    read_pipelinerun,
)
from vaportrail.errors import UsageError
from vaportrail.storage import layout

REPOSITORY = Path(__file__).parents[2]
Object = dict[str, Any]

CLAIM: Object = {"claimName": "records"}
PROBLEMS: dict[str, tuple[Object, list[str]]] = {
    "another kind": ({**RUN, "kind": "PipelineSchedule"}, ["kind: 'PipelineSchedule': use PipelineRun"]),
    "Tekton's": (
        {**RUN, "apiVersion": "tekton.dev/v1"},
        ["apiVersion: 'tekton.dev/v1': use vaportrail.dev/v1alpha1"],
    ),
    "no spec": ({**RUN, "spec": None}, ["spec: null: use a mapping of names to values"]),
    "no name": ({**RUN, "metadata": {}}, ["metadata.name: is missing; name the run, or set generateName"]),
    "a long name": (
        {**RUN, "metadata": {"name": "a" * 41}},
        [
            f"metadata.name: '{'a' * 41}': use at most 40 small letters, digits and '-', starting with a "
            "letter and ending without '-'"
        ],
    ),
    "a long prefix": (
        {**RUN, "metadata": {"generateName": "a" * 36}},
        [
            f"metadata.generateName: '{'a' * 36}': use at most 35 small letters, digits and '-', starting "
            "with a letter and ending without '-', which may end with '-'"
        ],
    ),
    "a pipeline that is no folder": (
        with_spec(pipeline="../up"),
        [
            "spec.pipeline: '../up': use 1 to 63 letters, digits, '.', '_' or '-', starting with a letter "
            "or a digit"
        ],
    ),
    "an entrypoint without a pipeline": (
        with_spec(entrypoint="pipeline"),
        ["spec.entrypoint: 'pipeline': use module:pipeline, such as mnist.pipeline:mnist"],
    ),
    "an empty image": (
        with_spec(image=""),
        [
            "spec.image: '': use the name of an image, such as registry.example.com/mnist@sha256:…",
        ],
    ),
    "another store": (
        with_spec(record={"uri": "gs://runs"}),
        [
            "spec.record.uri: 'gs://runs': use s3://bucket/prefix, or file:///path with a "
            "persistentVolumeClaim"
        ],
    ),
    "a path that climbs": (
        with_spec(record={"uri": "s3://runs/../x"}),
        ["spec.record.uri: 's3://runs/../x': use a path without empty parts, '.' and '..'"],
    ),
    "a path that climbs, written otherwise": (
        with_spec(record={"uri": "s3://runs/%2e%2E/x"}),
        ["spec.record.uri: 's3://runs/%2e%2E/x': use a path without empty parts, '.' and '..'"],
    ),
    "a volume without a claim": (
        with_spec(record={"uri": "file:///records/a"}),
        ["spec.record.persistentVolumeClaim: is missing; a root file://… needs the claim that holds it"],
    ),
    "a root beside the claim": (
        with_spec(record={"uri": "file:///other", "persistentVolumeClaim": CLAIM}),
        ["spec.record.uri: 'file:///other': use file:///records/…, which is on the claim"],
    ),
    "a claim for a bucket": (
        with_spec(record={"uri": "s3://runs", "persistentVolumeClaim": CLAIM}),
        ["spec.record.persistentVolumeClaim: 'records': is for a root file://… only; leave it out"],
    ),
    "a password in a git source": (
        with_spec(source={"git": {"url": "https://me:secret@example.com/a"}}),
        ["spec.source.git.url: holds credentials or a query; use the plain URL of a public repository"],
    ),
    "a password in an archive": (
        with_spec(source={"archive": {"uri": "https://me:secret@example.com/a.zip", "sha256": "0" * 64}}),
        [
            "spec.source.archive.uri: holds credentials; use an address without, or the bucket's own "
            "with record.secretRef"
        ],
    ),
    "two sources": (
        with_spec(source={"git": {"url": "https://example.com/a"}, "configMap": {"name": "code"}}),
        ["spec.source: give at most one of git, configMap and archive"],
    ),
    "a folder outside the repository": (
        with_spec(source={"git": {"url": "https://example.com/a", "path": "../b"}}),
        ["spec.source.git.path: '../b': use a folder within the repository"],
    ),
    "an option for git": (
        with_spec(source={"git": {"url": "https://example.com/a", "revision": "--upload-pack=x"}}),
        [
            "spec.source.git.revision: '--upload-pack=x': use a whole commit (40 hex digits), a tag or a "
            "branch"
        ],
    ),
    "a parameter that is no name": (
        with_spec(parameters={"train sizes": 1}),
        ["spec.parameters.train sizes: a parameter's name is a name of Python"],
    ),
    "large parameters": (
        with_spec(parameters={"text": "x" * 65536}),
        ["spec.parameters: 65547 bytes: use at most 65536; put large ones in a file in the source"],
    ),
    "parameters that are large with the tags": (
        with_spec(parameters={"text": "x" * 60000}, tags={f"a{n}": "y" * 256 for n in range(20)}),
        [
            "spec.parameters: with the tags they take 67416 bytes of 65536; put large ones in a file in the "
            "source"
        ],
    ),
    "a large spec": (
        with_spec(podDefaults={"env": [{"name": f"V{n}", "value": "x" * 8000} for n in range(40)]}),
        [
            "spec.podDefaults: 321039 bytes: make it smaller: a spec holds at most 262144 bytes of JSON, and "
            "this one 321122"
        ],
    ),
    "groups of one name": (
        with_spec(ray={"workers": [{"name": "a"}, {"name": "a"}]}),
        ["spec.ray.workers[1].name: 'a': give each group a name of its own"],
    ),
    "no workers": (
        with_spec(ray={"version": "2.60.0"}),
        [
            "spec.ray.workers: give at least one group with replicas of 1 or more; no task runs in the head "
            "or the runner"
        ],
    ),
    "groups without workers": (
        with_ray(workers=[{"name": "a", "replicas": 0}, {"name": "b", "replicas": 0}]),
        [
            "spec.ray.workers: give at least one group with replicas of 1 or more; no task runs in the head "
            "or the runner"
        ],
    ),
    "an old Ray": (
        with_ray(version="2.51.9"),
        [
            "spec.ray.version: '2.51.9': use an image with Ray 2.52.0 or later: before that a cluster cannot "
            "ask for a token"
        ],
    ),
    "a variable with which KubeRay makes no head": (
        with_spec(
            podDefaults={"env": [{"name": "RAY_REDIS_ADDRESS", "value": "redis:6379"}]},
            ray={
                "workers": [{"name": "a", "pod": {"env": [{"name": "REDIS_USERNAME", "value": "a"}]}}],
                "head": {
                    "pod": {
                        "env": [
                            {"name": "RAY_enable_autoscaler_v2", "value": "1"},
                            {"name": "REDIS_USERNAME", "value": "a"},
                        ]
                    }
                },
            },
        ),
        [
            f"{place}: {name!r}: KubeRay makes no Ray head that has this; leave it out"
            for place, name in (
                ("spec.podDefaults.env[0].name", "RAY_REDIS_ADDRESS"),
                ("spec.ray.head.pod.env[0].name", "RAY_enable_autoscaler_v2"),
                ("spec.ray.head.pod.env[1].name", "REDIS_USERNAME"),
            )
        ],
    ),
    "a resource of Ray's own": (
        with_spec(ray={"workers": [{"name": "a", "rayResources": {"CPU": 2, "accelerator": 1}}]}),
        ["spec.ray.workers[0].rayResources: 'CPU': is Ray's own, and follows from resources; leave it out"],
    ),
    "a quantity with a point": (
        with_spec(runner={"resources": {"requests": {"cpu": 0.5}}}),
        [
            'spec.runner.resources.requests.cpu: 0.5: use a quantity such as 2, "0.5", "500m" or "2Gi"',
        ],
    ),
    "more than the limit": (
        with_ray(head={"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "2G"}}}),
        ["spec.ray.head.resources.requests.memory: '2Gi': use no more than the limit, 2G"],
    ),
    "a variable of the operator": (
        with_spec(podDefaults={"env": [{"name": "RAY_AUTH_TOKEN", "value": "secret"}]}),
        ["spec.podDefaults.env[0].name: 'RAY_AUTH_TOKEN': is set by the operator; use another name"],
    ),
    "a variable that no shell knows": (
        with_spec(runner={"pod": {"env": [{"name": "1A", "value": "secret"}]}}),
        [
            "spec.runner.pod.env[0].name: '1A': use letters, digits, '_', '-' and '.', not starting with a "
            "digit"
        ],
    ),
    "a variable twice given": (
        with_spec(sealer={"pod": {"env": [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {}}}]}}),
        ["spec.sealer.pod.env[0]: give value or valueFrom, not both"],
    ),
    "a number as a variable": (
        with_spec(podDefaults={"env": [{"name": "A", "value": 5}]}),
        ["spec.podDefaults.env[0].value: use a text; put it in quotes"],
    ),
    "variables from nowhere": (
        with_spec(podDefaults={"envFrom": [{}]}),
        ["spec.podDefaults.envFrom[0]: give either configMapRef or secretRef"],
    ),
    "a label of KubeRay": (
        with_spec(podDefaults={"labels": {"ray.io/node-type": "head", "team": "a"}}),
        ["spec.podDefaults.labels: 'ray.io/node-type': is the operator's or KubeRay's own; leave it out"],
    ),
    "a label that is none": (
        with_spec(podDefaults={"annotations": {"a b": "x"}}),
        ["spec.podDefaults.annotations: 'a b': use a name such as team, or example.com/team"],
    ),
    "a mount without a volume": (
        with_spec(
            podDefaults={"volumes": [{"name": "data", "emptyDir": {}}]},
            sealer={"pod": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}},
            runner={"pod": {"volumeMounts": [{"name": "data", "mountPath": "/tmp"}]}},
        ),
        [
            "spec.sealer.pod.volumeMounts[0].name: 'data': no volume has this name; there is none",
            "spec.runner.pod.volumeMounts[0].mountPath: '/tmp': is the operator's own; use another folder, "
            "such as /data",
        ],
    ),
    "volumes of one name": (
        with_spec(
            podDefaults={"volumes": [{"name": "data", "emptyDir": {}}]},
            ray={
                "head": {"pod": {"volumes": [{"name": "data", "emptyDir": {}}]}},
                "workers": [{"name": "cpu"}],
            },
        ),
        [
            "spec.ray.head.pod.volumes[0].name: 'data': give each volume of a pod a name of its own, "
            "podDefaults included"
        ],
    ),
    "a volume of the operator": (
        with_spec(podDefaults={"volumes": [{"name": "vaportrail-spool", "emptyDir": {}}]}),
        [
            "spec.podDefaults.volumes[0].name: 'vaportrail-spool': names that begin with vaportrail- are the "
            "operator's; use another"
        ],
    ),
    "a mount in the record's claim's place": (
        with_spec(
            record={"uri": "file:///records/a", "persistentVolumeClaim": CLAIM},
            runner={
                "pod": {
                    "volumes": [{"name": "data", "emptyDir": {}}],
                    "volumeMounts": [{"name": "data", "mountPath": "/records/"}],
                }
            },
        ),
        [
            "spec.runner.pod.volumeMounts[0].mountPath: '/records/': is where the record's claim is, in each "
            "pod of the run; use another folder"
        ],
    ),
    "a mount that hides the spool": (
        with_spec(
            podDefaults={
                "volumes": [{"name": "data", "emptyDir": {}}],
                "volumeMounts": [{"name": "data", "mountPath": "//vaportrail/./spool"}],
            }
        ),
        [
            "spec.podDefaults.volumeMounts[0].mountPath: '//vaportrail/./spool': is the operator's own; use "
            "another folder, such as /data"
        ],
    ),
    "two mounts in one place": (
        with_spec(
            podDefaults={
                "volumes": [{"name": "data", "emptyDir": {}}],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            },
            runner={"pod": {"volumeMounts": [{"name": "data", "mountPath": "/data/"}]}},
        ),
        ["spec.runner.pod.volumeMounts[0].mountPath: '/data/': give each mount of a pod a folder of its own"],
    ),
    "a volume of two kinds": (
        with_spec(podDefaults={"volumes": [{"name": "data", "emptyDir": {}, "secret": {"secretName": "a"}}]}),
        ["spec.podDefaults.volumes[0]: give one kind of volume"],
    ),
    "an unknown field": (
        with_spec(podDefaults={"nodeSelectr": {"a": "b"}}),
        ["spec.podDefaults.nodeSelectr: there is no such field; did you mean 'nodeSelector'?"],
    ),
    "a field that nothing is like": (
        with_spec(source={"xyz": 1}),
        ["spec.source.xyz: there is no such field; there are git, configMap, archive"],
    ),
    "no time to seal": (
        with_spec(deadlines={"sealSeconds": 0}),
        ["spec.deadlines.sealSeconds: 0: use at least 1"],
    ),
    "a word as a time": (
        with_spec(deadlines={"runSeconds": "1h"}),
        ["spec.deadlines.runSeconds: '1h': use a whole number of seconds, such as 600"],
    ),
    "a word of another list": (
        with_spec(podDefaults={"imagePullPolicy": "Sometimes"}),
        ["spec.podDefaults.imagePullPolicy: 'Sometimes': use '', 'Always', 'IfNotPresent' or 'Never'"],
    ),
}


@pytest.mark.parametrize(("raw", "problems"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_problem_names_field_value_and_what_to_do(raw: Object, problems: list[str]) -> None:
    assert told(raw) == problems


def test_a_mount_may_take_the_place_of_a_default_and_have_a_name_that_was_the_operators() -> None:
    volumes = [{"name": name, "emptyDir": {}} for name in ("tmp", "shm", "spool", "records", "source")]
    mounts = [{"name": "spool", "mountPath": "/data"}]
    own = {"pod": {"volumeMounts": [{"name": "records", "mountPath": "/data"}]}}

    assert told(with_spec(podDefaults={"volumes": volumes, "volumeMounts": mounts}, runner=own)) == []


@pytest.mark.parametrize("version", ["", "2.52.0", "2.60.0rc1", "3.0.0", "10.1.0"])
def test_a_ray_that_can_ask_for_a_token_is_no_problem(version: str) -> None:
    assert told(with_ray(version=version)) == []


def test_all_problems_are_told_at_once() -> None:
    everything = with_spec(
        pipelin="x", entrypoint="mnist", parameters={"a b": 1}, ray={"workers": [{"name": "A"}]}
    )
    del everything["spec"]["image"]
    everything["metadata"] = {"name": "Mnist"}

    with pytest.raises(UsageError) as error:
        parse_pipelinerun(everything)

    fields = [line.split(":")[0].strip() for line in str(error.value).splitlines()[1:]]
    assert fields == [
        "spec.entrypoint",
        "spec.image",
        "spec.ray.workers[0].name",
        "spec.pipelin",
        "metadata.name",
        "spec.parameters.a b",
    ]


@pytest.mark.parametrize("before", ["", "hunt/er2@"])
def test_a_problem_never_shows_what_may_be_secret(before: str) -> None:
    secret = "s3cret"
    raw = with_spec(
        source={"git": {"url": f"https://user:{before}{secret}@example.com/a b"}},
        parameters=secret,
        podDefaults={"env": [{"name": "A", "value": {"x": secret}}], "annotations": {"a": [secret]}},
    )

    assert len(told(raw)) == 4
    assert secret not in str(told(raw))


@pytest.mark.parametrize("path", sorted(REPOSITORY.glob("examples/*/pipelinerun.yaml")), ids=str)
def test_the_examples_have_no_problem(path: Path) -> None:
    assert parse_pipelinerun(path.read_text()).spec.pipeline == path.parent.name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "here are 0 documents"),
        ("a: 1\n---\nb: 2\n", "here are 2 documents; put other objects in files of their own"),
        ("- a\n", "this is no PipelineRun: one begins with apiVersion"),
        ("{", "this is neither YAML nor JSON"),
        ("spec: {parameters: {a: .nan}}", "cannot be said in JSON"),
    ],
)
def test_a_text_that_is_no_run_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_pipelinerun(text)


def test_a_date_is_a_text_as_for_kubectl() -> None:
    assert load_document("day: 2026-11-23") == {"day": "2026-11-23"}


# What the API server holds.


def test_a_run_that_cannot_be_read_keeps_who_it_is_and_how_far_it_came() -> None:
    raw = {
        **with_spec(image=5),
        "metadata": {"name": "mnist", "uid": "u", "creationTimestamp": "2026-11-23T01:02:03Z", "labels": {}},
        "status": {"phase": "Sealing", "later": "unknown to this version"},
    }

    run = read_pipelinerun(raw)

    assert (run.metadata.uid, run.status.phase) == ("u", Phase.SEALING)
    assert [problem.field for problem in problems_of(run)] == ["spec.image"]


def test_a_run_with_stand_ins_has_its_problems_however_it_is_copied() -> None:
    run = read_pipelinerun(with_spec(image=5))

    assert problems_of(run.model_copy(update={"metadata": run.metadata})) == problems_of(run)


def test_a_phase_of_a_later_version_is_refused() -> None:
    with pytest.raises(UsageError, match=r"status\.phase.*'Resting'"):
        read_pipelinerun({**RUN, "status": {"phase": "Resting"}})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(field=st.sampled_from(sorted(PipelineRunSpec.model_json_schema()["properties"])), value=json_values)
def test_whatever_stands_in_a_field_is_read_and_nothing_raises(field: str, value: Any) -> None:
    raw = with_spec(**{field: value})
    before = copy.deepcopy(raw)

    run = read_pipelinerun(raw)

    assert raw == before
    assert all(problem.field and problem.fix for problem in problems_of(run))


@given(value=json_values)
def test_whatever_stands_as_the_spec_is_read_and_nothing_raises(value: Any) -> None:
    run = read_pipelinerun({**RUN, "spec": value})

    assert problems_of(run)


# What is said in two places, because the layers below may not know of those above.


def test_the_name_of_a_pipeline_is_what_a_record_can_be_below() -> None:
    field = PipelineRunSpec.model_json_schema()["properties"]["pipeline"]

    assert field["pattern"] == f"^{layout._PIPELINE_NAME.pattern}$"


def test_the_operators_variables_are_those_that_it_hands_over() -> None:
    handed = {getattr(pod_environment, name) for name in dir(pod_environment) if name.endswith("_VARIABLE")}

    assert handed | {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN"} == pod_rules.OWN_VARIABLES


@pytest.mark.parametrize("words", [Phase, Reason, ConditionType])
def test_the_reference_tells_every_word_of_the_status(words: type[StrEnum]) -> None:
    page = (REPOSITORY / "docs" / "pipelinerun.md").read_text().partition("<!-- fields:")[0]

    assert [word.value for word in words if f"| `{word.value}` |" not in page] == []


def test_a_run_can_be_written_and_read() -> None:
    run = parse_pipelinerun(RUN)
    written = yaml.safe_dump(run.model_dump(by_alias=True, mode="json", exclude_defaults=True))

    assert parse_pipelinerun(written) == run

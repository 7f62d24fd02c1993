"""The chart's values: what is refused, in words that help, and that everything is documented."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import helm_python
import pytest
import yaml
from manifests import CHART, with_values_table

from conftest import REPOSITORY
from vaportrail.crd.quantity import PATTERN

Render = Callable[..., Any]
SCHEMA = json.loads((REPOSITORY / CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((REPOSITORY / CHART / "values.yaml").read_text())
# As in Kubernetes: what is in there is checked by the API server.
OPEN = ("affinityRules", "global", "peer", "spreadConstraint", "valueFrom")


def objects_in(schema: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every part of a schema that is about an object, with its name."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield name, schema
        for key, value in schema.items():
            yield from objects_in(value, name if key == "items" else key)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects_in(value, name)


def test_the_schema_admits_no_name_that_it_does_not_know() -> None:
    loose = [name for name, each in objects_in(SCHEMA) if "additionalProperties" not in each]

    assert set(loose) == set(OPEN)


def test_every_value_has_a_default_and_every_default_a_schema() -> None:
    def names(values: Any, prefix: str = "") -> set[str]:
        return {prefix + key for key in values}

    assert names(SCHEMA["properties"]) - {"global"} == names(VALUES)
    for group in (
        "collector",
        "sealer",
        "serviceAccount",
        "crds",
        "userRoles",
        "service",
        "networkPolicy",
        "runPods",
        "podMonitor",
        "alerts",
    ):
        assert names(SCHEMA["properties"][group]["properties"]) == names(VALUES[group])
    assert names(SCHEMA["definitions"]["image"]["properties"]) == names(VALUES["image"])


def test_every_value_says_what_it_is() -> None:
    silent = [
        name
        for _, each in objects_in(SCHEMA)
        for name, value in each.get("properties", {}).items()
        if not value.get("description")
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"watchNamespace": ["a"]}, ("additional properties 'watchNamespace'",)),
        ({"image": {"name": "x"}}, ("/image", "additional properties 'name'")),
        ({"collector": {"image": {"registry": "x"}}}, ("/collector/image", "'registry'")),
        ({"watchNamespaces": "team-a"}, ("/watchNamespaces", "got string, want array")),
        ({"watchNamespaces": ["Team_A"]}, ("/watchNamespaces/0", "'Team_A' does not match")),
        ({"watchNamespaces": ["a", "a"]}, ("/watchNamespaces", "items at 0 and 1 are equal")),
        ({"image": {"digest": "sha256:12"}}, ("/image/digest", "'sha256:12' does not match")),
        ({"image": {"tag": ""}}, ("/image/digest",)),
        ({"image": {"repository": "a/b:v1@sha256:1"}}, ("/image/repository",)),
        ({"imagePullPolicy": "Sometimes"}, ("/imagePullPolicy", "'Always', 'IfNotPresent', 'Never'")),
        ({"imagePullSecrets": ["registry"]}, ("/imagePullSecrets/0", "got string, want object")),
        ({"logLevel": "loud"}, ("/logLevel", "'debug', 'info', 'warning', 'error'")),
        ({"env": [{"name": "VAPORTRAIL_LEASE", "value": "x"}]}, ("/env/0/name",)),
        ({"env": [{"name": "A", "value": 1}]}, ("/env/0/value", "got number, want string")),
        ({"resources": {"request": {}}}, ("/resources", "'request'")),
        ({"podLabels": {"a": 1}}, ("/podLabels/a", "want string")),
        ({"serviceAccount": {"create": False}}, ("/serviceAccount/name",)),
        ({"crds": {"keep": False}}, ("/crds", "'keep'")),
        ({"networkPolicy": {"apiServerPorts": [70000]}}, ("/networkPolicy/apiServerPorts/0", "65,535")),
        ({"resources": {"limits": {"memory": "lots"}}}, ("/resources/limits/memory", "'lots' does not")),
        ({"resources": {"limits": {"cpu": -1}}}, ("/resources/limits/cpu", "minimum")),
        (
            {"collector": {"resources": {"limits": {"memory": "5GB"}}}},
            ("/collector/resources/limits/memory", "'5GB' does not match"),
        ),
        ({"tolerations": [{"oprator": "Exists"}]}, ("/tolerations/0", "'oprator'")),
        ({"tolerations": [{"operator": "exists"}]}, ("/tolerations/0/operator", "'Exists'")),
        ({"tolerations": [{"effect": "Never"}]}, ("/tolerations/0/effect", "'NoSchedule'")),
        ({"affinity": {"foo": "bar"}}, ("/affinity", "'foo'")),
        ({"affinity": {"nodeAffinity": "bar"}}, ("/affinity/nodeAffinity", "want object")),
        ({"sealer": None}, ("missing property 'sealer'",)),
        ({"collector": None}, ("missing property 'collector'",)),
        ({"collector": {"image": None}}, ("/collector", "missing property 'image'")),
        ({"logLevel": None}, ("missing property 'logLevel'",)),
        # Ports that are not given would be all ports.
        ({"networkPolicy": {"create": True, "apiServerPorts": None}}, ("/networkPolicy", "'apiServerPorts'")),
        ({"replicas": 0}, ("/replicas", "minimum")),
        ({"runPods": {"label": {}}}, ("/runPods", "'label'")),
        (
            {"runPods": {"securityContext": {"runAsUser": 0}}},
            ("/runPods/securityContext/runAsUser", "minimum"),
        ),
        ({"runPods": {"proxy": {"https": "proxy:3128"}}}, ("/runPods/proxy/https", "'proxy:3128' does not")),
        ({"runPods": {"proxy": {"noProxy": "a,b"}}}, ("/runPods/proxy/noProxy", "got string, want array")),
        ({"runPods": {"caBundle": {"secret": "x"}}}, ("/runPods/caBundle", "'secret'")),
        ({"securityContext": {"privileged": True}}, ("/securityContext", "'privileged'")),
        ({"podMonitor": {"interval": "often"}}, ("/podMonitor/interval", "'often' does not")),
        ({"replicas": 4}, ("/replicas", "maximum")),
        ({"replicas": "2"}, ("/replicas", "got string, want integer")),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
def test_a_wrong_value_is_refused_and_named(
    render: Render, values: dict[str, Any], said: tuple[str, ...]
) -> None:
    with pytest.raises(helm_python.HelmError) as raised:
        render(values)

    for words in said:
        assert words in str(raised.value)


@pytest.mark.parametrize("name", sorted(set(VALUES) - set(SCHEMA["required"])))
def test_a_value_that_is_not_required_can_be_taken_away(render: Render, name: str) -> None:
    assert render({name: None}).objects


def test_a_quantity_is_what_it_is_in_a_run() -> None:
    assert SCHEMA["definitions"]["quantities"]["additionalProperties"]["pattern"] == PATTERN


@pytest.mark.parametrize("quantity", [1, 0.5, 1073741824, "500m", "2Gi", "1e3"])
def test_a_quantity_may_be_a_number_or_a_text(render: Render, quantity: float | str) -> None:
    limits = {"limits": {"memory": quantity}}

    assert render({"resources": limits, "collector": {"resources": limits}}).objects


def test_the_e2e_clusters_values_are_values_of_the_chart(render: Render) -> None:
    rendered = render(yaml.safe_load((REPOSITORY / "e2e/values.yaml").read_text()))

    images = {name: image for name, image in rendered.environment.items() if name.endswith("_IMAGE")}
    assert all(image.startswith("localhost/vaportrail/") for image in images.values())
    assert rendered.operator["containers"][0]["imagePullPolicy"] == "Never"


def leaves(values: Any, place: str = "") -> dict[str, Any]:
    """Return the values that are no groups of values, by their dotted names."""
    if isinstance(values, dict) and values:
        return {
            name: leaf
            for key, each in values.items()
            for name, leaf in leaves(each, f"{place}.{key}").items()
        }
    return {place.removeprefix("."): values}


LOADED = {"image.repository", "image.tag", "image.digest", "collector.image.digest"}
"""The e2e cluster has its images from files: they have one name, and no digest."""


def test_the_scenario_of_every_value_changes_every_value(render: Render) -> None:
    changed = yaml.safe_load((REPOSITORY / "e2e/every_value.yaml").read_text())
    before, after = leaves(VALUES), leaves(changed)
    # What is empty by default may be filled with more.
    same = {name for name, value in before.items() if after.get(name, value) == value}
    filled = {name for name in same if any(each.startswith(f"{name}.") for each in after)}

    assert same - filled == LOADED
    assert render(changed, serves=("monitoring.coreos.com/v1",)).objects


def test_the_table_of_the_documentation_is_that_of_the_schema() -> None:
    page = (REPOSITORY / "docs/kubernetes.md").read_text()

    assert with_values_table(page, REPOSITORY) == page
    for name in VALUES:
        assert f"| `{name}` |" in page


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="values end"):
        with_values_table("# A page\n", REPOSITORY)


# What is told after an installation.


def test_the_notes_name_the_resource_in_full(render: Render) -> None:
    notes = render(serves=("ray.io/v1/RayCluster",)).notes

    assert "pipelineruns.vaportrail.dev" in notes
    assert "helm test vaportrail --namespace vaportrail-system" in notes
    assert "all namespaces" in notes
    assert "WARNING" not in notes


def test_the_notes_name_the_namespaces_that_are_served(render: Render) -> None:
    assert "team-a, team-b" in render({"watchNamespaces": ["team-a", "team-b"]}).notes


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_notes_warn_of_tektons_resource_of_the_same_name(render: Render, version: str) -> None:
    notes = render(serves=("ray.io/v1/RayCluster", f"tekton.dev/{version}/PipelineRun")).notes

    assert "WARNING: this cluster also has Tekton's pipelineruns.tekton.dev" in notes


def test_the_notes_warn_where_kuberay_is_missing(render: Render) -> None:
    assert "WARNING: this cluster has no rayclusters.ray.io" in render().notes


def test_the_notes_say_so_where_the_definition_is_left_out(render: Render) -> None:
    assert "brings no definition" in render({"crds": {"install": False}}).notes

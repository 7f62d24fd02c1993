"""Parameters of a run whose runner is silent: as it left word of them, or else told with care."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.record.clusters import Cluster, files

from vaportrail.record.seal.cluster_seal import seal_run

SECRET = "hunter2hunter2"


def sealed_with(cluster: Cluster, parameters: dict[str, Any]) -> dict[str, Any]:
    """Seal a silent run that was asked for with these parameters; return those in its record."""
    identity = replace(cluster.settings.identity, parameters=parameters)
    seal_run(cluster.request().model_copy(update={"identity": identity}), keep_spool=True)
    return cluster.manifest.run.parameters


@pytest.fixture
def silent(unshipped: Cluster) -> Cluster:
    """A run of which there is nothing at all."""
    unshipped.store.delete(f"{unshipped.prefix}run.json")
    return unshipped


def test_the_runners_own_word_of_the_parameters_is_taken(unshipped: Cluster) -> None:
    told = replace(unshipped.settings.identity, parameters={"key": "<hidden>", "n": 3})
    settings = replace(unshipped.settings, identity=told)
    unshipped.replace(f"{unshipped.prefix}run.json", settings.to_json().encode())

    assert sealed_with(unshipped, {"key": SECRET, "n": "3"}) == {"key": "<hidden>", "n": 3}


@pytest.mark.parametrize("name", ["password", "api_key", "HF_TOKEN", "dbCredentials"])
def test_a_parameter_whose_name_says_secret_is_hidden(silent: Cluster, name: str) -> None:
    assert sealed_with(silent, {name: SECRET, "n": 3}) == {name: "<hidden>", "n": 3}


def test_it_is_hidden_within_others_as_well(silent: Cluster) -> None:
    given = {"databases": [{"host": "db", "password": SECRET, "ports": [1]}]}

    assert sealed_with(silent, given) == {"databases": [{"host": "db", "password": "<hidden>", "ports": [1]}]}


def test_long_values_are_told_as_the_runner_tells_them(silent: Cluster) -> None:
    told = sealed_with(silent, {"text": "x" * 5000})["text"]

    assert (told["$type"], told["size"]) == ("str", 5000)


def test_a_hidden_value_stands_in_no_file(silent: Cluster) -> None:
    sealed_with(silent, {"password": SECRET})

    assert [path for path, content in files(silent.store, "").items() if SECRET.encode() in content] == []


@pytest.mark.parametrize("report", [b"{", b"[]", b'{"identity": 1}', b"\xff"])
def test_a_damaged_word_of_the_runner_is_none(unshipped: Cluster, report: bytes) -> None:
    unshipped.replace(f"{unshipped.prefix}run.json", report)

    assert sealed_with(unshipped, {"password": SECRET}) == {"password": "<hidden>"}


def test_the_word_of_another_run_is_none(unshipped: Cluster) -> None:
    other = replace(unshipped.settings.identity, uid="another", parameters={"n": 1})
    report = replace(unshipped.settings, identity=other)
    unshipped.replace(f"{unshipped.prefix}run.json", json.dumps(json.loads(report.to_json())).encode())

    assert sealed_with(unshipped, {"n": 2}) == {"n": "<hidden>"}

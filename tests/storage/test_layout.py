"""Names and places below a record root; no name leads out of its folder."""

from __future__ import annotations

import posixpath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.contract.run_identity import RunIdentity
from vaportrail.errors import UsageError
from vaportrail.storage.layout import (
    artifact_path,
    check_pipeline_name,
    check_value_name,
    directory_name,
    run_path,
)

NANOS = 1_700_000_000_999_999_999
UID = "3b1c9c2e-5f0f-4f55-9d3c-0a2f1f9e8d7c"


@pytest.mark.parametrize("name", ["mnist", "a", "9lives", "a.b-c_d", "x" * 63])
def test_a_pipelines_name_is_a_folder(name: str) -> None:
    assert check_pipeline_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "-x", "_x", "a/b", "a b", "é", "x" * 64, "a\n", "<lambda>", "a\x00"],
    ids=repr,
)
def test_another_pipelines_name_is_refused_with_what_to_use(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a folder of records: use 1 to 63 letters"):
        check_pipeline_name(name)


@pytest.mark.parametrize("name", ["loss", "digits/0-images.png", "a b", "é", "...", "..a", "a:b", "x" * 250])
def test_a_values_name_is_taken_as_it_is(name: str) -> None:
    assert check_value_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/abs",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/..",
        "./a",
        "a\\b",
        "a\nb",
        "a\x00",
        "\ud800",
        "x" * 251,
    ],
    ids=ascii,
)
def test_another_values_name_is_refused_with_what_to_use(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a logged value: use 1 to 250 printable"):
        check_value_name(name)


@pytest.mark.parametrize("name", [None, 3, b"x", ["x"]], ids=repr)
def test_a_values_name_is_text(name: Any) -> None:
    with pytest.raises(UsageError, match="is a str, not"):
        check_value_name(name)


@given(st.text(st.sampled_from("ab./\\ \n\x00é"), max_size=12) | st.text(max_size=300))
def test_a_values_name_is_refused_or_stays_below_its_folder(name: str) -> None:
    try:
        check_value_name(name)
    except UsageError:
        return
    joined = posixpath.normpath(posixpath.join("/folder", name))
    assert joined == f"/folder/{name}"
    name.encode()


def test_a_records_folder_says_when_and_who() -> None:
    assert directory_name(UID, NANOS) == "20231114T221320Z-3b1c9c2e"


def test_a_record_lies_below_its_pipeline() -> None:
    assert run_path(RunIdentity(UID, "mnist", "a name", NANOS)) == "runs/mnist/20231114T221320Z-3b1c9c2e"


def test_a_record_of_a_pipeline_that_leads_out_has_no_place() -> None:
    with pytest.raises(UsageError):
        run_path(RunIdentity(UID, "../x", "n", NANOS))


def test_folders_sort_as_their_runs_were_made() -> None:
    times = [NANOS + step * 10**9 for step in range(0, 10**6, 10**5)]
    names = [directory_name(UID, time) for time in times]
    assert names == sorted(names)


def test_an_artifact_is_named_by_its_content() -> None:
    assert artifact_path("ab12") == "artifacts/ab12"

"""An address that leads nowhere is a problem of its field, and never stops who looks at the run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.crd.messages import told, with_spec

from vaportrail.cluster.source_git import fetch_git
from vaportrail.contract.pod_messages import GitSource
from vaportrail.errors import UsageError

Object = dict[str, Any]

GIT = "use https://host/repository; only public repositories can be read"
ENDPOINT = "use http://host or https://host, or leave it out for AWS"
ARCHIVE = "use s3://bucket/path, another object store's URI, or https://…"
BROKEN = ("https://[::1", "https://ex／ample.com/x", "http://a:b/x", "https://a:99999/x", "https:///x")


def with_git(url: str) -> Object:
    return with_spec(source={"git": {"url": url}})


def with_endpoint(endpoint: str) -> Object:
    return with_spec(record={"uri": "s3://runs/mnist", "endpoint": endpoint})


def with_archive(uri: str) -> Object:
    return with_spec(source={"archive": {"uri": uri, "sha256": "0" * 64}})


FIELDS = {
    "spec.source.git.url": (with_git, GIT),
    "spec.record.endpoint": (with_endpoint, ENDPOINT),
    "spec.source.archive.uri": (with_archive, ARCHIVE),
}
PLACES = [*(make for make, _ in FIELDS.values()), lambda uri: with_spec(record={"uri": uri})]

schemes = st.sampled_from(["", "http://", "https://", "s3://", "gs://", "abfss://", "file://", "file:///"])
addresses = st.builds(
    str.__add__, schemes, st.text(max_size=20) | st.text("a[]:@/?#.9／℀\x00", min_size=1, max_size=12)
)


@pytest.mark.parametrize("url", BROKEN)
@pytest.mark.parametrize("field", FIELDS)
def test_an_address_that_leads_nowhere_is_a_problem_of_its_field(field: str, url: str) -> None:
    make, fix = FIELDS[field]

    assert told(make(url)) == [f"{field}: {url!r}: {fix}"]


@pytest.mark.parametrize("make", PLACES, ids=["git", "endpoint", "archive", "record"])
@given(address=addresses)
@example("https://[::1")
@example("https://a@b:c/x")
def test_whatever_stands_as_an_address_nothing_raises(make: Any, address: str) -> None:
    assert all(isinstance(problem, str) for problem in told(make(address)))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("url", ["https://me:s3c/ret@host/x", "https://me:s3cret@[x"])
def test_an_address_that_leads_nowhere_is_not_shown_where_it_may_hold_a_password(
    field: str, url: str
) -> None:
    problems = told(FIELDS[field][0](url))

    assert problems
    assert "s3c" not in str(problems)


@pytest.mark.parametrize("endpoint", ["http://minio:9000", "https://[::1]:9000", "http://10.0.0.1", ""])
def test_an_endpoint_with_or_without_a_port_is_no_problem(endpoint: str) -> None:
    assert told(with_endpoint(endpoint)) == []


@pytest.mark.parametrize(
    "uri",
    ["s3://runs/a.zip", "abfss://box@account.dfs.core.windows.net/a.zip", "file:///records/a.zip"],
)
def test_an_archive_in_any_store_is_no_problem(uri: str) -> None:
    assert told(with_archive(uri)) == []


@pytest.mark.parametrize("url", BROKEN)
def test_the_runner_says_that_such_a_url_is_none(url: str, tmp_path: Any) -> None:
    with pytest.raises(UsageError, match="is not the URL of a public repository"):
        fetch_git(GitSource(url=url), tmp_path / "code")

"""The run's own bucket is reached with its own keys, whatever the environment says of others."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mounted_secret import mount, variable
from vaportrail.contract.store_access import StoreAccess
from vaportrail.errors import UsageError
from vaportrail.storage.artifacts import store_artifact
from vaportrail.storage.store import open_store

OURS = {"AWS_ACCESS_KEY_ID": "OURS", "AWS_SECRET_ACCESS_KEY": "our-secret-key"}
OF_THE_USER = {
    "AWS_ACCESS_KEY_ID": "THEIRS",
    "AWS_SECRET_ACCESS_KEY": "their-secret-key",
    "AWS_SESSION_TOKEN": "their-token",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "AWS_REGION": "eu-north-1",
    "AWS_SKIP_SIGNATURE": "true",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    "AWS_S3_EXPRESS": "true",
    "AWS_CONDITIONAL_PUT": "disabled",
    "AWS_REQUEST_PAYER": "true",
    "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms",
    "AWS_PROXY_URL": "http://127.0.0.1:1",
    "AWS_BUCKET": "theirs",
    "AWS_ALLOW_HTTP": "false",
}


@dataclass
class Server:
    """A server that takes everything, and what it was asked."""

    url: str
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def keys(self) -> list[str]:
        """The key ids that requests were signed with."""
        found = [
            re.search("Credential=([^/]*)/[0-9]*/([^/]*)/", each["authorization"]) for each in self.headers
        ]
        return [f"{each[1]} {each[2]}" for each in found if each]


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            told.paths.append(self.path)
            told.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("ETag", '"x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        told = Server(f"http://127.0.0.1:{listening.server_port}")
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield told
        listening.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "VAPORTRAIL_")):
            monkeypatch.delenv(name)


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_the_runs_bucket_is_asked_with_the_mounted_keys_and_no_setting_of_the_environment(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, OF_THE_USER)
    folder = mount(tmp_path / "store", OURS)
    monkeypatch.setenv("VAPORTRAIL_STORE", variable(folder, endpoint=server.url, region="eu-1"))
    assert open_store("s3://records/ml/runs/p/1").create("x", b"content")
    assert server.paths == ["/records/ml/runs/p/1/x"]
    assert server.keys == ["OURS eu-1"]
    [headers] = server.headers
    assert headers["if-none-match"] == "*"
    strange = {"x-amz-security-token", "x-amz-server-side-encryption", "x-amz-request-payer"}
    assert not headers.keys() & strange


def test_the_environment_is_the_users_again_in_native_code_too(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, OF_THE_USER)
    folder = mount(tmp_path / "store", OURS)
    monkeypatch.setenv("VAPORTRAIL_STORE", variable(folder, endpoint=server.url))
    open_store("s3://records/ml")
    assert {name: os.environ[name] for name in OF_THE_USER} == OF_THE_USER
    # Without `env` it is the process's own that a child gets.
    seen = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert {f"{name}={value}" for name, value in OF_THE_USER.items()} <= set(seen)


def test_any_other_bucket_is_asked_as_the_environment_says(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, {name: OF_THE_USER[name] for name in list(OF_THE_USER)[:3]})
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv(
        "VAPORTRAIL_STORE", variable(mount(tmp_path / "store", OURS), endpoint="http://0.0.0.0:1")
    )
    open_store("s3://of-the-user/ml").create("x", b"content")
    assert server.keys == ["THEIRS us-east-1"]
    assert server.headers[0]["x-amz-security-token"] == "their-token"


def test_where_nothing_is_mounted_the_environment_counts(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, {**OURS, "AWS_ENDPOINT_URL": server.url})
    open_store("s3://records/ml").create("x", b"content")
    assert server.keys == ["OURS us-east-1"]


def test_a_key_that_is_replaced_is_the_next_that_is_used(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = mount(tmp_path / "store", OURS)
    monkeypatch.setenv("VAPORTRAIL_STORE", variable(folder, endpoint=server.url))
    store = open_store("s3://records/ml")
    store.create("x", b"content")
    mount(folder, {**OURS, "AWS_ACCESS_KEY_ID": "RENEWED"})
    store.create("y", b"content")
    assert server.keys == ["OURS us-east-1", "RENEWED us-east-1"]


def test_artifacts_are_stored_with_the_mounted_keys(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, OF_THE_USER)
    folder = mount(tmp_path / "store", OURS)
    monkeypatch.setenv("VAPORTRAIL_STORE", variable(folder, endpoint=server.url))
    store_artifact("s3://records/ml/runs/p/2", "x.txt", b"content")
    assert server.keys == ["OURS us-east-1"]


def test_the_secret_may_say_region_and_address_and_what_else_a_bucket_asks_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {
        "AWS_DEFAULT_REGION": "eu-2",
        "AWS_ENDPOINT_URL": server.url,
        "AWS_SERVER_SIDE_ENCRYPTION": "AES256",
    }
    folder = mount(
        tmp_path / "store", {**OURS, **more, "AWS_SESSION_TOKEN": "our-token\n", "run": "x", "PATH": "y"}
    )
    monkeypatch.setenv("VAPORTRAIL_STORE", variable(folder))
    open_store("s3://records/ml").create("x", b"content")
    [headers] = server.headers
    assert server.keys == ["OURS eu-2"]
    assert headers["x-amz-server-side-encryption"] == "AES256"
    assert headers["x-amz-security-token"] == "our-token"


def test_an_identity_of_the_cloud_is_asked_and_not_the_users_keys(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, OF_THE_USER)
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/x")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    access = StoreAccess("s3://records/ml", endpoint=server.url)
    monkeypatch.setenv("VAPORTRAIL_STORE", access.to_json())
    with pytest.raises(Exception, match="token"):  # there is no such file, and nothing else was taken
        open_store("s3://records/ml").create("x", b"content")
    assert not server.keys


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            {"access_key": "a", "secret_key": "b"},
            "no AWS_ACCESS_KEY_ID and no AWS_SECRET_ACCESS_KEY .it has access_key",
        ),
        ({"AWS_ACCESS_KEY_ID": "a"}, "has no AWS_SECRET_ACCESS_KEY .it has AWS_ACCESS_KEY_ID"),
        ({**OURS, "AWS_SECRET_ACCESS_KEY": ""}, "has no AWS_SECRET_ACCESS_KEY"),
        ({}, "no AWS_ACCESS_KEY_ID and no AWS_SECRET_ACCESS_KEY .it has nothing"),
    ],
)
def test_a_secret_without_the_names_of_keys_is_refused_by_its_name(
    keys: dict[str, str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAPORTRAIL_STORE", variable(mount(tmp_path / "store", keys)))
    with pytest.raises(UsageError, match=f"Secret store .*{told}"):
        open_store("s3://records/ml")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"root": 1}'])
def test_a_variable_that_is_not_the_operators_is_said(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAPORTRAIL_STORE", text)
    with pytest.raises(UsageError, match="VAPORTRAIL_STORE is not what the operator sets"):
        open_store("s3://records/ml")


def test_fields_of_a_newer_operator_are_passed_over() -> None:
    access = StoreAccess("s3://b/p", "http://s3", "eu-1", "store", "/vaportrail/store")
    assert StoreAccess.from_json(access.to_json()) == access
    assert StoreAccess.from_json('{"root": "s3://b", "new": 1}') == StoreAccess("s3://b")

"""How `submit` and `cancel` come to a cluster: what is wrong with the way there is told in one line."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.crd.messages import RUN

if TYPE_CHECKING:
    from tests.cli.conftest import Command

KINDS = ("submit", "cancel")


def config(*, user: dict[str, Any] | None = None, **cluster: Any) -> str:
    """Return a kubeconfig."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": {"server": "https://127.0.0.1:1", **cluster}}],
            "users": [{"name": "it", "user": user or {"token": "hush-hush"}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }
    )


def exec_plugin(*words: str) -> dict[str, Any]:
    """Return a user who signs in with a plugin."""
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": words[0], "args": list(words[1:])}}


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process looks for its kubeconfig."""
    path = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    return path


@pytest.fixture(params=KINDS)
def words(request: pytest.FixtureRequest, tmp_path: Path) -> list[object]:
    """A command that asks a cluster for something."""
    if request.param == "cancel":
        return ["cancel", "mnist"]
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(RUN))
    return ["submit", tmp_path / "run.yaml"]


BAD_FILES = {
    "broken YAML": (b"a: [", "it is not YAML"),
    "a text": (b"hello, world", "it is no kubeconfig"),
    "a list": (b"[1, 2]", "it is no kubeconfig"),
    "binary": (b"\xff\xfe\x00\x80", "it is not a text in UTF-8"),
    "no base64": (
        config(**{"certificate-authority-data": "abc"}).encode(),
        "clusters[it].cluster.certificate-authority-data is not base64",
    ),
    "no such token": (config(user={"tokenFile": "/nope"}).encode(), "'/nope'"),
    "no such certificate": (config(**{"certificate-authority": "/nope"}).encode(), "/nope"),
    "an auth-provider": (
        config(user={"auth-provider": {"name": "gcp"}}).encode(),
        "the auth-provider 'gcp' is not known here",
    ),
    "a user without credentials": (
        config().replace("  user:\n", "  usr:\n").encode(),
        "users[it]: 'user' is missing",
    ),
    "a server that is no text": (
        config(server=5).encode(),
        "clusters[it].cluster.server: a text is needed, this is int",
    ),
    "a plugin that is not installed": (
        config(user=exec_plugin("no-such-plugin")).encode(),
        "the exec plugin 'no-such-plugin' gives no credentials",
    ),
    "a plugin that fails": (
        config(user=exec_plugin("sh", "-c", "echo sign in first >&2; exit 3")).encode(),
        "the exec plugin 'sh' gives no credentials: it ended with 3: sign in first; install it",
    ),
    "a plugin that says nothing": (
        config(user=exec_plugin("true")).encode(),
        "the exec plugin 'true' gives no credentials",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_kubeconfig_that_cannot_be_used_is_named_in_one_line(
    command: Command, kubeconfig: Path, words: list[object], content: bytes, message: str
) -> None:
    kubeconfig.write_bytes(content)

    said = command(*words)

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: kubeconfig '{kubeconfig}': ")
    assert message in said.err
    assert "hush-hush" not in said.err
    assert said.err.count("\n") == 1


def test_a_folder_is_no_kubeconfig(command: Command, kubeconfig: Path) -> None:
    kubeconfig.mkdir()

    said = command("cancel", "mnist")

    assert said.code == 2
    assert f"error: kubeconfig '{kubeconfig}': it cannot be read: Is a directory" in said.err


@pytest.mark.parametrize("content", ["", config().replace("current-context: it", "current-context: ''")])
def test_a_kubeconfig_without_a_current_context_leads_to_no_cluster(
    command: Command, kubeconfig: Path, content: str
) -> None:
    kubeconfig.write_text(content)

    said = command("cancel", "mnist")

    assert said.code == 2
    assert "there is no cluster to talk to" in said.err


@pytest.mark.parametrize("content", ["", config()])
def test_a_context_that_is_not_there_is_named(command: Command, kubeconfig: Path, content: str) -> None:
    kubeconfig.write_text(content)

    said = command("cancel", "mnist", "--context", "nowhere")

    assert said.code == 2
    assert f"--context 'nowhere': kubeconfig '{kubeconfig}' has no such context" in said.err


def test_a_token_that_no_header_can_hold_is_not_repeated(
    command: Command, kubeconfig: Path, words: list[object]
) -> None:
    with answering(b"{}", "application/json") as server:
        kubeconfig.write_text(config(user={"token": "hush-hush\nhush"}, server=server))

        said = command(*words)

    assert said.code == 2
    assert "the kubeconfig's token cannot be sent" in said.err
    assert "hush" not in said.err


@contextmanager
def answering(body: bytes, content_type: str, status: int = 200) -> Iterator[str]:
    """Yield the address of a server that gives the same answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PATCH = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html>sign in</html>", "text/html"),
        (b"<html>sign in</html>", "application/json"),
        (b"\xff\xfe", "application/octet-stream"),
        (b"", "text/plain"),
        (b"[]", "application/json"),
        (b'{"status": "ok"}', "application/json"),
    ],
)
def test_a_server_that_is_no_api_server_is_named(
    command: Command, kubeconfig: Path, words: list[object], body: bytes, content_type: str
) -> None:
    with answering(body, content_type) as server:
        kubeconfig.write_text(config(server=server))

        said = command(*words)

    assert (said.code, said.out) == (1, "")
    assert f"error: {server} does not answer like a Kubernetes API server" in said.err


def test_a_cancellation_that_conflicts_is_not_told_to_take_another_name(
    command: Command, kubeconfig: Path
) -> None:
    status = json.dumps({"kind": "Status", "message": "the object has been modified"}).encode()
    with answering(status, "application/json", 409) as server:
        kubeconfig.write_text(config(server=server))

        said = command("cancel", "mnist")

    assert said.code == 1
    assert "the cluster answered 409: the object has been modified" in said.err
    assert "--name" not in said.err


@pytest.mark.parametrize("name", ["", "../foo", "Mnist", "a" * 41, "mnist\n"])
def test_a_name_that_no_run_can_have_is_not_asked_for(command: Command, kubeconfig: Path, name: str) -> None:
    kubeconfig.write_text(config())

    said = command("cancel", name)

    assert said.code == 2
    assert f"NAME {name!r}" in said.err


@pytest.mark.parametrize("namespace", ["Bad NS", "../foo", "a" * 64, "team."])
def test_a_namespace_that_cannot_be_is_not_asked_for(
    command: Command, kubeconfig: Path, words: list[object], namespace: str
) -> None:
    kubeconfig.write_text(config())

    said = command(*words, "--namespace", namespace)

    assert said.code == 2
    assert f"namespace {namespace!r}" in said.err
    assert "--namespace" in said.err

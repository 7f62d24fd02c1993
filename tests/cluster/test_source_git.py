"""Code from a git repository that a real git serves over HTTP."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from dulwich.repo import Repo
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain

from silent_server import silent_server
from vaportrail.cluster import source_git, source_limits
from vaportrail.cluster.source import fetch
from vaportrail.contract.pod_messages import GitSource, Source
from vaportrail.errors import UsageError

BACKEND = Path(
    subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
)
AUTHOR = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


@dataclass(frozen=True)
class Repository:
    """A repository with two commits on `main`, a tag on the first, and a commit on no branch."""

    folder: Path
    url: str
    first: str
    second: str
    loose: str


class Backend(BaseHTTPRequestHandler):
    """Hands each request to `git http-backend`, as a web server does by CGI."""

    folder: Path

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        env = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        done = subprocess.run([BACKEND / "git-http-backend"], input=body, capture_output=True, env=env)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        return


class NoProgress(WSGIRequestHandler):
    def log_message(self, *_args: object) -> None:
        return


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **AUTHOR},
    )
    return done.stdout.strip()


def commit(folder: Path, path: str, text: str) -> str:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)
    git(folder, "add", "--force", ".")
    git(folder, "commit", "--message", text)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    root = tmp_path_factory.mktemp("git")
    folder = root / "pipelines.git"
    folder.mkdir()
    git(folder, "init", "--initial-branch=main")
    first = commit(folder, "steps/flow.py", "first")
    git(folder, "tag", "--annotate", "v1.0", "--message", "one")
    git(folder, "checkout", "-b", "work/new")
    git(folder, "checkout", "main")
    commit(folder, ".gitignore", "ignored.txt")
    second = commit(folder, "ignored.txt", "second")
    git(folder, "checkout", "--detach")
    loose = commit(folder, "steps/flow.py", "loose")
    git(folder, "checkout", "main")
    handler = type("Handler", (Backend,), {"folder": root})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port:
        yield Repository(folder, f"http://127.0.0.1:{port}/pipelines.git", first, second, loose)


@pytest.fixture
def plain_server(repository: Repository) -> Iterator[str]:
    """The same repository, served by dulwich, which hands out only what a branch or tag names."""
    application = make_wsgi_chain(DictBackend({"/": Repo(str(repository.folder))}))
    with serving(make_server("127.0.0.1", 0, application, handler_class=NoProgress)) as port:
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def serving(server: HTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def source(repository: Repository, revision: str = "HEAD", path: str = "") -> Source:
    return Source(git=GitSource(url=repository.url, revision=revision, path=path))


@pytest.mark.parametrize(
    ("revision", "commit", "text"),
    [
        ("HEAD", "second", "first"),
        ("main", "second", "first"),
        ("work/new", "first", "first"),
        ("v1.0", "first", "first"),
        ("refs/tags/v1.0", "first", "first"),
    ],
)
def test_a_branch_and_a_tag_give_the_files_and_the_commit(
    repository: Repository, tmp_path: Path, revision: str, commit: str, text: str
) -> None:
    fetched = fetch(source(repository, revision), tmp_path / "code")

    assert fetched.revision == getattr(repository, commit)
    assert (tmp_path / "code" / "steps" / "flow.py").read_text() == text


@pytest.mark.parametrize("which", ["first", "second", "loose"])
def test_a_commit_is_had_also_where_it_is_no_branchs_end(
    repository: Repository, tmp_path: Path, which: str
) -> None:
    wanted = getattr(repository, which)

    assert fetch(source(repository, wanted), tmp_path / "code").revision == wanted


def test_the_record_is_told_the_commit_the_branch_and_the_url(repository: Repository, tmp_path: Path) -> None:
    fetched = fetch(source(repository, "main"), tmp_path / "code")

    assert fetched.git == {
        "revision": repository.second,
        "branch": "main",
        "dirty": False,
        "remote": repository.url,
    }


def test_only_the_folder_that_is_wanted_comes_and_nothing_of_git(
    repository: Repository, tmp_path: Path
) -> None:
    fetch(source(repository, path="steps/"), tmp_path / "code")

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["code", "flow.py"]


@pytest.mark.parametrize(
    ("revision", "branch"),
    [
        ("HEAD", "main"),
        ("main", "main"),
        ("work/new", "work/new"),
        ("refs/heads/main", "main"),
        ("v1.0", ""),
    ],
)
def test_the_record_names_the_branch_where_the_revision_is_one(
    repository: Repository, tmp_path: Path, revision: str, branch: str
) -> None:
    assert fetch(source(repository, revision), tmp_path / "code").git["branch"] == branch


def test_a_commit_is_no_branch(repository: Repository, tmp_path: Path) -> None:
    fetched = fetch(source(repository, repository.first), tmp_path / "code")

    assert (fetched.git["revision"], fetched.git["branch"]) == (repository.first, "")


def test_a_server_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_git, "_REPLY_SECONDS", 0.1)

    with silent_server() as (url, _), pytest.raises(UsageError, match=r"cannot be fetched: .*timed out"):
        fetch(Source(git=GitSource(url=f"{url}/pipelines.git")), tmp_path / "code")


@pytest.mark.parametrize(
    ("limit", "words"),
    [("PACKED_LIMIT", "has more than 6 bytes at 'main'"), ("UNPACKED_LIMIT", "it holds more than 6 bytes")],
)
def test_a_repository_that_is_too_large_is_refused(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, words: str
) -> None:
    monkeypatch.setattr(source_limits, limit, 6)

    with pytest.raises(UsageError, match=words):
        fetch(source(repository, "main"), tmp_path / "code")


def test_a_repository_of_another_kind_of_hash_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "new.git"
    folder.mkdir()
    git(folder, "init", "--object-format=sha256", "--initial-branch=main")
    commit(folder, "flow.py", "code")
    handler = type("Handler", (Backend,), {"folder": tmp_path})
    with (
        serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port,
        pytest.raises(UsageError, match="is a repository of sha256 objects"),
    ):
        fetch(Source(git=GitSource(url=f"http://127.0.0.1:{port}/new.git")), tmp_path / "code")


@pytest.mark.parametrize(
    ("revision", "path", "words"),
    [
        ("no-such", "", "source.git.revision 'no-such' is no branch, tag or whole commit"),
        ("0" * 40, "", f"source.git.revision '{'0' * 40}' is not in http://"),
        ("main", "nowhere", "source.git.path 'nowhere' is no folder of http://"),
        ("main", "ignored.txt", "source.git.path 'ignored.txt' is no folder of http://"),
        ("main", "../..", "source.git.path '../..' is no folder of http://"),
    ],
)
def test_what_is_not_there_is_named(
    repository: Repository, tmp_path: Path, revision: str, path: str, words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        fetch(source(repository, revision, path), tmp_path / "code")

    assert words in str(refused.value)


def test_a_revision_that_is_none_is_told_with_those_there_are(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"its branches and tags: .*main, new, v1\.0$"):
        fetch(source(repository, repository.first[:12]), tmp_path / "code")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ssh://git@example.com/x.git", "is not the URL of a public repository"),
        ("/etc", "is not the URL of a public repository"),
        ("https://me:hunter2@example.com/x.git", "holds credentials"),
        ("https://hunter2@example.com/x.git", "holds credentials"),
        ("https://example.com/x.git?private_token=hunter2", "holds credentials or a query"),
        ("git://example.com/x.git", "is not the URL of a public repository"),
        ("http://127.0.0.1:9/x.git", "cannot be fetched"),
    ],
)
def test_a_url_that_cannot_be_fetched_is_named_without_its_secrets(
    tmp_path: Path, url: str, words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        fetch(Source(git=GitSource(url=url)), tmp_path / "code")

    assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_url_that_leads_to_no_repository_is_named(repository: Repository, tmp_path: Path) -> None:
    url = repository.url.replace("pipelines", "none")

    with pytest.raises(UsageError, match="leads to no public git repository"):
        fetch(Source(git=GitSource(url=url)), tmp_path / "code")


def test_a_commit_is_had_also_from_a_server_that_hands_out_branches_only(
    repository: Repository, plain_server: str, tmp_path: Path
) -> None:
    git_source = GitSource(url=plain_server, revision=repository.first)

    assert fetch(Source(git=git_source), tmp_path / "code").revision == repository.first
    assert (tmp_path / "code" / "steps" / "flow.py").read_text() == "first"


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "inner/../../outside"])
def test_a_link_that_leads_out_of_the_revision_is_refused(
    repository: Repository, tmp_path: Path, target: str
) -> None:
    git(repository.folder, "checkout", "--detach")
    (repository.folder / "link.py").symlink_to(target)
    revision = commit(repository.folder, "inner/flow.py", f"a link to {target}")
    git(repository.folder, "checkout", "main")

    with pytest.raises(UsageError, match=r"cannot be unpacked: link\.py is a link to .* outside of it"):
        fetch(source(repository, revision), tmp_path / "code")


def test_a_link_within_the_revision_is_kept(repository: Repository, tmp_path: Path) -> None:
    git(repository.folder, "checkout", "--detach")
    (repository.folder / "link.py").symlink_to("steps/flow.py")
    revision = commit(repository.folder, "steps/flow.py", "linked")
    git(repository.folder, "checkout", "main")

    fetch(source(repository, revision), tmp_path / "code")

    assert (tmp_path / "code" / "link.py").read_text() == "linked"


def test_a_tree_that_no_git_would_make_is_named(repository: Repository, tmp_path: Path) -> None:
    blob = git(repository.folder, "rev-parse", "main:steps/flow.py")
    entry = b"100644 ..\0" + bytes.fromhex(blob)
    made = ["git", "-C", str(repository.folder), "hash-object", "-w", "-t", "tree", "--literally", "--stdin"]
    tree = subprocess.run(made, input=entry, capture_output=True, check=True).stdout.decode().strip()
    revision = git(repository.folder, "commit-tree", tree, "-m", "climbs")
    git(repository.folder, "update-ref", "refs/heads/climbs", revision)

    with pytest.raises(UsageError, match=r"source\.git\.url .* cannot be unpacked"):
        fetch(source(repository, "climbs"), tmp_path / "code")

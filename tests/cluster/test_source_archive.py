"""Code from an archive: checked before it is unpacked, and unpacked without trusting it."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.cluster import source_limits
from vaportrail.cluster.addresses import has_credentials, shown
from vaportrail.cluster.source import fetch
from vaportrail.contract.pod_messages import ArchiveSource, Source
from vaportrail.errors import UsageError

FILES = {"flow.py": "code", "data/text.txt": "data"}


def tar(path: Path, members: dict[str, str] | None = None, *, link: tuple[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
        for name, text in (FILES if members is None else members).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
        if link is not None:
            entry = tarfile.TarInfo(link[0])
            entry.type, entry.linkname = tarfile.SYMTYPE, link[1]
            archive.addfile(entry)
    return path


def packed_zip(
    path: Path, members: dict[str, str] | None = None, *, link: tuple[str, str] | None = None
) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (FILES if members is None else members).items():
            archive.writestr(name, text)
        if link is not None:
            entry = zipfile.ZipInfo(link[0])
            entry.external_attr = 0o120777 << 16
            archive.writestr(entry, link[1])
    return path


def asked(path: Path, uri: str = "") -> Source:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Source(archive=ArchiveSource(uri=uri or f"file://{path}", sha256=digest.upper()))


def texts(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that a web server on loopback serves, and its URL."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            return

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server,
        serving(server),
    ):
        yield folder, f"http://127.0.0.1:{server.server_port}"


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.tar", "a.zip"])
def test_an_archive_is_unpacked_whatever_its_kind(tmp_path: Path, name: str) -> None:
    pack: Callable[[Path], Path] = packed_zip if name.endswith(".zip") else tar
    fetched = fetch(asked(pack(tmp_path / name)), tmp_path / "code")

    assert fetched.folder == tmp_path / "code"
    assert texts(tmp_path / "code") == FILES


def test_an_archive_comes_from_a_web_server(served: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = served
    archive = tar(folder / "a.tar.gz")

    fetch(asked(archive, f"{url}/a.tar.gz?version=1"), tmp_path / "code")

    assert texts(tmp_path / "code") == FILES


def test_an_archive_comes_from_an_object_store(
    s3: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vaportrail.storage.store import open_store

    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    archive = tar(tmp_path / "a.tar.gz")
    open_store("s3://records/code").create("a.tar.gz", archive)

    fetch(asked(archive, "s3://records/code/a.tar.gz"), tmp_path / "code")

    assert texts(tmp_path / "code") == FILES


def test_another_content_than_its_hash_says_is_not_unpacked(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar")
    source = asked(archive)
    archive.write_bytes(archive.read_bytes() + b"\0" * 512)

    with pytest.raises(UsageError, match=r"source\.archive\.sha256 .* is not the hash of"):
        fetch(source, tmp_path / "code")
    assert not (tmp_path / "code").exists()


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt", "in/../../out.txt"])
@pytest.mark.parametrize("kind", ["a.tar.gz", "a.zip"])
def test_nothing_is_written_outside_of_the_folder(tmp_path: Path, kind: str, name: str) -> None:
    pack: Callable[..., Path] = packed_zip if kind.endswith(".zip") else tar
    archive = pack(tmp_path / kind, {"flow.py": "code", name: "out"})
    code = tmp_path / "inner" / "code"
    code.parent.mkdir()

    with suppress(UsageError):  # an absolute name in a tar becomes one in the folder
        fetch(asked(archive), code)

    assert not [p for p in tmp_path.rglob("out.txt") if code not in p.parents]
    assert not Path("/tmp/out.txt").exists()


# Chains of links that each lead in have led out (CVE-2025-4517).
@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "flow.py"])
@pytest.mark.parametrize("kind", ["a.tar.gz", "a.zip"])
def test_a_link_is_refused(tmp_path: Path, kind: str, target: str) -> None:
    pack: Callable[..., Path] = packed_zip if kind.endswith(".zip") else tar
    archive = pack(tmp_path / kind, link=("link", target))

    with pytest.raises(UsageError, match="cannot be unpacked: 'link' is a link"):
        fetch(asked(archive), tmp_path / "code")
    assert not (tmp_path / "code" / "link").exists()


@pytest.mark.parametrize("how", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "GNU"])
@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w"])
def test_a_header_as_long_as_memory_is_not_read(tmp_path: Path, how: int, mode: str) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, mode, format=how) as archive:  # type: ignore[call-overload]
        entry = tarfile.TarInfo("x" * 3 * 2**20)
        archive.addfile(entry)

    with pytest.raises(UsageError, match="cannot be unpacked: it holds a header that is too long"):
        fetch(asked(path), tmp_path / "code")


def test_a_large_file_and_a_long_name_are_no_long_header(tmp_path: Path) -> None:
    name = "/".join(["folder" * 30] * 5)

    fetch(asked(tar(tmp_path / "a.tgz", {name: "x" * 3 * 2**20, "flow.py": "code"})), tmp_path / "code")

    assert {name: len(text) for name, text in texts(tmp_path / "code").items()} == {
        name: 3 * 2**20,
        "flow.py": 4,
    }


@pytest.mark.parametrize("kind", ["a.tar.gz", "a.zip"])
def test_an_archive_that_grows_too_large_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_limits, "UNPACKED_LIMIT", 6)
    pack: Callable[..., Path] = packed_zip if kind.endswith(".zip") else tar

    with pytest.raises(UsageError, match="it holds more than 6 bytes"):
        fetch(asked(pack(tmp_path / kind)), tmp_path / "code")


def test_an_archive_that_is_too_large_to_fetch_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_limits, "PACKED_LIMIT", 100)

    with pytest.raises(UsageError, match="has more than 100 bytes"):
        fetch(asked(tar(tmp_path / "a.tar")), tmp_path / "code")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.rar", "its name must end in one of .tar.gz, .tgz, .tar, .zip"),
        ("none.zip", "cannot be fetched"),
    ],
)
def test_what_cannot_be_had_is_named(tmp_path: Path, name: str, words: str) -> None:
    source = Source(archive=ArchiveSource(uri=f"file://{tmp_path}/{name}", sha256="0" * 64))

    with pytest.raises(UsageError) as refused:
        fetch(source, tmp_path / "code")
    assert words in str(refused.value)
    assert name in str(refused.value)


def test_a_web_server_that_does_not_have_it_is_named(served: tuple[Path, str], tmp_path: Path) -> None:
    source = Source(archive=ArchiveSource(uri=f"{served[1]}/none.zip", sha256="0" * 64))

    with pytest.raises(UsageError, match=r"none\.zip.* cannot be fetched: HTTP Error 404"):
        fetch(source, tmp_path / "code")


SECRETS = ("hunter2", "signed-for-all")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("https://me:hunter2@example.com/a.zip", "holds credentials"),
        ("http://hunter2@example.com/a.zip", "holds credentials"),
        ("http://127.0.0.1:9/a.zip?X-Amz-Signature=signed-for-all", "cannot be fetched"),
        ("http://127.0.0.1:9/a.rar?X-Amz-Signature=signed-for-all", "its name must end in"),
        ("http://127.0.0.1:port/a.zip?X-Amz-Signature=signed-for-all", "cannot be fetched"),
    ],
)
def test_what_lets_somebody_in_is_never_told(tmp_path: Path, uri: str, words: str) -> None:
    source = Source(archive=ArchiveSource(uri=uri, sha256="0" * 64))

    with pytest.raises(UsageError, match=words) as refused:
        fetch(source, tmp_path / "code")
    assert not [secret for secret in SECRETS if secret in str(refused.value)]


def test_a_signed_address_works_and_is_not_told_where_the_hash_is_another(
    served: tuple[Path, str], tmp_path: Path
) -> None:
    folder, url = served
    archive = tar(folder / "a.tar.gz")
    uri = f"{url}/a.tar.gz?X-Amz-Signature=signed-for-all"

    with pytest.raises(UsageError, match="is not the hash of") as refused:
        fetch(Source(archive=ArchiveSource(uri=uri, sha256="0" * 64)), tmp_path / "other")
    assert "signed-for-all" not in str(refused.value)
    assert fetch(asked(archive, uri), tmp_path / "code").folder is not None


@given(
    st.sampled_from(["https", "s3", "az"]),
    st.from_regex(r"[a-z]{4,8}:[A-Z]{8,12}", fullmatch=True),
    st.from_regex(r"sig=[A-Z]{8,12}(&[a-z]+=[A-Z%/]{8})?", fullmatch=True),
    st.sampled_from(["{}", "reading {!r} failed", "<{}>: refused", "a {} b"]),
)
def test_an_address_in_any_text_is_shown_without_its_secrets(
    scheme: str, user: str, query: str, text: str
) -> None:
    told = shown(text.format(f"{scheme}://{user}@example.com/a.zip?{query}"))

    assert f"{scheme}://example.com/a.zip" in told
    assert not re.search("[A-Z]{8}", told)


def test_the_container_of_an_azure_address_is_no_credential() -> None:
    uri = "abfss://records@account.dfs.core.windows.net/a.zip"

    assert (shown(uri), has_credentials(uri)) == (uri, False)


@pytest.mark.parametrize("kind", ["a.tar.gz", "a.zip", "a.tar"])
def test_a_damaged_archive_is_named(tmp_path: Path, kind: str) -> None:
    pack: Callable[..., Path] = packed_zip if kind.endswith(".zip") else tar
    archive = pack(tmp_path / kind, {"flow.py": "code" * 1000})
    raw = bytearray(archive.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 20] = bytes(range(200, 220))
    archive.write_bytes(raw[: len(raw) - 30] if kind != "a.tar" else raw[:700])

    with pytest.raises(UsageError, match="cannot be unpacked"):
        fetch(asked(archive), tmp_path / "code")


def test_a_reply_that_breaks_off_is_named(tmp_path: Path) -> None:
    class Short(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"no size\r\n")

        def log_message(self, *_args: object) -> None:
            return

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Short) as server,
        serving(server),
    ):
        archive = ArchiveSource(uri=f"http://127.0.0.1:{server.server_port}/a.zip", sha256="0" * 64)
        with pytest.raises(UsageError, match="cannot be fetched"):
            fetch(Source(archive=archive), tmp_path / "code")


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no archive")

    with pytest.raises(UsageError, match=r"a\.zip.* cannot be unpacked"):
        fetch(asked(tmp_path / "a.zip"), tmp_path / "code")


def test_a_folder_that_is_not_mounted_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere' cannot be read"):
        fetch(Source(folder=str(tmp_path / "nowhere")), tmp_path / "code")

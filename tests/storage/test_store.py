"""Stores over folders: created once, never overwritten; errors that say what was tried and where."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from vaportrail.errors import RecordError, RecordNotFound, StoreUnsafe, UsageError
from vaportrail.storage.probe import probe
from vaportrail.storage.store import ObjectStore, is_remote, normalise_root, open_store


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "root"), create=True)


def test_what_is_created_is_there(store: ObjectStore) -> None:
    assert store.create("a/b", b"content")
    assert store.get("a/b") == b"content"
    assert store.size("a/b") == 7


def test_what_exists_is_not_created_again(store: ObjectStore) -> None:
    store.create("a", b"first")
    assert not store.create("a", b"second")
    assert store.get("a") == b"first"


def test_a_file_is_created_from_its_path(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"from a file")
    assert store.create("a", source)
    assert store.get("a") == b"from a file"


def test_of_eight_that_create_one_name_one_wins(store: ObjectStore) -> None:
    together = threading.Barrier(8)
    won: list[int] = []

    def create(number: int) -> None:
        together.wait()
        if store.create("a", b"%d" % number * 10_000):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.get("a") == b"%d" % won[0] * 10_000


@pytest.mark.parametrize(
    "read", [lambda s: s.get("no"), lambda s: list(s.chunks("no"))], ids=["get", "chunks"]
)
def test_reading_what_is_not_there_says_where(store: ObjectStore, read: object) -> None:
    assert callable(read)
    with pytest.raises(RecordNotFound, match=r"nothing stands at .*/root/no"):
        read(store)


def test_what_is_not_there_has_no_size_and_is_deleted_in_peace(store: ObjectStore) -> None:
    assert store.size("no") is None
    store.delete("no")


def test_what_is_deleted_is_gone(store: ObjectStore) -> None:
    store.create("a", b"x")
    store.delete("a")
    assert store.size("a") is None


def test_chunks_are_the_content(store: ObjectStore) -> None:
    content = bytes(range(256)) * 40_000
    store.create("a", content)
    assert b"".join(store.chunks("a")) == content


def test_a_stream_is_stored_whole(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"0123456789" * 2_000_000)
    store.put_stream("big", source, hashlib.sha256(source.read_bytes()).hexdigest())
    assert store.size("big") == 20_000_000


def test_a_stream_of_other_content_than_was_said_is_not_stored(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"0123456789" * 2_000_000)
    with pytest.raises(RecordError, match="the file behind a/big changed while it was being stored"):
        store.put_stream("a/big", source, hashlib.sha256(b"what it was").hexdigest())
    assert store.entries("") == []


@pytest.mark.parametrize("missing", [["no"], [], ["no", "neither"]])
def test_many_are_deleted_at_once_also_where_some_are_not_there(
    store: ObjectStore, missing: list[str]
) -> None:
    names = [f"a/{number}" for number in range(30)]
    for name in [*names, "kept"]:
        store.create(name, b"x")
    store.delete_all([*missing, *names])
    assert store.entries("") == [("kept", 1)]


def test_deleting_nothing_leaves_all(store: ObjectStore) -> None:
    store.create("kept", b"x")
    store.delete_all([])
    assert store.entries("") == [("kept", 1)]


def test_entries_are_all_below_a_folder_in_order(store: ObjectStore) -> None:
    for path in ("runs/b", "runs/a/x", "other/c", "runs2/d"):
        store.create(path, b"123")
    assert store.entries("runs") == [("runs/a/x", 3), ("runs/b", 3)]


def test_folders_are_those_directly_below_in_order(store: ObjectStore) -> None:
    for path in ("runs/b/1/deep", "runs/a/2", "runs/file", "other/c/1"):
        store.create(path, b"")
    assert store.folders("runs") == ["a", "b"]


def test_an_empty_folder_has_nothing(store: ObjectStore) -> None:
    assert (store.entries("no"), store.folders("no")) == ([], [])


def test_a_write_that_fails_says_what_was_tried(store: ObjectStore) -> None:
    store.create("a", b"a file")
    with pytest.raises(RecordError, match=r"cannot write .*/root/a/b: "):
        store.create("a/b", b"below a file")


def test_a_missing_folder_is_not_made_to_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecordNotFound, match="there is no folder"):
        open_store(str(tmp_path / "no"))
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("root", "normal"),
    [
        ("s3://bucket/prefix/", "s3://bucket/prefix"),
        ("s3://bucket", "s3://bucket"),
        ("gs://bucket/x", "gs://bucket/x"),
        ("az://container", "az://container"),
        ("file:///tmp/x", "/tmp/x"),
        ("/tmp/x/", "/tmp/x"),
        (Path("/tmp/x"), "/tmp/x"),
    ],
    ids=str,
)
def test_a_root_has_one_form(root: str | Path, normal: str) -> None:
    assert normalise_root(root) == normal
    assert normalise_root(normalise_root(root)) == normal


def test_a_relative_root_starts_at_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert normalise_root("runs") == str(tmp_path / "runs")


def test_a_root_may_start_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert normalise_root("~/runs") == str(tmp_path / "runs")


@pytest.mark.parametrize(
    "root", ["http://x/y", "ftp://x", "s3://", "s3:///key", "://x", "memory://x", "s3://[x"]
)
def test_a_root_of_another_kind_is_refused_with_those_that_are_taken(root: str) -> None:
    with pytest.raises(
        UsageError, match="is not a place that can hold records: use a folder or one of s3://"
    ):
        normalise_root(root)


@pytest.mark.parametrize(
    ("root", "remote"),
    [("s3://b/x", True), ("gs://b", True), ("/tmp/x", False), ("runs", False), ("file:///x", False)],
)
def test_a_uri_is_remote_and_a_folder_is_not(root: str, remote: bool) -> None:
    assert is_remote(root) is remote


class Fake:
    """A store in memory that may ignore the condition of a create."""

    def __init__(self, *, overwrites: bool = False, refuses: bool = False, breaks: bool = False) -> None:
        self.overwrites, self.refuses, self.breaks = overwrites, refuses, breaks
        self.content: dict[str, bytes] = {}

    def create(self, path: str, content: bytes | Path) -> bool:
        if self.breaks and path in self.content:
            raise RecordError("the line went dead")
        if self.refuses or (path in self.content and not self.overwrites):
            return False
        assert isinstance(content, bytes)
        self.content[path] = content
        return True

    def put_stream(self, path: str, source: Path, sha256: str) -> None:
        raise AssertionError("not asked for")

    def get(self, path: str) -> bytes:
        return self.content[path]

    def chunks(self, path: str) -> Iterator[bytes]:
        yield self.content[path]

    def entries(self, prefix: str) -> list[tuple[str, int]]:
        return []

    def folders(self, prefix: str) -> list[str]:
        return []

    def size(self, path: str) -> int | None:
        return len(self.content[path]) if path in self.content else None

    def delete(self, path: str) -> None:
        self.content.pop(path, None)

    def delete_all(self, paths: Sequence[str]) -> None:
        raise AssertionError("not asked for")


def test_a_store_that_refuses_a_second_write_passes_the_probe() -> None:
    fake = Fake()
    probe(fake, "spool/x")
    assert fake.content == {}


def test_a_folder_passes_the_probe(store: ObjectStore) -> None:
    probe(store, "spool/x")
    assert store.entries("spool") == []


def test_a_store_that_overwrites_is_refused_and_left_clean() -> None:
    fake = Fake(overwrites=True)
    with pytest.raises(StoreUnsafe, match="conditional writes"):
        probe(fake, "spool/x")
    assert fake.content == {}


def test_a_place_that_is_taken_is_told_as_that() -> None:
    with pytest.raises(RecordError, match="something stands at spool/x/probe already"):
        probe(Fake(refuses=True), "spool/x")


@pytest.mark.parametrize("name", ["notes#1", "artifacts/x#12", "with\nnewline"])
def test_a_folder_is_listed_with_every_name_there_is(store: ObjectStore, tmp_path: Path, name: str) -> None:
    path = Path(store.uri) / "below" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    assert store.entries("below") == [(f"below/{name}", 1)]


def test_a_link_to_nowhere_is_listed_too(store: ObjectStore) -> None:
    (Path(store.uri) / "dangling").symlink_to("nowhere")
    assert [path for path, _ in store.entries("")] == ["dangling"]


def test_a_probe_that_breaks_off_leaves_nothing_behind() -> None:
    fake = Fake(breaks=True)
    with pytest.raises(RecordError, match="went dead"):
        probe(fake, "spool/x")
    assert fake.content == {}

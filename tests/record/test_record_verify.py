"""`verify` finds whatever was done to a record after its seal, and names the file."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vaportrail.errors import RecordError, RecordNotFound, UnsupportedVersion
from vaportrail.record.manifest import hash_line
from vaportrail.record.reading.read import open_run
from vaportrail.record.verify import Verification, unfounded, verify
from vaportrail.storage.store import open_store

if TYPE_CHECKING:
    from tests.conftest import Sealed

SELF = {"manifest.json", "manifest.sha256"}
Position = Callable[[int], int]
POSITIONS: dict[str, Position] = {
    "first": lambda size: 0,
    "middle": lambda size: size // 2,
    "last": lambda size: size - 1,
}


def check(folder: Path) -> Verification:
    return verify(open_store(str(folder)), str(folder))


def named(folder: Path) -> set[str]:
    """Return the files that `verify` names."""
    return {problem.path for problem in check(folder).problems}


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def expected_names(name: str) -> set[str]:
    """A changed manifest and a changed hash look alike, so both are named."""
    return SELF if name in SELF else {name}


def flip(path: Path, at: int, mask: int = 0xFF) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= mask
    path.write_bytes(raw)


def named_with_byte_changed(folder: Path, name: str, at: int, mask: int = 0xFF) -> set[str]:
    """Change one byte, see what is named, and change it back."""
    flip(folder / name, at, mask)
    try:
        return named(folder)
    finally:
        flip(folder / name, at, mask)


def wrongly_named(folder: Path, position: Position) -> dict[str, set[str]]:
    """Return the files whose change was not told right, each with what was named instead."""
    told = {
        name: named_with_byte_changed(folder, name, position((folder / name).stat().st_size))
        for name in files(folder)
    }
    return {name: names for name, names in told.items() if names != expected_names(name)}


def test_a_sealed_record_is_whole(made: Sealed) -> None:
    assert check(made.folder).problems == []


def test_verify_counts_every_file_of_the_record(small: Sealed) -> None:
    assert check(small.folder).files == len(files(small.folder))


def test_verify_returns_the_hash_that_the_run_printed(small: Sealed) -> None:
    assert check(small.folder).sha256 == small.sha256


def test_the_small_record_has_files_of_every_kind(small: Sealed) -> None:
    # What the table tests below go through.
    kinds = {name.split("/")[0].split("-")[0] for name in files(small.folder)}

    assert kinds == {"artifacts", "files", "logs", "tasks", "traces", *SELF}


@pytest.mark.parametrize("position", POSITIONS.values(), ids=POSITIONS.keys())
def test_one_changed_byte_of_any_file_is_found_and_only_that_file_named(
    small_copy: Path, position: Position
) -> None:
    assert wrongly_named(small_copy, position) == {}


@pytest.mark.parametrize("position", POSITIONS.values(), ids=POSITIONS.keys())
def test_one_changed_byte_of_any_file_of_the_mnist_record_is_found(
    mnist: Sealed, tmp_path: Path, position: Position
) -> None:
    copy = tmp_path / "mnist"
    shutil.copytree(mnist.folder, copy)

    assert wrongly_named(copy, position) == {}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_any_byte_of_any_file_is_found(small_copy: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(files(small_copy)), label="file")
    at = data.draw(st.integers(0, (small_copy / name).stat().st_size - 1), label="offset")
    mask = data.draw(st.integers(1, 255), label="bits that change")

    assert named_with_byte_changed(small_copy, name, at, mask) == expected_names(name)


def test_each_file_that_is_removed_is_named(small_copy: Path) -> None:
    wrong = {}
    for name in files(small_copy):
        content = (small_copy / name).read_bytes()
        (small_copy / name).unlink()
        if name not in named(small_copy):
            wrong[name] = named(small_copy)
        (small_copy / name).write_bytes(content)

    assert wrong == {}


def test_each_file_that_is_removed_from_the_mnist_record_is_named(mnist: Sealed, tmp_path: Path) -> None:
    copy, away = tmp_path / "mnist", tmp_path / "away"
    shutil.copytree(mnist.folder, copy)
    wrong = {}
    for name in files(copy):
        (copy / name).rename(away)
        if named(copy) != {name}:
            wrong[name] = named(copy)
        away.rename(copy / name)

    assert wrong == {}


def test_each_file_that_is_emptied_is_named(small_copy: Path) -> None:
    wrong = {}
    for name in files(small_copy):
        content = (small_copy / name).read_bytes()
        (small_copy / name).write_bytes(b"")
        if named(small_copy) != expected_names(name):
            wrong[name] = named(small_copy)
        (small_copy / name).write_bytes(content)

    assert wrong == {}


def test_each_file_that_grew_by_a_byte_is_named(small_copy: Path) -> None:
    wrong = {}
    for name in files(small_copy):
        content = (small_copy / name).read_bytes()
        (small_copy / name).write_bytes(content + b"\n")
        if named(small_copy) != expected_names(name):
            wrong[name] = named(small_copy)
        (small_copy / name).write_bytes(content)

    assert wrong == {}


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        ".hidden",
        "a file.txt",
        "artifacts/notes.txt",
        "artifacts/" + 64 * "0",
        "logs-0002.jsonl.gz",
        "metrics-0001.jsonl.gz",
        "deeper/folder/file",
        "manifest.json.bak",
    ],
)
def test_a_file_that_is_added_is_named(small_copy: Path, name: str) -> None:
    (small_copy / name).parent.mkdir(parents=True, exist_ok=True)
    (small_copy / name).write_bytes(b"added")

    assert named(small_copy) == {name}


def test_two_files_that_change_places_are_both_named(small_copy: Path) -> None:
    first, second = sorted((small_copy / "artifacts").iterdir())[:2]
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)

    assert named(small_copy) == {f"artifacts/{first.name}", f"artifacts/{second.name}"}


def test_a_manifest_whose_hash_was_made_to_fit_still_names_the_file_it_lies_about(small_copy: Path) -> None:
    manifest = json.loads((small_copy / "manifest.json").read_bytes())
    lie = manifest["files"][0]
    lie["sha256"] = 64 * "0"
    raw = json.dumps(manifest).encode()
    (small_copy / "manifest.json").write_bytes(raw)
    (small_copy / "manifest.sha256").write_bytes(hash_line(raw))

    assert named(small_copy) == {lie["path"]}


def test_nothing_at_all_is_not_a_record(tmp_path: Path) -> None:
    with pytest.raises(RecordNotFound, match="there is no record"):
        check(tmp_path)


def test_sha256sum_agrees_with_the_record(small: Sealed) -> None:
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", "manifest.sha256"], cwd=small.folder, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (0, "manifest.json: OK\n")


def test_sha256sum_refuses_a_changed_manifest(small_copy: Path) -> None:
    flip(small_copy / "manifest.json", 100)

    done = subprocess.run(["sha256sum", "-c", "manifest.sha256"], cwd=small_copy, capture_output=True)

    assert done.returncode == 1


def with_schema(folder: Path, schema: object) -> None:
    """Rewrite the manifest as another version of the format would have written it."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    raw = json.dumps({**manifest, "schema": schema}).encode()
    (folder / "manifest.json").write_bytes(raw)
    (folder / "manifest.sha256").write_bytes(hash_line(raw))


@pytest.mark.parametrize("schema", ["2.0", "2.7", "10.0"])
def test_a_newer_major_version_is_not_read(small_copy: Path, schema: str) -> None:
    with_schema(small_copy, schema)

    with pytest.raises(UnsupportedVersion, match=rf"has format {schema}, .* upgrade"):
        open_run(str(small_copy))


def test_a_newer_major_version_is_not_verified(small_copy: Path) -> None:
    with_schema(small_copy, "2.0")

    [problem] = check(small_copy).problems

    assert problem.path == "manifest.json"
    assert "upgrade the package vaportrail" in problem.message


def test_a_newer_minor_version_is_read(small_copy: Path) -> None:
    with_schema(small_copy, "1.9")

    assert open_run(str(small_copy)).facts.schema_version == "1.9"


def test_what_a_newer_minor_version_adds_is_passed_over(small_copy: Path) -> None:
    manifest = json.loads((small_copy / "manifest.json").read_bytes())
    tasks = small_copy / "tasks-0001.jsonl.gz"
    rows = [json.loads(line) for line in gzip.decompress(tasks.read_bytes()).splitlines()]
    rows = [{"line": "weather", "task": "make-1"}, *({"colour": "blue", **row} for row in rows)]
    tasks.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode(), mtime=0))
    [named] = (file for file in manifest["files"] if file["path"] == tasks.name)
    named |= {"size": tasks.stat().st_size, "sha256": hashlib.sha256(tasks.read_bytes()).hexdigest()}
    raw = json.dumps({**manifest, "weather": "fine"}).encode()
    (small_copy / "manifest.json").write_bytes(raw)
    (small_copy / "manifest.sha256").write_bytes(hash_line(raw))

    assert check(small_copy).problems == []
    assert [task.id for task in open_run(str(small_copy)).tasks] == ["make-1", "double-1", "report-1"]


def test_a_signature_of_the_manifest_is_no_file_that_was_added(small_copy: Path) -> None:
    (small_copy / "manifest.sig").write_bytes(b"signed")

    assert check(small_copy).problems == []


def test_a_layout_that_is_not_known_is_not_read(small_copy: Path) -> None:
    manifest = json.loads((small_copy / "manifest.json").read_bytes())
    (small_copy / "manifest.json").write_text(json.dumps({**manifest, "layout": "columns"}))

    with pytest.raises(UnsupportedVersion, match=r"has format 1\.0, layout columns, .* upgrade"):
        open_run(str(small_copy))


def test_rows_that_are_not_the_sealed_ones_are_not_read(small_copy: Path) -> None:
    rows = small_copy / "tasks-0001.jsonl.gz"
    text = gzip.decompress(rows.read_bytes()).replace(b'"SUCCEEDED"', b'"FAILED"')
    rows.write_bytes(gzip.compress(text))
    run = open_run(str(small_copy))

    with pytest.raises(RecordError, match=r"tasks-0001\.jsonl\.gz was changed since the seal"):
        list(run.tasks)


GARBAGE = {
    "empty": b"",
    "not JSON": b"no manifest at all",
    "not UTF-8": b'{"schema": "1.0\xff"}',
    "cut": b'{"schema": "1.0", "run"',
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "no schema": b"{}",
    "schema not a version": b'{"schema": "one"}',
    "schema null": b'{"schema": null}',
    "schema only": b'{"schema": "1.0"}',
    "older major": b'{"schema": "0.9"}',
}


@pytest.mark.parametrize("raw", GARBAGE.values(), ids=GARBAGE.keys())
def test_a_manifest_that_is_none_is_not_read(small_copy: Path, raw: bytes) -> None:
    (small_copy / "manifest.json").write_bytes(raw)

    with pytest.raises(RecordError, match=r"manifest\.json is not a (valid )?manifest"):
        open_run(str(small_copy))


@pytest.mark.parametrize("raw", GARBAGE.values(), ids=GARBAGE.keys())
def test_a_manifest_that_is_none_is_named_though_its_hash_fits(small_copy: Path, raw: bytes) -> None:
    (small_copy / "manifest.json").write_bytes(raw)
    (small_copy / "manifest.sha256").write_bytes(hash_line(raw))

    assert named(small_copy) == {"manifest.json"}


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=200))
def test_no_bytes_in_place_of_a_manifest_make_verify_fail_in_another_way(
    small_copy: Path, raw: bytes
) -> None:
    (small_copy / "manifest.json").write_bytes(raw)
    (small_copy / "manifest.sha256").write_bytes(hash_line(raw))

    assert "manifest.json" in named(small_copy)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256"])
def test_a_head_that_no_memory_holds_is_named(small_copy: Path, name: str) -> None:
    with (small_copy / name).open("r+b") as file:
        file.truncate(2**42)

    assert named(small_copy) == {name}


def name_files(folder: Path, *lines: bytes) -> None:
    """Seal a record anew with other lines of its stored files."""
    sealed_anew(folder, "files-0001.jsonl.gz", b"".join(lines))


def sealed_anew(folder: Path, name: str, content: bytes, **more: object) -> None:
    (folder / name).write_bytes(gzip.compress(content))
    manifest = json.loads((folder / "manifest.json").read_text()) | more
    for file in manifest["files"]:
        raw = (folder / file["path"]).read_bytes()
        file |= {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    raw = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(raw)
    (folder / "manifest.sha256").write_bytes(hash_line(raw))


def test_of_a_record_that_names_any_number_of_files_a_few_are_kept(small_copy: Path) -> None:
    line = b'{"line":"file","path":"artifacts/%064x","size":0,"sha256":""}\n'
    gone = b'{"line":"damaged","path":"artifacts/%064x"}\n'
    name_files(small_copy, *(line % number for number in range(20_000)), *(gone % n for n in range(20_000)))

    found = check(small_copy)

    assert len(found.problems) < 10_100
    assert len(found.damaged) == 10_000
    assert "10000 more of its files are missing" in {problem.message for problem in found.problems}


def test_a_file_that_is_named_again_and_again_is_a_problem(small_copy: Path) -> None:
    name_files(small_copy, b'{"line":"file","path":"x","size":0,"sha256":""}\n' * 3)

    assert "one is there twice" in str(check(small_copy).problems)


def test_a_rebuild_finds_parameters_that_were_made_up_beside_the_manifest(small_copy: Path) -> None:
    rows = gzip.decompress((small_copy / "tasks-0001.jsonl.gz").read_bytes())
    forged = b'{"line":"section","name":"parameters","value":{"size":999}}\n'
    sealed_anew(small_copy, "tasks-0001.jsonl.gz", forged + rows, left_out={"parameters": 1})
    run = open_run(str(small_copy))
    assert run.manifest is not None
    assert run.parameters == {"size": 999}
    assert check(small_copy).ok

    assert {"left_out", "section"} <= set(unfounded(open_store(str(small_copy)), run.manifest))


@pytest.mark.parametrize("line", [b"[]", b"{}", b'{"line":[]}', b"nothing"])
def test_a_rebuild_of_lines_that_are_none_says_so(small_copy: Path, line: bytes) -> None:
    rows = gzip.decompress((small_copy / "tasks-0001.jsonl.gz").read_bytes())
    sealed_anew(small_copy, "tasks-0001.jsonl.gz", rows + line)
    manifest = open_run(str(small_copy)).manifest
    assert manifest is not None

    with pytest.raises(RecordError, match="does not say what it is of"):
        unfounded(open_store(str(small_copy)), manifest)


def test_a_section_that_is_none_is_said_to_be_none(small_copy: Path) -> None:
    line = b'{"line":"section","name":"timeline","value":5}\n'
    sealed_anew(small_copy, "tasks-0001.jsonl.gz", line, left_out={"timeline": 1})

    with pytest.raises(RecordError, match="a line of its timeline is not valid"):
        _ = open_run(str(small_copy)).facts.timeline


def test_a_size_that_no_file_has_is_said_to_be_none(small_copy: Path) -> None:
    line = (
        b'{"line":"artifact","task":"","attempt":0,"name":"n","kind":"file","path":"p","sha256":"","size":%b,'
    )
    line = line % (b"9" * 400) + b'"media_type":""}\n'
    sealed_anew(small_copy, "tasks-0001.jsonl.gz", line)

    with pytest.raises(RecordError, match="a line is not valid"):
        list(open_run(str(small_copy)).facts.artifacts)


def test_a_manifest_that_names_a_file_twice_is_a_problem(small_copy: Path) -> None:
    """One of the two has the right hash; a reader would show its lines twice."""
    manifest = json.loads((small_copy / "manifest.json").read_text())
    doubled = [{**manifest["files"][0], "sha256": "0" * 64}, *manifest["files"]]
    raw = json.dumps({**manifest, "files": doubled}).encode()
    (small_copy / "manifest.json").write_bytes(raw)
    (small_copy / "manifest.sha256").write_bytes(hash_line(raw))

    assert "names a file twice" in str(check(small_copy).problems)

"""`vaportrail verify`: every way that a record may not be whole, and what it says of those that are."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vaportrail.record.manifest import Manifest, hash_line
from vaportrail.record.rows import FileInfo

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.conftest import Sealed


def test_verify_of_a_whole_record_exits_with_zero(command: Command, small: Sealed) -> None:
    said = command("verify", small.folder)

    assert said.code == 0
    assert said.out.startswith("verified  12 files, ")
    assert said.out.rstrip().endswith(f"sha256:{small.sha256}")


@pytest.mark.parametrize("fixture", ["small", "failures", "mnist"])
def test_verify_rebuilds_the_manifest_from_the_otlp_files(
    command: Command, request: pytest.FixtureRequest, fixture: str
) -> None:
    made: Sealed = request.getfixturevalue(fixture)

    assert command("verify", made.folder, "--rebuild").code == 0


def test_verify_names_every_changed_file_and_exits_with_one(command: Command, small_copy: Path) -> None:
    told = {}
    for path in [path for path in small_copy.rglob("*") if path.is_file()]:
        before = path.read_bytes()
        path.write_bytes(bytes([before[0] ^ 1]) + before[1:])
        said = command("verify", small_copy)
        told[path.name] = (said.code, path.relative_to(small_copy).as_posix() in said.out)
        path.write_bytes(before)

    assert set(told.values()) == {(1, True)}


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256"])
def test_verify_names_manifest_and_hash_where_one_was_changed(
    command: Command, small_copy: Path, name: str
) -> None:
    content = (small_copy / name).read_bytes()
    # Not every hash has a 0.
    digit = b"0" if name == "manifest.json" else content[:1]
    (small_copy / name).write_bytes(content.replace(digit, b"1" if digit != b"1" else b"2"))
    said = command("verify", small_copy)

    assert [line.split(":")[0] for line in said.lines] == ["BROKEN  manifest.json", "BROKEN  manifest.sha256"]


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256", "logs-0001.jsonl.gz"])
def test_verify_names_a_file_that_was_removed(command: Command, small_copy: Path, name: str) -> None:
    (small_copy / name).unlink()
    said = command("verify", small_copy)

    assert said.code == 1
    assert f"BROKEN  {name}: is missing" in said.out


def test_verify_names_a_file_that_was_added(command: Command, small_copy: Path) -> None:
    (small_copy / "artifacts" / "added").write_text("")
    said = command("verify", small_copy)

    assert (said.code, len(said.lines)) == (1, 1)
    assert "artifacts/added" in said.out


def test_verify_as_json_says_where_and_what(command: Command, small: Sealed) -> None:
    assert json.loads(command("verify", small.folder, "--json").out) == {
        "uri": small.uri,
        "ok": True,
        "sha256": small.sha256,
        "problems": [],
    }


def test_verify_as_json_lists_what_is_wrong(command: Command, small_copy: Path) -> None:
    (small_copy / "traces-0001.jsonl.gz").unlink()
    said = json.loads(command("verify", small_copy, "--json").out)

    assert (said["ok"], said["problems"]) == (
        False,
        [{"path": "traces-0001.jsonl.gz", "message": "is missing"}],
    )


def test_verify_of_nothing_fails(command: Command, tmp_path: Path) -> None:
    (tmp_path / "vaportrail-runs").mkdir()

    assert command("verify", "nothing").code == 1


def test_verify_says_what_was_damaged_at_the_seal_and_is_no_part_of_the_record(
    command: Command, small_copy: Path
) -> None:
    manifest = Manifest.model_validate_json((small_copy / "manifest.json").read_bytes())
    path = small_copy / "files-0001.jsonl.gz"
    lost, *others = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    lines = [*others, {"line": "damaged", "path": lost["path"]}]
    content = gzip.compress("\n".join(map(json.dumps, lines)).encode(), mtime=0)
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    files = [file for file in manifest.files if file.path != path.name]
    files.append(FileInfo(path=path.name, size=len(content), sha256=digest))
    raw = manifest.model_copy(update={"files": files}).to_bytes()
    (small_copy / "manifest.json").write_bytes(raw)
    (small_copy / "manifest.sha256").write_bytes(hash_line(raw))
    (small_copy / lost["path"]).write_bytes(b"half of")
    said = command("verify", small_copy)

    assert said.code == 0
    assert said.lines[1:] == [f"not part of it: {lost['path']} was gone or damaged at the seal"]

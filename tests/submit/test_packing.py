"""A folder as an archive: only the code, the same bytes for the same files, at most once in the store."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from vaportrail.errors import UsageError
from vaportrail.storage.store import open_store
from vaportrail.submit import packing
from vaportrail.submit.packing import pack, upload


def write(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {path.name}\n")
    return folder


def packed(folder: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(pack(folder).content)) as archive:
        return {entry.name: entry for entry in archive}


def test_code_and_its_files_are_packed(tmp_path: Path) -> None:
    write(tmp_path, "pipeline.py", "lib/__init__.py", "lib/data.json")

    assert list(packed(tmp_path)) == ["lib/__init__.py", "lib/data.json", "pipeline.py"]


@pytest.mark.parametrize(
    "name",
    [
        ".git/config",
        ".venv/bin/python",
        "lib/__pycache__/a.pyc",
        "a.pyc",
        ".env",
        "lib/.env",
        "vaportrail-runs/runs/a/b/manifest.json",
        ".ipynb_checkpoints/a.ipynb",
    ],
)
def test_what_is_no_code_stays_here(tmp_path: Path, name: str) -> None:
    write(tmp_path, "pipeline.py", name)

    assert list(packed(tmp_path)) == ["pipeline.py"]


def test_what_git_ignores_stays_here(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    write(tmp_path, "pipeline.py", "keys.json", "new.py")
    (tmp_path / ".gitignore").write_text("keys.json\n")

    assert list(packed(tmp_path)) == [".gitignore", "new.py", "pipeline.py"]


def test_a_folder_within_a_work_tree_is_packed_alone(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    write(tmp_path, "outside.py", "code/pipeline.py")

    assert list(packed(tmp_path / "code")) == ["pipeline.py"]


def git(folder: Path, *words: str) -> None:
    """Call git as one who may commit, and may add a submodule from a folder."""
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


@pytest.fixture
def outer(tmp_path: Path) -> Path:
    """A repository with a pipeline, a submodule in which something is ignored, and a clone within that."""
    write(tmp_path / "lib", "a.py")
    (tmp_path / "lib" / ".gitignore").write_text("keys.json\n")
    outer = write(tmp_path / "outer", "pipeline.py")
    for folder in (tmp_path / "lib", outer):
        git(folder, "init")
        git(folder, "add", ".")
        git(folder, "commit", "-m", "first")
    git(outer, "submodule", "add", str(tmp_path / "lib"), "lib")
    git(outer, "clone", str(tmp_path / "lib"), "lib/deeper")
    write(outer, "lib/new.py", "lib/keys.json", "lib/deeper/keys.json")
    return outer


def test_submodules_and_clones_are_packed_by_what_their_own_git_ignores(outer: Path) -> None:
    lib = [".gitignore", "a.py", "deeper/.gitignore", "deeper/a.py", "new.py"]

    assert list(packed(outer)) == [".gitmodules", *(f"lib/{name}" for name in lib), "pipeline.py"]


def test_what_repositories_ignore_stays_here_also_in_a_folder_that_is_none(outer: Path) -> None:
    found = packed(outer.parent)

    assert {"lib/a.py", "outer/lib/deeper/a.py"} <= found.keys()
    assert not [name for name in found if name.endswith("keys.json")]


def test_a_clone_that_the_outer_git_ignores_stays_here(outer: Path) -> None:
    git(outer, "clone", str(outer.parent / "lib"), "elsewhere")
    (outer / ".gitignore").write_text("elsewhere\n")

    assert not [name for name in packed(outer) if name.startswith("elsewhere")]


def test_a_submodule_that_is_not_checked_out_adds_nothing(outer: Path) -> None:
    git(outer, "submodule", "deinit", "--force", "lib")

    assert list(packed(outer)) == [".gitmodules", "pipeline.py"]


def test_the_same_files_give_the_same_hash_wherever_and_whenever(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one", "b.py", "a.py"), write(tmp_path / "other", "a.py", "b.py")
    os.utime(other / "a.py", (1, 1))
    (other / "b.py").chmod(0o600)

    assert pack(one) == pack(other)


def test_another_content_another_name_or_a_program_gives_another_hash(tmp_path: Path) -> None:
    hashes = {pack(write(tmp_path / "one", "a.py")).sha256, pack(write(tmp_path / "two", "b.py")).sha256}
    (tmp_path / "one" / "a.py").write_text("other\n")
    hashes.add(pack(tmp_path / "one").sha256)
    (tmp_path / "one" / "a.py").chmod(0o755)
    hashes.add(pack(tmp_path / "one").sha256)

    assert len(hashes) == 4


def test_a_link_to_a_file_is_packed_as_the_file(tmp_path: Path) -> None:
    write(tmp_path, "a.py")
    (tmp_path / "b.py").symlink_to("a.py")

    assert [entry.isfile() for entry in packed(tmp_path).values()] == [True, True]


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "lib/a.py")
    (tmp_path / "more").symlink_to("lib")

    with pytest.raises(UsageError, match="more is a link to a folder"):
        pack(tmp_path)


def test_a_link_to_a_folder_that_git_ignores_stays_here(outer: Path) -> None:
    (outer / ".gitignore").write_text("result\n")
    (outer / "result").symlink_to("/usr/share")

    assert "result" not in packed(outer)


def test_a_link_to_a_repository_is_refused_as_one_to_any_folder(outer: Path) -> None:
    (outer / "me").symlink_to(".")

    with pytest.raises(UsageError, match="me is a link to a folder"):
        pack(outer)


def test_a_broken_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").symlink_to("nowhere")

    with pytest.raises(UsageError, match=r"a\.py is neither a file nor a link to one"):
        pack(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no file; give the folder of the code"):
        pack(tmp_path)


def test_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "LIMIT", 2**20)
    (tmp_path / "data.bin").write_bytes(b"0" * (2**20 + 1))

    with pytest.raises(UsageError, match=r"holds 1 MiB.*at most 1 MiB: data belongs in the bucket"):
        pack(tmp_path)


def test_an_archive_is_uploaded_once(tmp_path: Path) -> None:
    archive = pack(write(tmp_path / "code", "a.py"))
    store = open_store(str(tmp_path / "root"), create=True)

    assert [upload(archive, store), upload(archive, store)] == [True, False]
    assert store.get(f"sources/{archive.sha256}.tar.gz") == archive.content

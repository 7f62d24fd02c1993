"""What is slow to build is built once for the same inputs, and never taken for whole when it is not."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from e2e.cluster.cache import building, cache_root, kept, key_of


def test_the_same_files_have_the_same_key_wherever_they_lie(tmp_path: Path) -> None:
    for place in ("one", "other"):
        (tmp_path / place / "part").mkdir(parents=True)
        (tmp_path / place / "part" / "go.mod").write_text("module part")

    assert key_of([tmp_path / "one" / "part"]) == key_of([tmp_path / "other" / "part"])


@pytest.mark.parametrize("change", ["byte", "name", "mode", "new file", "extra"])
def test_any_change_makes_another_key(tmp_path: Path, change: str) -> None:
    folder = tmp_path / "part"
    folder.mkdir()
    file = folder / "go.mod"
    file.write_text("module part")
    before = key_of([folder])

    if change == "byte":
        file.write_text("module cart")
    elif change == "name":
        file.rename(folder / "go.sum")
    elif change == "mode":
        file.chmod(0o755)
    elif change == "new file":
        (folder / "main.go").touch()

    assert key_of([folder], extra="flags" if change == "extra" else "") != before


def test_compiled_python_changes_no_key(tmp_path: Path) -> None:
    before = key_of([tmp_path])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "module.pyc").touch()

    assert key_of([tmp_path]) == before


def test_a_missing_input_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        key_of([tmp_path / "missing"])


def test_what_is_there_is_not_built_again(tmp_path: Path) -> None:
    target = tmp_path / "part-1"
    with building(target) as part:
        assert part
        part.write_text("built")

    with building(target) as part:
        assert part is None

    assert target.read_text() == "built"


def test_a_build_that_fails_leaves_nothing_that_looks_built(tmp_path: Path) -> None:
    target = tmp_path / "part-1"

    def fail() -> None:
        with building(target) as part:
            assert part
            part.mkdir()
            (part / "half").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


def test_two_at_a_time_build_once(tmp_path: Path) -> None:
    target = tmp_path / "part-1"
    built: list[bool] = []
    began, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with building(target) as part:
            assert part
            began.set()
            go_on.wait(10)
            part.write_text("first")
            built.append(True)

    def second() -> None:
        began.wait(10)
        go_on.set()
        with building(target) as part:
            built.append(part is not None)

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert (built, target.read_text()) == ([True, False], "first")


def test_only_the_latest_generations_are_kept(tmp_path: Path) -> None:
    for age, key in enumerate("abcd"):
        path = tmp_path / f"part-{key * 16}"
        path.mkdir()
        os.utime(path, (1000 - age, 1000 - age))

    kept(tmp_path, "part", generations=2)

    assert {path.name for path in tmp_path.iterdir()} == {f"part-{'a' * 16}", f"part-{'b' * 16}"}


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("E2E_CACHE", str(tmp_path))

    assert cache_root() == tmp_path

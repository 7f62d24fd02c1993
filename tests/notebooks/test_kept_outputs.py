"""A notebook's kept file is bounded, and says what it leaves out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nbformat import from_dict
from nbformat.v4 import new_output

from vaportrail.notebooks import kept_outputs
from vaportrail.notebooks.kept_outputs import KeptOutputs
from vaportrail.telemetry.redact import redactor


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"msg_type": "stream", "content": {"name": name, "text": text}}


def shown(data: Any, kind: str = "display_data", display_id: str = "") -> dict[str, Any]:
    transient = {"display_id": display_id} if display_id else {}
    return {"msg_type": kind, "content": {"data": data, "metadata": {}, "transient": transient}}


def notebook(cells: int = 1) -> Any:
    code = {"cell_type": "code", "source": "", "execution_count": 1, "metadata": {}, "outputs": []}
    return from_dict({"cells": [code] * cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


def test_what_is_small_is_kept_as_it_is() -> None:
    kept = KeptOutputs()
    messages = [stream("a\n"), shown({"text/plain": "1"}), {"msg_type": "status", "content": {}}]

    assert [kept.message(msg, 0) for msg in messages] == messages


def test_what_a_cell_prints_is_kept_up_to_its_limit_and_the_rest_is_told() -> None:
    kept, found = KeptOutputs(), notebook()
    size = 1 << 18
    texts = [kept.message(stream("x" * size), 0) for _ in range(100)]
    whole = sum(len(msg["content"]["text"]) for msg in texts if msg is not None)
    kept.tell(found)
    (told,) = found.cells[0].outputs

    assert kept_outputs.STREAM_LIMIT - size < whole <= kept_outputs.STREAM_LIMIT
    assert told.name == "stdout"
    assert f"{100 * size - whole} more characters of stdout are not kept here" in told.text


def test_many_small_prints_are_bounded_too() -> None:
    kept = KeptOutputs()
    found = [kept.message(stream("."), 0) for _ in range(20_000)]

    assert sum(msg is not None for msg in found) < kept_outputs.STREAM_LIMIT // 256


def test_other_cells_have_room_of_their_own_until_the_notebook_has_none() -> None:
    kept = KeptOutputs()
    text = "x" * (kept_outputs.STREAM_LIMIT - 1000)
    found = [kept.message(stream(text), cell) for cell in range(100)]

    assert found[0] == found[1] == stream(text)
    assert sum(len(msg["content"]["text"]) for msg in found if msg) <= kept_outputs.NOTEBOOK_LIMIT


def test_an_output_that_is_too_large_is_replaced_by_a_text_that_says_so() -> None:
    kept = KeptOutputs()
    found = kept.message(shown({"image/png": "x" * kept_outputs.OUTPUT_LIMIT}), 0)

    assert found is not None
    assert list(found["content"]["data"]) == ["text/plain"]
    assert "(image/png) is too large to be kept" in found["content"]["data"]["text/plain"]
    assert kept.dropped == 1


def test_an_output_that_is_updated_counts_once() -> None:
    kept = KeptOutputs()
    page = {"text/html": "x" * (8 << 20)}
    first = kept.message(shown(page, display_id="bar"), 0)
    updates = [kept.message(shown(page, "update_display_data", "bar"), 0) for _ in range(50)]

    assert first is not None
    assert all(msg is not None and msg["content"]["data"] == page for msg in updates)
    assert kept.dropped == 0


def test_what_is_cleared_gives_its_room_back() -> None:
    kept = KeptOutputs()
    for _ in range(50):
        assert kept.message(stream("x" * (1 << 19)), 0) is not None
        kept.message({"msg_type": "clear_output", "content": {"wait": True}}, 0)
    found = notebook()
    kept.tell(found)

    assert found.cells[0].outputs == []


def test_a_traceback_that_is_too_large_is_not_kept() -> None:
    content = {"ename": "E", "evalue": "x" * (2 << 20), "traceback": ["x" * (2 << 20)]}
    found = KeptOutputs().message({"msg_type": "error", "content": content}, 0)

    assert found is not None
    assert kept_outputs._size(found) < 2000


SECRET = "hunter2-hunter2-hunter2"


def kept_of(texts: list[str], *, between: bool = False) -> str:
    """Return what is kept of texts that one cell prints, without secrets."""
    kept, found = KeptOutputs(redactor({"API_TOKEN": SECRET})), notebook()
    for text in texts:
        msg = kept.message(stream(text), 0)
        if msg is not None:
            found.cells[0].outputs.append(new_output("stream", **msg["content"]))
        if between:
            found.cells[0].outputs.append(new_output("display_data", {"text/plain": "a"}))
    kept.tell(found)
    return "".join(each.get("text", "") for each in found.cells[0].outputs)


@pytest.mark.parametrize("before", range(len(SECRET) + 1))
@pytest.mark.parametrize("between", [False, True])
def test_a_secret_in_which_the_limit_lies_leaves_no_beginning(before: int, between: bool) -> None:
    room = kept_outputs.STREAM_LIMIT - 256
    rest = f"{SECRET} and {100 * 'more '}"
    found = kept_of(["." * (room - before) + rest], between=between)
    kept = SECRET if before == len(SECRET) else ""

    assert found.startswith("." * (room - before) + kept + "\n[")
    assert f"{len(rest) - len(kept)} more characters" in found


def test_a_secret_leaves_none_where_the_limit_lies_between_two_messages() -> None:
    room = kept_outputs.STREAM_LIMIT - 256
    found = kept_of(["." * (room - 8) + SECRET[:8], SECRET[8:12], SECRET[12:] + " and more"])

    assert found.startswith("." * (room - 8) + "\n[")
    assert f"{len(SECRET) + 9} more characters of stdout are not kept" in found


def test_texts_that_follow_each_other_are_one_in_which_a_secret_is_found() -> None:
    kept, found = KeptOutputs(), notebook()
    found.cells[0].outputs = [
        new_output("stream", name="stdout", text=SECRET[:5]),
        new_output("stream", name="stdout", text=SECRET[5:]),
        new_output("stream", name="stderr", text="a complaint"),
        new_output("stream", name="stdout", text="end"),
    ]
    kept.tell(found)

    assert [each.text for each in found.cells[0].outputs] == [SECRET, "a complaint", "end"]


def test_nothing_is_kept_of_a_stream_behind_what_was_left_out_of_it() -> None:
    kept = KeptOutputs()
    fills = "x" * (kept_outputs.STREAM_LIMIT - 1000)
    for cell in range(70):
        kept.message(stream(fills), cell)
    assert kept.message(stream("no room"), 70) is None
    kept.message({"msg_type": "clear_output", "content": {"wait": True}}, 0)

    assert kept.message(stream("room again"), 70) is None
    assert kept.message(stream("room"), 71) is not None


def test_a_message_of_an_exception_is_cut_behind_a_secret() -> None:
    content = {"ename": "E", "evalue": "x" * 990 + SECRET, "traceback": ["x" * (2 << 20)]}
    found = KeptOutputs(redactor({"API_TOKEN": SECRET})).message({"msg_type": "error", "content": content}, 0)

    assert found is not None
    assert "hunter2" not in found["content"]["evalue"]


PRINTS_MUCH = """\
# %%
import sys
for _ in range(200):
    sys.stdout.write("x" * 99 + "\\n" * 1)
    sys.stdout.write(("y" * 99 + "\\n") * 10_000)
"""
# A process of its own, so that its memory is its own.
ATTEMPT = """
import resource, sys
from pathlib import Path
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.notebooks.run_notebook import run_notebook
from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope
from vaportrail.telemetry.active_recorder import install

here = str(Path.cwd())
settings = RunSettings(RunIdentity("0" * 32, "p", "p", 1), here, here, "record")
install(settings, "worker")
set_attempt_scope(AttemptScope("t-1", "t", 1, "1" * 16, None, here + "/scratch"), settings)
run_notebook(Path("nb.py").absolute(), Path("nb.py").read_text(), dict())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.fixture(scope="module")
def much(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The folder of an attempt whose cell printed 200 MB, and how many MiB its process took at most."""
    folder = tmp_path_factory.mktemp("much")
    (folder / "nb.py").write_text(PRINTS_MUCH)
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPT], cwd=folder, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return folder, int(done.stdout)


def test_a_cell_that_prints_much_leaves_a_small_file_and_all_its_lines_in_the_log(
    much: tuple[Path, int],
) -> None:
    folder, _ = much
    files = sorted((folder / "record" / "artifacts").iterdir(), key=lambda path: path.read_bytes()[:1])
    logged = sum(path.read_bytes().count(b"y" * 99) for path in folder.glob("cells-*.spool"))

    assert all(path.stat().st_size < 2 * kept_outputs.STREAM_LIMIT for path in files)
    assert b"more characters of stdout are not kept here" in files[1].read_bytes()
    assert logged == 2_000_000


def test_its_worker_does_not_hold_it_several_times(much: tuple[Path, int]) -> None:
    # What the kernel sends faster than it is read waits in the socket, once.
    assert much[1] < 200 + 500

"""Nothing of a record acts on the terminal of who reads it, whichever command does, and piped neither."""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vaportrail.cli
from hostile_record import HOSTILE, write_hostile
from vaportrail.cli.screen import json_text, plain, say, style, text_lines
from vaportrail.record.manifest import Manifest

if TYPE_CHECKING:
    from tests.conftest import Sealed

OWN_COLOURS = re.compile(rb"\x1b\[(0|1|2|31|32|33|36)m")
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
FORGED = re.compile(r"^(00:00:00 SUCCEEDED|overwritten)", re.MULTILINE)
EVERY = """\
import sys
from vaportrail.cli.main import main
for args in {commands!r}:
    try:
        main(args)
    except SystemExit as ended:
        print("ended with", ended.code, flush=True)
"""


@pytest.fixture(scope="module")
def root(small: Sealed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record root with a hostile record, a spool that is hostile, and one of each that is damaged."""
    root = tmp_path_factory.mktemp("hostile")
    _, changed = write_hostile(root / "runs" / "small" / "20300101T000000Z-hostile0", small.run)
    assert len(changed) > 50
    odd = root / "runs" / "small" / f"20300102T000000Z-{HOSTILE[:5]}"
    odd.mkdir()
    (odd / "manifest.json").write_text(json.dumps({"schema": f"7{HOSTILE}"}))
    spool = root / "spool" / small.spool.name
    shutil.copytree(small.spool, spool)
    (spool / "sealed").unlink()
    settings = json.loads((spool / "run.json").read_text())
    settings["root"] = str(root)
    settings["identity"] |= {"name": HOSTILE, "entrypoint": HOSTILE, "tags": {HOSTILE: HOSTILE}}
    (spool / "run.json").write_text(json.dumps(settings))
    broken = root / "spool" / f"broken{HOSTILE[:5]}"
    broken.mkdir()
    (broken / "run.json").write_text(json.dumps({HOSTILE: HOSTILE}))
    return root


def commands(root: Path, target: Path) -> list[list[str]]:
    given = HOSTILE.replace("\x00", "")  # which no argument can hold
    record = str(root / "runs" / "small" / "20300101T000000Z-hostile0")
    at = ["--record", str(root)]
    return [
        ["ls", *at],
        ["ls", *at, "--json"],
        ["show", record],
        ["show", record, "--json"],
        ["show", "hostile0", *at],
        ["show", given, *at],
        ["logs", record],
        ["logs", record, "--json"],
        ["logs", record, "--task", given],
        ["verify", record],
        ["verify", record, "--rebuild"],
        ["verify", record, "--json"],
        ["export", "mermaid", record],
        ["export", "mermaid", "--gantt", record],
        ["export", "tree", record, "-o", str(target)],
        ["watch", record],
        ["watch", record, "--json"],
        ["seal", *at],
        ["seal", "--all", *at],
        ["seal", "--all", *at, "--into", given],
        ["cancel", given, "--context", given],
        ["submit", given],
        ["run", given],
        [given],
    ]


def on_a_terminal(script: str, cwd: Path) -> bytes:
    """Return what a Python script sends to its terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    sent = b""
    try:
        while piece := os.read(ours, 65536):
            sent += piece
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0, sent.decode(errors="replace")[-3000:]
    return sent


def check(sent: bytes, count: int) -> None:
    text = OWN_COLOURS.sub(b"", sent).decode().replace("\r\n", "\n")
    assert text.count("ended with") == count, text[-3000:]
    assert CONTROLS.findall(text) == []
    assert FORGED.findall(text) == []
    assert "Traceback (most recent call last):\n  File" not in text
    assert "\\x1b]0;title\\x07" in text
    assert "\\u202e" in text


def test_no_command_sends_a_terminal_what_a_record_holds(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "root")
    every = commands(tmp_path / "root", tmp_path / "tree")

    check(on_a_terminal(EVERY.format(commands=every), tmp_path), len(every))


def test_no_command_sends_it_through_a_pipe_either(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "root")
    every = commands(tmp_path / "root", tmp_path / "tree")
    script = EVERY.format(commands=every)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, timeout=600)

    assert OWN_COLOURS.search(done.stdout + done.stderr) is None
    check(done.stdout + done.stderr, len(every))


def test_a_text_of_every_field_of_a_manifest_is_tried(small: Sealed, tmp_path: Path) -> None:
    made, changed = write_hostile(tmp_path / "record", small.run)
    tried = {tuple(step for step in path if isinstance(step, str)) for path in changed}

    assert {
        ("run", "name"),
        ("tasks", "name"),
        ("attempts", "failure", "traceback"),
        ("counts", "loss_reasons"),
    } <= tried
    assert isinstance(made, Manifest)


# What is shown


@pytest.mark.parametrize("number", [*range(32), *range(0x7F, 0xA0), 0x202E, 0x2066, 0x200E, 0x061C, 0xD800])
def test_a_character_that_acts_on_a_terminal_is_shown(number: int) -> None:
    shown = plain(f"a{chr(number)}b")

    assert shown.isascii()
    assert shown.isprintable()
    assert shown.startswith("a\\")


def test_text_is_left_as_it_is() -> None:
    assert plain("größer – 数 🙂 a\\b") == "größer – 数 🙂 a\\b"


def test_json_that_is_shown_means_the_same() -> None:
    text = json.dumps({HOSTILE: [HOSTILE, 1]}, ensure_ascii=False)

    assert json.loads(json_text(text)) == json.loads(text)
    assert CONTROLS.search(json_text(text)) is None


def test_further_lines_of_a_text_do_not_begin_where_ours_do() -> None:
    assert text_lines("one\n12:00:00 two\n") == ["one", "    12:00:00 two"]


def test_a_text_cannot_colour_itself(capsys: pytest.CaptureFixture[str]) -> None:
    marked = style("ours", fg="red")
    say(marked.replace("ours", "\x1b[31m"))
    say(re.sub("[0-9a-f]{16}", "0" * 16, marked))

    first, second = capsys.readouterr().out.splitlines()
    assert first == "\\x1b[31m"
    assert "\x1b" not in second


def test_few_modules_of_the_command_line_write_to_the_terminal() -> None:
    """Whoever prints something asks the screen."""
    writers = {
        "print",
        "click.echo",
        "click.secho",
        "sys.stdout.write",
        "sys.stderr.write",
        "self._out.write",
    }
    found = set()
    for path in Path(vaportrail.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in writers:
                found.add(path.name)
    # Progress goes to a stream that it is given, as the screen would show it;
    # the runner's own traceback goes to its pod's log.
    assert found == {"screen.py", "progress.py", "runner_command.py"}

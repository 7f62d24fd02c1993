"""What the command line says of its own words repeats them without the secrets of its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vaportrail.cli.screen import say, say_text

if TYPE_CHECKING:
    from tests.cli.conftest import Command

SECRET = "hunter2'hunter2"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", SECRET)


@pytest.mark.parametrize(
    "words",
    [
        [SECRET],
        [f"--{SECRET}"],
        ["ls", "-n", SECRET],
        ["show", "one", SECRET],
        ["watch", SECRET, "--record", "records", "--timeout", "0"],
    ],
)
def test_a_refused_command_line_repeats_no_secret(command: Command, words: list[str]) -> None:
    said = command(*words)

    assert said.code
    assert "[redacted:API_TOKEN]" in said.err
    assert "hunter2" not in said.out + said.err


@pytest.mark.parametrize("tell", [say, say_text])
def test_what_is_said_beside_an_answer_holds_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tell: object
) -> None:
    monkeypatch.setenv("PEM_SECRET", "first line\nsecond line")
    assert callable(tell)
    tell(f"warning: {SECRET}", err=True)
    tell("it said: first line\nsecond line", err=True)

    assert capsys.readouterr().err == "warning: [redacted:API_TOKEN]\nit said: [redacted:PEM_SECRET]\n"

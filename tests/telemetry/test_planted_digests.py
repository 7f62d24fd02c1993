"""Digests of secrets as somebody may have planted them: refused, or bounded in what they cost."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from vaportrail.telemetry.redact import Redactor
from vaportrail.telemetry.secret_digests import (
    DIGESTS_LIMIT,
    WITHHELD,
    SecretDigests,
    Withheld,
    read_digests,
    write_digests,
)

DIGEST = "0" * 32


def planted(*secrets: list[Any], key: str = "00" * 16) -> SecretDigests | None:
    return read_digests(json.dumps({"format": 1, "key": key, "secrets": list(secrets)}).encode())


@pytest.mark.parametrize(
    "entry",
    [
        ["l", float("inf"), DIGEST, "x"],
        ["l" * 8, 10**12, DIGEST, "x"],
        ["l" * 8, 2**31, DIGEST, "x"],
        ["l" * 8, "8", DIGEST, "x"],
        ["l" * 8, True, DIGEST, "x"],
        ["l", 30_000, DIGEST, "x"],
        ["l" * 8, 7, DIGEST, "x"],
        ["", 0, DIGEST, "x"],
        ["l" * 8, 8, DIGEST, ["x"]],
        ["l" * 8, 8, 1, "x"],
        [["l"], 8, DIGEST, "x"],
    ],
    ids=str,
)
def test_an_entry_that_no_process_of_ours_writes_is_refused(entry: list[Any]) -> None:
    assert planted(entry) is None


@pytest.mark.parametrize("key", ["", "00" * 100, "zz", "00"])
def test_a_key_of_another_size_is_refused(key: str) -> None:
    assert planted(["l" * 8, 8, DIGEST, "x"], key=key) is None


def test_more_kinds_and_bytes_than_an_environment_gives_are_refused() -> None:
    assert planted(*(["l" * 8, 8 + number, DIGEST, "x"] for number in range(5000))) is None
    good = json.dumps({"format": 1, "key": "00" * 16, "secrets": []}).encode()
    assert read_digests(good) is not None
    assert read_digests(good + b" " * DIGESTS_LIMIT) is None


def test_a_line_that_takes_too_much_work_is_withheld_at_once() -> None:
    entries = [["lu" * 4, 30_000 + number, DIGEST, "x"] for number in range(4)]
    secrets = planted(*entries)
    assert secrets is not None

    begun = time.process_time()
    text = secrets("aB" * 32_000)

    assert text == WITHHELD
    assert time.process_time() - begun < 5


def test_a_ruler_is_looked_at_once_and_replaced_as_one_where_it_holds_a_secret() -> None:
    # Looked at in each of its places, either would be too much work for a line.
    ruler = "x" * 2**20
    secrets = planted(["l" * 8, 100, DIGEST, "<other>"])
    assert secrets is not None
    assert secrets(f"{ruler} end") == f"{ruler} end"

    digest = hashlib.blake2b(b"x" * 100, key=bytes(16), digest_size=16).hexdigest()
    secrets = planted(["l" * 8, 100, digest, "<it>"])
    assert secrets is not None
    assert secrets(f"{ruler} end") == "<it> end"


@pytest.mark.parametrize("secret", ["hunter2", "x", "long-" * 200, "ß€\n😀 and more"])
def test_what_is_written_is_read_and_found_wherever_it_stands(tmp_path: Path, secret: str) -> None:
    path = tmp_path / "w.digests"
    write_digests(path, Redactor({secret: "<it>"}))
    secrets = read_digests(path.read_bytes())

    assert secrets is not None
    assert secrets(secret) == "<it>"
    assert secrets(f"a{secret}b {secret}") == "a<it>b <it>"
    assert secrets(secret[:-1]) == secret[:-1]


def test_all_of_a_process_whose_secrets_are_not_known_is_withheld() -> None:
    withheld = Withheld()

    assert (withheld("hunter2"), withheld("")) == (WITHHELD, "")
    assert list(withheld.find("hunter2")) == [(0, 7)]

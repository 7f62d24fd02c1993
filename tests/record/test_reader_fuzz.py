"""Readers and the seal on records that are changed field by field, a fresh seed each time."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from record_fuzz import Fuzz

if TYPE_CHECKING:
    from tests.conftest import Sealed


def test_no_changed_record_stops_a_reader_or_the_seal(small: Sealed, tmp_path: Path) -> None:
    fuzz = Fuzz(small.spool, small.folder, tmp_path, secrets.randbelow(2**32))
    print(f"seed {fuzz.seed}")

    fuzz.run(5000)

    print(fuzz.summary())
    assert fuzz.counts["sound"] * 2 >= fuzz.counts["records"]

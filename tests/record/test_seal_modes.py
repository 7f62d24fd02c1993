"""Who can read a record once it is sealed: by the umask, until its user says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.record.conftest import Unsealed


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_record_that_its_user_closed_by_hand_stays_closed_when_it_is_sealed_again(
    unsealed: Unsealed, tmp_path: Path
) -> None:
    (tmp_path / "usual").mkdir()
    unsealed.record.chmod(0o700)

    unsealed.seal()
    assert mode(unsealed.record) == mode(tmp_path / "usual")

    unsealed.record.chmod(0o700)
    unsealed.seal()
    assert mode(unsealed.record) == 0o700

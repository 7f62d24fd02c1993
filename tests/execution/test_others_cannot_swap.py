"""Where other users may write to the folder of records, none of them can put his own in a run's place."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import RecordError, SpoolError
from vaportrail.execution import run as run_module
from vaportrail.execution.prepare import keep_to_oneself
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.storage import layout
from vaportrail.telemetry.recorder import Recorder

UID = "0f0e0d0c-0b0a-4009-8807-060504030201"


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[RunSettings]:
    before = os.umask(0)
    root = tmp_path / "root"
    identity = RunIdentity(UID, "p", "n", 1_700_000_000_000_000_000)
    yield RunSettings(identity, str(root / "spool" / UID), str(root), layout.run_path(identity))
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_that_others_may_write_to_are_sticky_and_files_are_the_users_own(
    settings: RunSettings,
) -> None:
    keep_to_oneself(settings)
    spool, record = Path(settings.spool), Path(settings.record_uri)
    with run_module._recorded(settings, {}):
        assert [mode(spool / name) for name in (layout.RUN_FILE, layout.LOCK)] == [0o600, 0o600]
        assert (mode(spool), mode(record)) == (0o700, 0o700)
        for shared in (spool.parent, record.parent, record.parents[1], Path(settings.root)):
            assert mode(shared) == 0o1777


def test_a_spool_of_another_user_is_neither_written_to_nor_sealed(
    settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_module._recorded(settings, {}):
        pass
    other = os.geteuid() + 1
    monkeypatch.setattr("os.geteuid", lambda: other)

    with pytest.raises(SpoolError, match="another user's"):
        Recorder(settings, "worker")
    with pytest.raises(RecordError, match="belongs to user"):
        seal_spool(Path(settings.spool))

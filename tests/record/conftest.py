"""What several tests of the record need: each run in turn, and spools that may be damaged."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.record.begun import begun_recorder
from tests.record.clusters import Cluster, cluster_of, ship

from vaportrail.contract.run_identity import RunSettings
from vaportrail.record.seal.execute_plan import SealResult
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.telemetry.recorder import Recorder

if TYPE_CHECKING:
    from tests.conftest import Sealed

SEALED_AT = 1_900_000_000_000_000_000


@dataclass(frozen=True)
class Unsealed:
    """A copy of a run as it was just before its seal: the spool, and the artifacts in its record."""

    spool: Path
    record: Path

    def file(self, role: str, suffix: str = "spool") -> Path:
        """Return a file of the only writer of a role."""
        [found] = self.spool.glob(f"{role}-*.{suffix}")
        return found

    def lines(self, role: str) -> list[bytes]:
        """Return a writer's lines, its header first."""
        return self.file(role).read_bytes().splitlines(keepends=True)

    def write(self, role: str, lines: list[bytes]) -> None:
        """Replace a writer's lines."""
        self.file(role).write_bytes(b"".join(lines))

    def seal(self, now: int = SEALED_AT) -> SealResult:
        return seal_spool(self.spool, clock=lambda: now, keep_spool=True)

    def contents(self) -> dict[str, bytes]:
        """Return every file of the record by its path."""
        found = sorted(path for path in self.record.rglob("*") if path.is_file())
        return {path.relative_to(self.record).as_posix(): path.read_bytes() for path in found}


Unseal = Callable[..., Unsealed]


@pytest.fixture
def unseal(tmp_path: Path) -> Unseal:
    """Copies a kept spool to a root of its own as if it had never been sealed, its plan taken out or not."""
    number = itertools.count()

    def copy(made: Sealed, *, plan: bool = False) -> Unsealed:
        root = tmp_path / f"unsealed-{next(number)}"
        spool = root / "spool" / made.spool.name
        shutil.copytree(made.spool, spool)
        (spool / "sealed").unlink()
        if not plan:
            (spool / "seal-plan.json").unlink()
        settings: dict[str, Any] = json.loads((spool / "run.json").read_text())
        settings |= {"root": str(root), "spool": str(spool)}
        (spool / "run.json").write_text(json.dumps(settings))
        record = Path(RunSettings.from_json(json.dumps(settings)).record_uri)
        shutil.copytree(made.folder / "artifacts", record / "artifacts")
        return Unsealed(spool, record)

    return copy


@pytest.fixture
def unsealed(small: Sealed, unseal: Unseal) -> Unsealed:
    """The small run before its seal was planned."""
    return unseal(small)


@pytest.fixture
def planned(small: Sealed, unseal: Unseal) -> Unsealed:
    """The small run after its seal was planned and before it was carried out."""
    return unseal(small, plan=True)


@pytest.fixture(params=["small", "failures", "mnist"])
def made(request: pytest.FixtureRequest) -> Sealed:
    """Each of the runs in turn."""
    found: Sealed = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def unshipped(unsealed: Unsealed, tmp_path: Path) -> Cluster:
    return cluster_of(unsealed, str(tmp_path / "root"))


@pytest.fixture
def cluster(unsealed: Unsealed, unshipped: Cluster) -> Cluster:
    """The small run, shipped."""
    ship(unsealed, unshipped)
    return unshipped


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    """A runner's recorder that has said how its run began."""
    return begun_recorder(tmp_path)

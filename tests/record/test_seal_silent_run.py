"""A run that is silent for long shows that it lives, by parts that change nothing in its record."""

from __future__ import annotations

import gzip
import os
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.record.clusters import Cluster, files

from otlp_server import collector_server
from vaportrail.errors import RunActive
from vaportrail.record.seal.expected import Expected
from vaportrail.record.seal.parts import live_part_records
from vaportrail.record.seal.parts_plan import standing_plan
from vaportrail.record.seal.unsealed_runs import QUIET_SECONDS, check_quiet
from vaportrail.shipper.files import SpoolFolder
from vaportrail.shipper.otlp_http import HttpCollector
from vaportrail.shipper.shipper import LONGEST_SILENCE, Shipper

if TYPE_CHECKING:
    from tests.record.conftest import Unsealed

SIGNS = 4


class Pod:
    """A pod in which all is written already, and that then lives on for a while, its clock ahead."""

    def __init__(self, unsealed: Unsealed, cluster: Cluster) -> None:
        self._folder, self._cluster = unsealed.spool.parent, cluster
        self._looks = self._now = 0.0
        self.parts: list[str] = []
        self.signs: list[str] = []

    def ship(self) -> None:
        with (
            collector_server(self._store) as server,
            closing(HttpCollector(server.url, "token", 10)) as collector,
        ):
            shipper = Shipper(
                SpoolFolder(self._folder), collector,
                unix_nano=time.time_ns, monotonic=lambda: self._now,
                wait=self._wait, chance=lambda: 0.5, say=lambda line: None, drain_seconds=1e9,
            )  # fmt: skip
            assert shipper.run() == 0

    def _store(self, name: str, raw: bytes) -> None:
        self._cluster.put(name, raw)
        (self.signs if self._looks > 1 and not self._ending else self.parts).append(name)

    @property
    def _ending(self) -> bool:
        return self._looks > 1 + SIGNS

    def _wait(self, seconds: float) -> bool:
        if seconds:
            self._looks += 1
            self._now += LONGEST_SILENCE
        return self._ending


@pytest.fixture
def silent(unsealed: Unsealed, unshipped: Cluster) -> Pod:
    pod = Pod(unsealed, unshipped)
    pod.ship()
    return pod


def test_each_silence_leaves_one_small_part(silent: Pod, unshipped: Cluster) -> None:
    sizes = [len(gzip.decompress(unshipped.store.get(f"{unshipped.prefix}{name}"))) for name in silent.signs]

    assert len(sizes) == SIGNS
    assert max(sizes) < 2000


def test_the_record_is_the_same_with_signs_of_life_and_without(
    silent: Pod, unshipped: Cluster, tmp_path: Path
) -> None:
    other = Cluster(str(tmp_path / "other"), unshipped.settings)
    for path, _ in unshipped.store.entries(""):
        if path.rpartition("/")[2] not in silent.signs:
            other.store.create(path, unshipped.store.get(path))
    with_signs, without = unshipped.seal(), other.seal()

    assert (with_signs.loss, with_signs.sha256) == ("None", without.sha256)
    assert files(unshipped.store, "runs") == files(other.store, "runs")


def test_whoever_watches_sees_nothing_in_a_sign_of_life(silent: Pod, unshipped: Cluster) -> None:
    parts = [f"{unshipped.prefix}{name}" for name in silent.signs]

    assert [list(live_part_records(unshipped.store, path)) for path in parts] == [[]] * SIGNS


def test_the_plan_names_signs_of_life_and_they_are_cleared_away(silent: Pod, unshipped: Cluster) -> None:
    answer = unshipped.seal()

    assert answer.late_parts == 0
    assert standing_plan(unshipped.store, Expected(unshipped.settings, None)) is None
    assert not Path(unshipped.root, "spool").exists()


@pytest.mark.parametrize(("age", "alive"), [(LONGEST_SILENCE, True), (QUIET_SECONDS, False)])
def test_a_sign_of_life_is_one(silent: Pod, unshipped: Cluster, age: float, alive: bool) -> None:
    now = time.time_ns()
    for name in (*silent.parts, *silent.signs):
        os.utime(Path(unshipped.root, unshipped.prefix, name), ns=(0, now - 3600 * 10**9))
    newest = Path(unshipped.root, unshipped.prefix, silent.signs[-1])
    os.utime(newest, ns=(0, now - int(age * 1e9)))

    if alive:
        with pytest.raises(RunActive, match=f"its newest part is {age:.0f} s old"):
            check_quiet(unshipped.settings, now)
    else:
        check_quiet(unshipped.settings, now)

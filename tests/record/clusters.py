"""A cluster's run for the tests of its seal: a record root, as the run's collector left it."""

from __future__ import annotations

import itertools
import json
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from otlp_server import collector_server
from vaportrail.contract.pod_messages import SealReport, SealRequest
from vaportrail.contract.run_identity import RunSettings
from vaportrail.record.manifest import Manifest
from vaportrail.record.reading.read import open_run
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.seal.cluster_seal import seal_run
from vaportrail.record.versions.any_version import read_manifest
from vaportrail.shipper.__main__ import SpoolFolder
from vaportrail.shipper.otlp_http import HttpCollector
from vaportrail.shipper.shipper import Shipper
from vaportrail.storage.store import ObjectStore, open_store

if TYPE_CHECKING:
    from tests.record.conftest import Unsealed

SEALED_AT = 1_900_000_000_000_000_000


class Cluster:
    """A record root with the parts of one run in it, as its collector left them."""

    def __init__(self, root: str, settings: RunSettings) -> None:
        self.root = root
        self.settings = replace(settings, root=root, spool=f"/vaportrail/spool/{settings.identity.uid}")
        self.store: ObjectStore = open_store(root, create=True)
        self.prefix = f"spool/{settings.identity.uid}/"
        self.store.create(f"{self.prefix}run.json", self.settings.to_json().encode())

    def put(self, name: str, content: bytes) -> None:
        self.store.create(f"{self.prefix}{name}", content)

    def parts(self) -> list[str]:
        return [path for path, _ in self.store.entries(self.prefix) if path.endswith("gz")]

    def request(self, **more: Any) -> SealRequest:
        return SealRequest(identity=self.settings.identity, root=self.root, path=self.settings.path, **more)

    def seal(self, **more: Any) -> SealReport:
        return seal_run(self.request(**more), clock=lambda: SEALED_AT)

    @property
    def run(self) -> Run:
        return open_run(self.settings.record_uri)

    @property
    def manifest(self) -> Manifest:
        return read_manifest(open_store(self.settings.record_uri).get("manifest.json"), "it")

    def replace(self, path: str, content: bytes) -> None:
        self.store.delete(path)
        self.store.create(path, content)


def ship(unsealed: Unsealed, cluster: Cluster, *, drained: bool = True) -> None:
    """Ship a spool as a pod's shipper does; undrained it follows only until all was sent once."""
    with (
        collector_server(cluster.put) as server,
        closing(HttpCollector(server.url, "token", 10)) as collector,
    ):
        waits = itertools.count()

        def wait(seconds: float) -> bool:
            if not drained and seconds and next(waits):
                raise InterruptedError
            return drained

        shipper = Shipper(
            SpoolFolder(unsealed.spool.parent),
            collector,
            unix_nano=time.time_ns, monotonic=time.monotonic,
            wait=wait, chance=lambda: 0.5, say=lambda line: None, drain_seconds=50,
        )  # fmt: skip
        try:
            assert shipper.run() == 0
        except InterruptedError:
            assert not drained


def cluster_of(unsealed: Unsealed, root: str) -> Cluster:
    settings = RunSettings.from_json((unsealed.spool / "run.json").read_text())
    cluster = Cluster(root, settings)
    record = open_store(cluster.settings.record_uri, create=True)
    for path in (unsealed.record / "artifacts").iterdir():
        record.create(f"artifacts/{path.name}", path)
    return cluster


def plain(run: Run, *but: str) -> Any:
    """Return all that a run's record says as JSON, but for some of its parts."""
    return {key: part for key, part in json.loads(run.facts.to_json()).items() if key not in but}


def files(store: ObjectStore, prefix: str) -> dict[str, bytes]:
    return {path: store.get(path) for path, _ in store.entries(prefix)}

"""Following a run in its record root: what its collector has stored since the last look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from vaportrail.cluster.events import Event, read_event
from vaportrail.contract import RunSettings
from vaportrail.errors import RecordNotFound
from vaportrail.record.otlp import Record
from vaportrail.record.parts import live_part_records, spool_prefix
from vaportrail.storage import layout
from vaportrail.storage.store import Store

__all__ = ["Follower", "live_runs"]

_SIGNALS: Final = ("traces", "logs")


def live_runs(store: Store) -> Iterator[RunSettings]:
    """Yield the runs below a record root that are not sealed yet."""
    for uid in store.folders(f"{layout.SPOOL}/"):
        with suppress(RecordNotFound, ValueError):
            yield RunSettings.from_json(store.get(f"{spool_prefix(uid)}{layout.RUN_FILE}").decode())


class Follower:
    """Reads each stored part of a run once, and tells each record's event once.

    Args:
        store: the record root.
        settings: the run.
    """

    def __init__(self, store: Store, settings: RunSettings) -> None:
        self._store = store
        self._settings = settings
        self._sizes: dict[str, int] = {}
        self._seen: set[tuple[str, int]] = set()

    def sealed(self) -> bool:
        """Return whether the record stands."""
        return self._store.size(f"{self._settings.path}/{layout.MANIFEST}") is not None

    def look(self) -> list[Event]:
        """Return what is new, in the order it happened; what comes with a later look may be older."""
        events = [event for record in self._new_records() if (event := read_event(record)) is not None]
        return sorted(events, key=lambda event: event.time)

    def _new_records(self) -> Iterator[Record]:
        prefix = spool_prefix(self._settings.identity.uid)
        for path, size in self._store.entries(prefix):
            # A part may grow: some collectors write one file.
            if not path.removeprefix(prefix).startswith(_SIGNALS) or self._sizes.get(path) == size:
                continue
            with suppress(RecordNotFound):  # the sealer is clearing up
                for record in live_part_records(self._store, path):
                    if record.identity not in self._seen:
                        self._seen.add(record.identity)
                        yield record
                self._sizes[path] = size

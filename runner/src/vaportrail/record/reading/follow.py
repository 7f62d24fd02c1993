"""Following a run in its record root: what its collector has stored since the last look."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Final

from vaportrail.contract.otlp_signals import BY_KIND
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import RecordError, RecordNotFound
from vaportrail.record.numbers_seen import NumbersSeen
from vaportrail.record.otlp_lines import Record
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.reading.run_events import RunEvent, read_events
from vaportrail.record.seal.parts import live_part_records, spool_prefix
from vaportrail.record.settings import stored_settings
from vaportrail.record.verify import sealed_records
from vaportrail.storage import layout
from vaportrail.storage.interruptible import side_by_side
from vaportrail.storage.store import Store, is_outage, open_store
from vaportrail.telemetry import conventions as c

__all__ = ["Follower", "live_runs"]

_SIGNALS: Final = (BY_KIND["T"].file, BY_KIND["L"].file)
"""Those that events are read from."""


def live_runs(store: Store) -> Iterator[RunSettings]:
    """Yield the runs below a record root that are not sealed yet."""
    for uid in store.folders(f"{layout.SPOOL}/"):
        try:
            yield stored_settings(store, uid)
        except RecordError as error:
            # One that is damaged hides no other.
            if is_outage(error):
                raise


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
        self._seen = NumbersSeen()

    def sealed(self) -> bool:
        """Return whether the record stands."""
        return self._store.size(f"{self._settings.path}/{layout.MANIFEST}") is not None

    def poll(self) -> list[RunEvent]:
        """Return what is new, in the order it happened; what comes with a later look may be older.

        A look that the store fails has told nothing: the next one tells it.
        """
        prefix = spool_prefix(self._settings.identity.uid)
        # A part may grow: some collectors write one file.
        new = [
            (path, size)
            for path, size in self._store.entries(prefix)
            if path.removeprefix(prefix).startswith(_SIGNALS) and self._sizes.get(path) != size
        ]
        parts = side_by_side(self._part, [path for path, _ in new])
        self._sizes.update(new)
        return self._events(record for part in parts for record in part)

    def rest(self, run: Run) -> list[RunEvent]:
        """Return what the sealed record holds that no look has told: the sealer clears the parts away."""
        assert run.manifest is not None
        store = open_store(run.uri)
        return self._events(sealed_records(store, run.manifest, *_SIGNALS, unreadable=run.problems.append))

    def _part(self, path: str) -> list[Record]:
        try:
            return list(live_part_records(self._store, path))
        except RecordNotFound:  # the sealer is clearing up: the record has it
            return []

    def _events(self, records: Iterable[Record]) -> list[RunEvent]:
        events: list[RunEvent] = []
        new = NumbersSeen()
        for record in records:
            key = _key(record)
            if key not in self._seen and new.add(*key):
                events += read_events(record)
        self._seen.update(new)
        return sorted(events, key=lambda event: event.time)


def _key(record: Record) -> tuple[Hashable, int]:
    """Return what is the same of a record wherever it is read, and of no other."""
    named = record.attributes
    if c.STREAM_OFFSET in named and c.LEDGER_WRITER in named:
        # Output of a process that died: a shipper's record in a part, the sealer's own in the record.
        return (named[c.LEDGER_WRITER], named[c.LOG_IOSTREAM]), named[c.STREAM_OFFSET]
    return record.identity

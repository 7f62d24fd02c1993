"""A run of a cluster that is not sealed, as its collector has stored it so far: its records and facts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain
from typing import Final

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import RecordNotFound, RunActive
from vaportrail.record.facts import FactsBuilder
from vaportrail.record.numbers_seen import NumbersSeen
from vaportrail.record.otlp_lines import Record
from vaportrail.record.run_facts import Facts
from vaportrail.record.seal.completion import Completion
from vaportrail.record.seal.parts import live_part_records, part_paths, spool_prefix
from vaportrail.record.seal.spool_plan import SealPlan
from vaportrail.record.seal.unsealed_runs import check_quiet
from vaportrail.storage.interruptible import side_by_side
from vaportrail.storage.store import open_store

__all__ = ["seal_command", "still_arrives", "stored_facts", "stored_records"]

_AT_ONCE: Final = 8
"""Parts that are in memory."""
_SHORT: Final = 18
"""Characters of a UUID of version 7 that hold all of its time, and so tell runs apart."""


def stored_records(settings: RunSettings) -> Iterator[Record]:
    """Yield what lies in a run's parts, each record once, as far as it can be read now."""
    store = open_store(settings.root)

    def read(path: str) -> list[Record]:
        try:
            return list(live_part_records(store, path))
        except RecordNotFound:  # the sealer is clearing up
            return []

    seen = NumbersSeen()
    paths = part_paths(store, spool_prefix(settings.identity.uid))
    for first in range(0, len(paths), _AT_ONCE):
        for record in chain.from_iterable(side_by_side(read, paths[first : first + _AT_ONCE])):
            if seen.add(*record.identity):
                yield record


def stored_facts(settings: RunSettings) -> Facts:
    """Return what a run's parts amount to; where the run's own start has not arrived, its settings tell."""
    builder = FactsBuilder()
    for record in stored_records(settings):
        builder.take(record)
    if not builder.begun:
        for record in _start(settings):
            builder.take(record)
    facts = builder.build()
    if facts.verdict.outcome is not Outcome.UNFINISHED or still_arrives(settings):
        return facts
    message = f"nothing more arrives; if its pods are gone, seal what there is: {seal_command(settings)}"
    return facts.with_verdict(message=message)


def still_arrives(settings: RunSettings) -> bool:
    """Return whether the run may still be alive, as far as its parts tell."""
    try:
        check_quiet(settings, time.time_ns())
    except RunActive:
        return True
    return False


def seal_command(settings: RunSettings) -> str:
    """Return the command that seals the run."""
    return f"vaportrail seal {settings.identity.uid[:_SHORT]} --record {settings.root}"


def _start(settings: RunSettings) -> Iterator[Record]:
    plan = SealPlan(
        settings=settings,
        sealed_at_unix_nano=settings.identity.created_unix_nano,
        writers=[],
        lost=[],
        artifacts=[],
    )
    return Completion(plan).start()

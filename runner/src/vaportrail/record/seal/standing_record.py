"""A record that stands already where a run is to be sealed: answered from only if it can be a sealer's."""

from __future__ import annotations

from typing import Final

from vaportrail.errors import RecordError, SealConflict
from vaportrail.record.manifest import Manifest
from vaportrail.record.run_facts import Facts
from vaportrail.record.seal.execute_plan import SealResult
from vaportrail.record.seal.expected import Expected, check_record
from vaportrail.record.seal.parts_plan import PartsPlan
from vaportrail.record.sealed_lines import row_blocks
from vaportrail.record.sound import Unsound
from vaportrail.record.times import rfc3339
from vaportrail.record.verify import Verification, verify
from vaportrail.storage import layout
from vaportrail.storage.store import ObjectStore, is_outage

__all__ = ["standing_record"]

_LARGEST: Final = 4 * 2**20
"""Bytes of a manifest that is looked at: sealers of today make 256 KiB at most."""


def standing_record(record: ObjectStore, expected: Expected, plan: PartsPlan | None) -> SealResult | None:
    """Return the record that stands, or None where none does.

    All of its files are read, as `verify` reads them, and what it says is held against what was asked for.

    Args:
        record: the store, opened at the record's own folder.
        expected: what was asked for.
        plan: the one that was fixed, where it is known: the record must be of its time.

    Raises:
        SealConflict: something stands there that no sealer of this run has made.
        RecordError: the store does not hand it out.
    """
    size = record.size(layout.MANIFEST)
    if size is None:
        return None
    if size > _LARGEST:
        raise _conflict(expected, f"it has {size} bytes")
    # What a killed process left beside a whole record is no part of it.
    record.discard_unfinished(layout.RECORD_FILE)
    found = verify(record, expected.settings.record_uri)
    for problem in found.problems:
        if problem.unread:
            raise RecordError(f"the record that stands cannot be read: {problem.message}")
    manifest = _sound(found, expected)
    try:
        check_record(Facts(manifest, lambda: row_blocks(record, manifest)), expected)
        if plan is not None and manifest.sealed != (fixed := rfc3339(plan.sealed_at_unix_nano)):
            raise Unsound(f"it was sealed by the plan of {manifest.sealed}, not by that of {fixed}")
    except Unsound as error:
        raise _conflict(expected, error) from error
    except RecordError as error:
        if is_outage(error):
            raise
        raise _conflict(expected, error) from error
    return SealResult(manifest, found.sha256)


def _sound(found: Verification, expected: Expected) -> Manifest:
    if found.manifest is not None and not found.problems:
        return found.manifest
    other = found.manifest.run.uid if found.manifest else expected.settings.identity.uid
    if other != expected.settings.identity.uid:
        raise _conflict(expected, f"it is of run {other[:60]}, not of {expected.settings.identity.uid}")
    first = found.problems[0]
    more = f", and {len(found.problems) - 1} more" if len(found.problems) > 1 else ""
    raise _conflict(expected, f"{first.path} {first.message}{more}")


def _conflict(expected: Expected, why: object) -> SealConflict:
    return SealConflict.at(layout.MANIFEST, why, f"nothing of {expected.settings.record_uri} was overwritten")

"""Who is told of the outcome of every call."""

from __future__ import annotations

from typing import Protocol

from vaportrail_operator.acting.sweep import Found
from vaportrail_operator.observation.entries import Entry, ObjectKey
from vaportrail_operator.planning.types import Refusal, SecretState, SweepResult

__all__ = ["CacheUpdates"]


class CacheUpdates(Protocol):
    """What is told at once of the outcome of a call: the next plan need not wait for the watch."""

    def put(self, entry: Entry) -> bool:
        """Take in an object; returns whether it is new."""

    def get(self, object_key: ObjectKey) -> Entry | None:
        """Return what is known of the object at a place."""

    def drop(self, object_key: ObjectKey, uid: str, version: str = "") -> bool:
        """Take in that an object is gone for good, by a version if that is known; whether it is new."""

    def mark_deleting(self, object_key: ObjectKey, uid: str) -> bool:
        """Take in that a deletion was accepted; returns whether that is new."""

    def replace_of_run(self, run: ObjectKey, run_uid: str, found: Found) -> None:
        """Take in all that there is of a run."""

    def made(self, run_uid: str) -> frozenset[str]:
        """Return the uids of what this process made for a run."""

    def note_made(self, run_uid: str, uid: str) -> bool:
        """Remember the uid of an object that was made for a run; returns whether that is new."""

    def set_secret(self, run_uid: str, state: SecretState) -> None:
        """Remember what became of a run's Secret."""

    def set_refusal(self, run_uid: str, refusal: Refusal | None) -> bool:
        """Remember what of a run could not be made, or that nothing is refused; whether new."""

    def set_sweep_result(self, run_uid: str, sweep_result: SweepResult) -> None:
        """Remember a live look for what is left of a run."""

"""Whatever users do with runs of one name: once all is deleted, the world is as it was before.

A few sequences, the same each time; `make explore` lives 2,000 that are drawn anew.
"""

from __future__ import annotations

from runtime.joined_sequences import Asked, explored, wrong_with
from vaportrail.contract.outcome import Outcome

_HANGS = Asked({}, None, (("Running", "cancel"), ("Releasing", "delete"), ("Sealing", "label")))


def test_what_was_done_is_undone_once_all_is_deleted() -> None:
    found = explored(25, 0)
    assert found.sequences >= 25
    assert found.runs > found.sequences
    assert found.wrong == []


def test_a_run_of_the_same_name_follows_one_that_was_deleted_at_work() -> None:
    deleted = Asked({}, None, (("Running", "delete in the foreground"),))
    again = Asked({}, Outcome.SUCCEEDED, ())
    assert wrong_with((deleted, _HANGS, again)) == []

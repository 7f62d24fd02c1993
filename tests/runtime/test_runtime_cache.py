"""What the cache takes in, in whatever order it is told."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail_operator.observation.entries import Entry, ObjectKey, entry_of
from vaportrail_operator.observation.runs import KeptRun
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import Refusal, SecretState, SweepResult
from vaportrail_operator.runtime.cache import Cache, Key

RUN = "run-uid"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Told:
    """A cache with a clock of the test's own, and what it told."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.time = 0.0
        self.cache = Cache(lambda: self.time, self.keys.append)


@pytest.fixture
def told() -> Told:
    return Told()


def service(version: int | str, uid: str = "one", name: str = "it", run: str = RUN) -> Entry:
    labels = {"vaportrail.dev/run-uid": run, "vaportrail.dev/run": "mnist"}
    metadata = {
        "name": name,
        "namespace": "team",
        "uid": uid,
        "resourceVersion": str(version),
        "labels": labels,
    }
    entry = entry_of(Kind.SERVICE, {"metadata": metadata})
    assert entry is not None
    return entry


def run(version: int, uid: str = RUN, **status: Any) -> Entry:
    metadata = {"name": "mnist", "namespace": "team", "uid": uid, "resourceVersion": str(version)}
    spec = {
        "pipeline": "p",
        "entrypoint": "m:p",
        "image": "example.invalid/i",
        "record": {"uri": "s3://runs/ml"},
    }
    entry = entry_of(Kind.RUN, {"metadata": metadata, "spec": spec, "status": status})
    assert entry is not None
    return entry


PLACE = ObjectKey(Kind.SERVICE, "team", "it")


def test_what_is_new_of_a_child_is_told_by_its_runs_name(told: Told) -> None:
    told.cache.put(service(1), from_watch=True)
    told.cache.put(service(1), from_watch=True)
    told.cache.put(service(2), from_watch=True)
    assert told.keys == [("team", "mnist")] * 2


def test_an_older_word_does_not_replace_a_newer_one(told: Told) -> None:
    told.cache.put(service(10))
    assert not told.cache.put(service(9), from_watch=True)
    assert told.cache.get(PLACE) == service(10)


def test_versions_are_compared_as_numbers(told: Told) -> None:
    told.cache.put(service(9))
    assert told.cache.put(service(10))
    assert told.cache.get(PLACE) == service(10)


def test_of_versions_that_are_no_numbers_the_last_counts(told: Told) -> None:
    told.cache.put(service("b"))
    told.cache.put(service("a"))
    assert told.cache.get(PLACE) == service("a")


def test_an_object_that_is_gone_does_not_come_back_by_a_late_word(told: Told) -> None:
    told.cache.put(service(5), from_watch=True)
    told.cache.drop(PLACE, "one", "8")
    assert not told.cache.put(service(7))
    assert told.cache.get(PLACE) is None


def test_an_object_whose_end_has_no_version_does_not_come_back_by_an_older_word(told: Told) -> None:
    told.cache.put(service(5), from_watch=True)
    told.cache.drop(PLACE, "one")
    assert not told.cache.put(service(5))
    assert told.cache.get(PLACE) is None


def test_an_object_that_is_gone_before_it_was_known_does_not_come_back(told: Told) -> None:
    told.cache.drop(PLACE, "one", "8")
    assert not told.cache.put(service(7))


def test_an_object_that_was_wrongly_taken_for_gone_comes_back_by_its_next_change(told: Told) -> None:
    told.cache.put(service(5), from_watch=True)
    told.cache.drop(PLACE, "one")
    assert told.cache.put(service(6), from_watch=True)
    assert told.cache.get(PLACE) == service(6)


def test_an_object_that_was_wrongly_taken_for_gone_comes_back_by_a_later_list(told: Told) -> None:
    told.cache.put(service(5), from_watch=True)
    told.cache.drop(PLACE, "one")
    told.cache.replace_all(Kind.SERVICE, None, [service(5)], "8")
    assert told.cache.get(PLACE) == service(5)


def test_a_list_that_is_older_than_an_objects_end_does_not_bring_it_back(told: Told) -> None:
    told.cache.put(service(5), from_watch=True)
    told.cache.drop(PLACE, "one", "9")
    told.cache.replace_all(Kind.SERVICE, None, [service(5)], "8")
    assert told.cache.get(PLACE) is None


def test_what_is_of_a_kind_that_was_not_served_for_a_while_is_known_again(told: Told) -> None:
    told.cache.put(service(5))
    told.cache.drop_all(Kind.SERVICE)
    assert told.cache.get(PLACE) is None
    assert told.cache.put(service(5), from_watch=True)


def test_another_object_of_the_same_name_takes_the_place_of_the_old_one(told: Told) -> None:
    told.cache.put(service(5, "one"))
    told.cache.put(service(6, "two"))
    told.cache.drop(PLACE, "one")
    assert told.cache.get(PLACE) == service(6, "two")
    assert not told.cache.put(service(5, "one"))


def test_the_children_of_a_run_are_found_by_its_uid(told: Told) -> None:
    told.cache.put(service(1, "one", "a"))
    told.cache.put(service(2, "two", "b"))
    told.cache.put(service(3, "three", "c", run="another"))
    told.cache.put(run(4))
    told.cache.drop(ObjectKey(Kind.SERVICE, "team", "a"), "one")
    assert [entry.object_key.name for entry in told.cache.children(RUN)] == ["b"]


def test_a_complete_list_takes_away_what_it_lacks(told: Told) -> None:
    told.cache.put(service(1, "one", "a"))
    told.cache.put(service(2, "two", "b"))
    told.cache.replace_all(Kind.SERVICE, None, [service(2, "two", "b")], "8")
    assert [entry.object_key.name for entry in told.cache.children(RUN)] == ["b"]


def test_a_complete_list_leaves_what_is_newer_than_it(told: Told) -> None:
    told.cache.put(service(9, "made meanwhile"))
    told.cache.replace_all(Kind.SERVICE, None, [], "8")
    assert told.cache.get(PLACE) is not None


@pytest.mark.parametrize(("kind", "scope"), [(Kind.POD, None), (Kind.SERVICE, "elsewhere")])
def test_a_list_of_something_else_takes_nothing_away(told: Told, kind: Kind, scope: str | None) -> None:
    told.cache.put(service(1))
    told.cache.replace_all(kind, scope, [], "8")
    assert told.cache.get(PLACE) is not None


def test_the_watch_owes_what_a_reply_told_until_it_says_so(told: Told) -> None:
    told.cache.put(service(5))
    told.time = 30.0
    assert told.cache.watch_lag()[Kind.SERVICE] == 30.0
    told.cache.put(service(4), from_watch=True)
    assert told.cache.watch_lag()[Kind.SERVICE] == 30.0
    told.cache.put(service(5), from_watch=True)
    assert told.cache.watch_lag()[Kind.SERVICE] == 0.0


def test_a_later_word_of_the_watch_pays_for_the_earlier_one(told: Told) -> None:
    told.cache.put(service(5))
    told.time = 30.0
    told.cache.put(service(6), from_watch=True)
    assert told.cache.watch_lag()[Kind.SERVICE] == 0.0


def test_a_deletion_that_was_accepted_is_known_at_once(told: Told) -> None:
    told.cache.put(service(5))
    assert told.cache.mark_deleting(PLACE, "one")
    assert not told.cache.mark_deleting(PLACE, "one")
    entry = told.cache.get(PLACE)
    assert entry is not None
    assert not isinstance(entry.seen, KeptRun)
    assert entry.seen.deleting


def test_a_sweep_counts_until_something_of_the_run_changes(told: Told) -> None:
    sweep_result = SweepResult(NOW, ())
    told.cache.put(run(1))
    told.cache.set_sweep_result(RUN, sweep_result)
    told.cache.put(run(2))
    assert told.cache.sweep_result(RUN) == sweep_result
    told.cache.put(service(3))
    assert told.cache.sweep_result(RUN) is None


def test_what_is_known_of_a_secret_goes_with_its_run(told: Told) -> None:
    told.cache.put(run(1))
    told.cache.set_secret(RUN, SecretState.MADE)
    assert told.cache.secret(RUN) is SecretState.MADE
    told.cache.drop(ObjectKey(Kind.RUN, "team", "mnist"), RUN)
    assert told.cache.secret(RUN) is SecretState.UNKNOWN


def test_what_is_known_of_a_run_goes_when_another_has_its_name(told: Told) -> None:
    told.cache.put(run(1))
    told.cache.set_sweep_result(RUN, SweepResult(NOW, ()))
    told.cache.put(run(2, "the next"))
    assert told.cache.sweep_result(RUN) is None


def test_nothing_is_kept_of_a_run_that_is_not_known(told: Told) -> None:
    # The end of a step that was begun while the run was there.
    told.cache.set_secret(RUN, SecretState.MADE)
    told.cache.set_sweep_result(RUN, SweepResult(NOW, ()))
    told.cache.set_refusal(RUN, Refusal("a quota", 403, NOW))
    assert told.cache.secret(RUN) is SecretState.UNKNOWN
    assert told.cache.sweep_result(RUN) is None
    assert told.cache.refused(RUN) is None


def test_a_refusal_is_known_until_nothing_is_refused(told: Told) -> None:
    told.cache.put(run(1))
    refusal = Refusal("runner pod cannot be made: exceeded quota: a, used: 1", 403, NOW)
    assert told.cache.set_refusal(RUN, refusal)
    assert not told.cache.set_refusal(RUN, refusal)
    assert told.cache.refused(RUN) == refusal
    assert told.cache.set_refusal(RUN, None)
    assert told.cache.refused(RUN) is None


def test_a_refusal_of_the_same_cause_in_other_words_has_been_there_since_the_first(told: Told) -> None:
    told.cache.put(run(1))
    later = NOW + timedelta(seconds=90)
    for text, since in (
        ("runner pod cannot be made: exceeded quota: a, used: 1", NOW),
        ("runner pod cannot be made: exceeded quota: a, used: 2", NOW),
        ("runner pod cannot be made: no PriorityClass with name x was found", later),
    ):
        told.cache.set_refusal(RUN, Refusal(text, 403, NOW if since is NOW and "used: 1" in text else later))
        assert told.cache.refused(RUN) == Refusal(text, 403, since)


words = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 8), st.sampled_from(["put", "heard", "drop"])), max_size=30
)


@given(words=words)
def test_whatever_the_order_the_newest_of_what_is_not_gone_is_known(
    words: list[tuple[int, int, str]],
) -> None:
    # The objects of a name follow each other: the versions of a later uid are all higher, and an object's
    # end is later than all else of it.
    cache = Told().cache
    gone: set[int] = set()
    newest: tuple[int, int] | None = None
    for uid, step, how in words:
        version = uid * 10 + step
        if how == "drop":
            cache.drop(PLACE, str(uid), str(uid * 10 + 9))
            gone.add(uid)
            newest = None if newest and newest[0] == uid else newest
        else:
            cache.put(service(version, str(uid)), from_watch=how == "heard")
            if uid not in gone and (newest is None or version > newest[1]):
                gone |= {newest[0]} - {uid} if newest else set()
                newest = (uid, version)
    entry = cache.get(PLACE)
    assert (entry and (int(entry.uid), int(entry.version))) == newest
    assert [each.uid for each in cache.children(RUN)] == ([str(newest[0])] if newest else [])


def test_what_a_watch_begins_with_it_owes_no_more(told: Told) -> None:
    told.cache.put(service(3))
    told.cache.confirm(ObjectKey(Kind.SERVICE, "team", "it"), "one", "3")
    told.time = 100.0
    assert told.cache.watch_lag()[Kind.SERVICE] == 0.0


def test_a_change_between_two_lists_that_a_watch_began_after_is_owed_by_none(told: Told) -> None:
    told.cache.put(service(3))
    told.cache.confirm(ObjectKey(Kind.SERVICE, "team", "it"), "one", "5")
    told.cache.confirm(ObjectKey(Kind.SERVICE, "team", "new"), "two", "6")
    told.cache.replace_all(Kind.SERVICE, None, [service(5), service(6, "two", "new")], "8")
    told.time = 100.0
    assert told.cache.watch_lag()[Kind.SERVICE] == 0.0


@pytest.mark.parametrize(("uid", "version"), [("another", "9"), ("one", "2")])
def test_what_a_watch_began_before_or_with_another_object_it_owes(told: Told, uid: str, version: str) -> None:
    told.cache.put(service(3))
    told.cache.confirm(ObjectKey(Kind.SERVICE, "team", "it"), uid, version)
    told.time = 100.0
    assert told.cache.watch_lag()[Kind.SERVICE] == 100.0


def test_of_strangers_in_other_namespaces_a_few_are_told_of(told: Told) -> None:
    told.cache.put(run(1))
    told.cache.put(service(2))
    for number in range(100):
        entry = service(3 + number, f"uid-{number}", f"theirs-{number}")
        place = dataclasses.replace(entry.object_key, namespace="elsewhere")
        told.cache.put(dataclasses.replace(entry, object_key=place))
    found = [entry.object_key.namespace for entry in told.cache.children(RUN)]
    assert (found.count("team"), found.count("elsewhere")) == (1, 16)


def test_an_older_word_in_between_changes_nothing_of_what_a_watch_began_with(told: Told) -> None:
    told.cache.put(service(3))
    told.cache.confirm(ObjectKey(Kind.SERVICE, "team", "it"), "one", "5")
    told.cache.put(service(4))
    told.cache.replace_all(Kind.SERVICE, None, [service(5)], "8")
    told.time = 100.0
    assert told.cache.watch_lag()[Kind.SERVICE] == 0.0

"""What the operator knows of the cluster: the newest that the watches, lists and its own calls told.

An object is told of more than once and out of order: by the watch, by a list, by the reply to a write.
Versions of one kind come from one counter, so the higher one is the newer; where a version is not a
number the last word counts. A uid that is gone does not come back by a word that is no newer than its
end; by a newer one it does: then that it was gone was wrong, as it is where an API server that just
started does not serve a kind yet. Where the API server's store is put back from a backup, lists win.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from vaportrail_operator.acting.sweep import Found
from vaportrail_operator.observation.entries import Entry, ObjectKey
from vaportrail_operator.observation.runs import KeptRun
from vaportrail_operator.observation.schedules import KeptSchedule
from vaportrail_operator.planning.kinds import WATCHED, Kind
from vaportrail_operator.planning.obstacles import obstacle_of
from vaportrail_operator.planning.types import (
    Component,
    ObservedObject,
    ObservedPod,
    Refusal,
    SecretState,
    SweepResult,
)
from vaportrail_operator.runtime.keys import Key, RunKey, ScheduleKey
from vaportrail_operator.runtime.object_versions import Graves, compare
from vaportrail_operator.runtime.run_index import RunIndex
from vaportrail_operator.runtime.run_memory import STRANGERS, RunMemory
from vaportrail_operator.runtime.watch_begins import WatchBegins

__all__ = ["Cache", "Key"]

_OF_KUBERAY = (Component.HEAD, Component.WORKER)
_MADE = ObservedPod | ObservedObject


@dataclass(slots=True)
class _Kept:
    entry: Entry
    unconfirmed_since: float | None


class Cache:
    """The newest known of each watched object, by its place and by its run.

    Args:
        clock: monotonic seconds.
        changed: told the key of a run or schedule whenever something of it is new.
    """

    def __init__(self, clock: Callable[[], float], changed: Callable[[Key], None]) -> None:
        self._clock = clock
        self._changed = changed
        self._kept: dict[ObjectKey, _Kept] = {}
        self._index = RunIndex()
        self._memories: dict[str, RunMemory] = {}
        self._graves = Graves()
        self._newest: Counter[Kind] = Counter()
        self._watch_begins = WatchBegins()

    def put(self, entry: Entry, *, from_watch: bool = False, as_of: str = "") -> bool:
        """Take in an object as somebody saw it; returns whether that is new.

        Args:
            entry: the object.
            from_watch: whether the watch says so. What else tells, the watch must say too before long.
            as_of: the version of the list that the object is in; empty where it is in none.
        """
        if not self._graves.rises(entry.uid, as_of or entry.version):
            return False
        kept = self._kept.get(entry.object_key)
        if kept is not None:
            order = compare(entry.version, kept.entry.version)
            if order < 0 and as_of and compare(kept.entry.version, as_of) <= 0:
                # The list is as of later than what was known, and has an older one: the store was put back.
                order = 1
            if order < 0 or (order == 0 and entry.uid == kept.entry.uid):
                if from_watch and order == 0:
                    kept.unconfirmed_since = None
                return False
            if kept.entry.uid != entry.uid:
                self._graves.bury(kept.entry.uid, entry.version)
            self._forget(kept.entry, instead=entry)
        owed = not self._watch_begins.take(entry) and not from_watch
        self._kept[entry.object_key] = _Kept(entry, self._clock() if owed else None)
        self._note_version(entry.object_key.kind, entry.version)
        self._index.add(entry)
        if entry.object_key.kind is Kind.RUN:
            self._memories.setdefault(entry.uid, RunMemory(namespace=entry.object_key.namespace))
        self._tell(entry)
        return True

    def drop(self, object_key: ObjectKey, uid: str, version: str = "") -> bool:
        """Take in that an object is gone for good; returns whether that is new.

        Args:
            object_key: where it was.
            uid: its uid.
            version: by which it was gone, such as that of a list without it; empty where nothing says
                more than that it was after the last word of it.
        """
        kept = self._kept.get(object_key)
        if kept is None or kept.entry.uid != uid:
            self._graves.bury(uid, version)
            return False
        self._graves.bury(uid, version or kept.entry.version)
        self._remove(kept.entry)
        return True

    def replace_all(self, kind: Kind, scope: str | None, entries: Iterable[Entry], version: str) -> None:
        """Take in a complete list: what it lacks, and is not newer than it, is gone.

        Args:
            kind: of all of them.
            scope: the namespace that was listed; None: all.
            entries: what was listed.
            version: of the list.
        """
        listed = {}
        self._note_version(kind, version)
        for entry in entries:
            listed[entry.object_key] = entry.uid
            self.put(entry, as_of=version)
        for object_key, kept in list(self._kept.items()):
            inside = object_key.kind is kind and scope in (None, object_key.namespace)
            inside = inside and kept.entry.labelled
            if (
                inside
                and listed.get(object_key) != kept.entry.uid
                and compare(kept.entry.version, version) <= 0
            ):
                self.drop(object_key, kept.entry.uid, version)
        self._watch_begins.forget(kind, scope, version)

    def confirm(self, object_key: ObjectKey, uid: str, version: str) -> None:
        """Take in that a watch begins with an object in this version: it owes none of it up to that."""
        kept = self._kept.get(object_key)
        known = compare(kept.entry.version, version) if kept and kept.entry.uid == uid else -1
        if kept is not None and kept.entry.uid == uid and known <= 0:
            kept.unconfirmed_since = None
        if known < 0:
            self._watch_begins.note(object_key, uid, version)

    def replace_of_run(self, run: ObjectKey, run_uid: str, found: Found) -> None:
        """Take in a live look for all that there is of a run."""
        for entry in found.entries:
            # No watch may ever tell of it: its labels may have been taken off.
            self.put(entry, from_watch=True, as_of=found.version)
        for object_key in found.missing:
            kept = self._kept.get(object_key)
            if kept is not None:
                self.drop(object_key, kept.entry.uid)
        there = {entry.uid for entry in found.entries}
        for entry in self.children(run_uid):
            of_kuberay = isinstance(entry.seen, ObservedPod) and entry.seen.component in _OF_KUBERAY
            here = entry.object_key.namespace == run.namespace and of_kuberay
            if here and entry.uid not in there and compare(entry.version, found.version) <= 0:
                self.drop(entry.object_key, entry.uid, found.version)

    def drop_all(self, kind: Kind) -> None:
        """Take in that the API server does not serve a kind; what was of it may be there when it does."""
        self._remove_where(lambda object_key: object_key.kind is kind)

    def rewind(self) -> None:
        """Take in that versions count for nothing any more: the API server's store was put back.

        What is there stays until a list says otherwise; what was concluded from what has not happened goes.
        """
        self._graves.clear()
        self._watch_begins = WatchBegins()
        self._newest.clear()
        for kept in self._kept.values():
            kept.entry = replace(kept.entry, version="0")
        for memory in self._memories.values():
            memory.secret, memory.sweep_result, memory.refused = SecretState.UNKNOWN, None, None

    def forget(self, namespace: str) -> None:
        """Take in that nothing can be seen in a namespace; what is there is new when it can."""
        self._remove_where(lambda object_key: object_key.namespace == namespace)

    def mark_deleting(self, object_key: ObjectKey, uid: str) -> bool:
        """Take in that a deletion was accepted; returns whether that is new."""
        kept = self._kept.get(object_key)
        if kept is None or kept.entry.uid != uid:
            return False
        seen = kept.entry.seen
        if not isinstance(seen, _MADE) or seen.deleting:
            return False
        kept.entry = replace(kept.entry, seen=replace(seen, deleting=True))
        return True

    def newest(self, kind: Kind) -> int:
        """Return the highest version that was told of a kind; 0 where none was."""
        return self._newest[kind]

    def get(self, object_key: ObjectKey) -> Entry | None:
        """Return what is known of the object at a place."""
        kept = self._kept.get(object_key)
        return kept.entry if kept else None

    def run(self, key: RunKey) -> tuple[Entry, KeptRun] | None:
        """Return the run with this namespace and name."""
        entry = self.get(ObjectKey(Kind.RUN, *key))
        return (entry, entry.seen) if entry and isinstance(entry.seen, KeptRun) else None

    def schedule(self, key: ScheduleKey) -> tuple[Entry, KeptSchedule] | None:
        """Return the schedule with this namespace and name."""
        entry = self.get(ObjectKey(Kind.SCHEDULE, key.namespace, key.name))
        return (entry, entry.seen) if entry and isinstance(entry.seen, KeptSchedule) else None

    def schedules(self) -> list[ScheduleKey]:
        """Return where all schedules are."""
        return [ScheduleKey(each.namespace, each.name) for each in self._kept if each.kind is Kind.SCHEDULE]

    def runs(self) -> Iterator[tuple[RunKey, KeptRun]]:
        """Yield all runs."""
        for object_key, kept in list(self._kept.items()):
            if isinstance(kept.entry.seen, KeptRun):
                yield (object_key.namespace, object_key.name), kept.entry.seen

    def children(self, run_uid: str) -> list[Entry]:
        """Return what says that it was made for a run and is there; see `children_of`.

        Of what is in other namespaces than the run, whoever made it, a few are enough to be told of.
        """
        return self._at(self._index.of_run(run_uid, self._memory(run_uid).namespace))

    def made_for_runs(self) -> Iterator[Entry]:
        """Yield what was made for any run and is still there."""
        for kept in list(self._kept.values()):
            if kept.entry.run_uid and isinstance(kept.entry.seen, _MADE):
                yield kept.entry

    def made_for_name(self, key: RunKey) -> list[Entry]:
        """Return what was made for runs of a name, gone ones too, and is still there."""
        return self._at(self._index.of_name(*key))

    def _at(self, places: Iterable[ObjectKey]) -> list[Entry]:
        found = (self._kept[object_key].entry for object_key in places)
        return [entry for entry in found if isinstance(entry.seen, _MADE)]

    def made(self, run_uid: str) -> frozenset[str]:
        """Return the uids of what this process made for a run, by the replies to its calls."""
        return frozenset(self._memory(run_uid).made)

    def note_made(self, run_uid: str, uid: str) -> bool:
        """Remember the uid of an object that was made for a run; returns whether that is new."""
        made = self._memory(run_uid).made
        new = uid not in made
        made.add(uid)
        return new

    def note_stranger(self, run_uid: str, uid: str) -> bool:
        """Remember that an object only says that it is a run's; returns whether that is new."""
        strangers = self._memory(run_uid).strangers
        new = uid not in strangers and len(strangers) < STRANGERS
        if new:
            strangers.add(uid)
        return new

    def secret(self, run_uid: str) -> SecretState:
        """Return what is known of a run's Secret."""
        return self._memory(run_uid).secret

    def set_secret(self, run_uid: str, state: SecretState) -> None:
        """Remember what became of a run's Secret, which is not watched."""
        self._memory(run_uid).secret = state

    def refused(self, run_uid: str) -> Refusal | None:
        """Return what of a run could not be made, and why; None if nothing was refused."""
        return self._memory(run_uid).refused

    def set_refusal(self, run_uid: str, refusal: Refusal | None) -> bool:
        """Remember what of a run could not be made; returns whether that is new.

        Args:
            run_uid: of the run.
            refusal: what, and why; None: nothing is refused any more. One of the same cause as before has
                been there since then.
        """
        memory = self._memory(run_uid)
        before = memory.refused
        if before and refusal and _cause(before) == _cause(refusal):
            refusal = replace(refusal, since=before.since)
        new, memory.refused = before != refusal, refusal
        return new

    def sweep_result(self, run_uid: str) -> SweepResult | None:
        """Return the last live look for what is left of a run, if nothing changed since."""
        return self._memory(run_uid).sweep_result

    def set_sweep_result(self, run_uid: str, sweep_result: SweepResult) -> None:
        """Remember a live look; it counts until something that was made for the run changes."""
        self._memory(run_uid).sweep_result = sweep_result

    def watch_lag(self) -> dict[Kind, float]:
        """Return, by kind, for how many seconds the watch has owed what is already known otherwise."""
        now, owed = self._clock(), dict.fromkeys(WATCHED, 0.0)
        for object_key, kept in self._kept.items():
            if kept.unconfirmed_since is not None:
                owed[object_key.kind] = max(owed[object_key.kind], now - kept.unconfirmed_since)
        return owed

    def __len__(self) -> int:
        return len(self._kept)

    def _memory(self, run_uid: str) -> RunMemory:
        """Return what is remembered of a run; of one that is not known, something that nobody keeps."""
        return self._memories.get(run_uid) or RunMemory()

    def _note_version(self, kind: Kind, version: str) -> None:
        if version.isdecimal():
            self._newest[kind] = max(self._newest[kind], int(version))

    def _remove_where(self, chosen: Callable[[ObjectKey], bool]) -> None:
        for object_key, kept in list(self._kept.items()):
            if chosen(object_key):
                self._remove(kept.entry)

    def _remove(self, entry: Entry) -> None:
        del self._kept[entry.object_key]
        self._forget(entry)
        self._tell(entry)

    def _forget(self, entry: Entry, instead: Entry | None = None) -> None:
        self._index.discard(entry)
        if entry.object_key.kind is Kind.RUN and (instead is None or instead.uid != entry.uid):
            self._memories.pop(entry.uid, None)

    def _tell(self, entry: Entry) -> None:
        memory = self._memories.get(entry.run_uid)
        # What is elsewhere is a stranger's.
        here = memory is not None and memory.namespace == entry.object_key.namespace
        if memory is not None and here and entry.object_key.kind is not Kind.RUN:
            memory.sweep_result = None
        if entry.object_key.kind is Kind.SCHEDULE:
            self._changed(ScheduleKey(entry.object_key.namespace, entry.object_key.name))
        elif entry.run_name:
            self._changed((entry.object_key.namespace, entry.run_name))


def _cause(refusal: Refusal) -> str:
    return obstacle_of(refusal.text, refusal.status).name

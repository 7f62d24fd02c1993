"""Which run `vaportrail watch` means: one that has begun, or a record that answers at once."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from vaportrail.cli.screen import say
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import RecordError, RecordNotFound, UsageError
from vaportrail.record.manifest import RunInfo
from vaportrail.record.reading.find import means
from vaportrail.record.reading.follow import live_runs
from vaportrail.record.reading.read import open_run, scan_runs
from vaportrail.record.reading.recorded_run import Run
from vaportrail.storage import layout
from vaportrail.storage.interruptible import interruptibly
from vaportrail.storage.store import ObjectStore, is_outage, is_remote, normalise_root, open_store

__all__ = ["Wanted", "find", "patiently", "wanted"]

_POLL_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 5.0
"""What each look has at least, so that the shortest timeout still gives one."""
_LISTED_EVERY: Final = 10
"""Polls; every record has to be read to find a sealed one by its name."""
_ID_LENGTH: Final = 8
"""Characters of a UUID, as in a record's folder, that are meant for one rather than for a name."""
_FORMS: Final = (
    "give a run's name, the start of its UUID, or its record's URI, such as "
    "s3://bucket/prefix/runs/PIPELINE/FOLDER"
)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which run is meant: how it is called, its record root, and its record's place there, if it was said."""

    name: str
    root: str
    path: str = ""


def wanted(run: str, root: str) -> Wanted:
    """Return what a user's word for a run says.

    Args:
        run: a record's URI or folder, its folder's name, the start of a UUID, or a run's name.
        root: the record root, where `run` does not say it.

    Raises:
        UsageError: it is no word for a run, or the record root is a file.
    """
    if run == "latest":
        raise UsageError(f"RUN 'latest': a run that is yet to begin has to be named; {_FORMS}")
    parts = run.rstrip("/").rsplit("/", 3)
    if len(parts) == 4 and parts[1] == layout.RUNS and ("://" in parts[0] or Path(parts[0]).is_dir()):
        return Wanted(parts[3], normalise_root(parts[0]), "/".join(parts[1:]))
    if "://" in run or (run and (Path(run) / layout.MANIFEST).exists()):
        place = normalise_root(run)
        if not (urlsplit(place).path if is_remote(place) else place).strip("/"):
            raise UsageError(f"RUN {run!r} is not a record's URI; {_FORMS}")
        parent, _, folder = place.rpartition("/")
        return Wanted(folder, parent, folder)
    if not run.rpartition("/")[2]:
        raise UsageError(f"RUN {run!r} names no run; {_FORMS}")
    place = normalise_root(root)
    if not is_remote(place) and Path(place).is_file():
        raise UsageError(f"--record {root!r} is a file: give a record root, a folder or a URI")
    return Wanted(run, place)


def patiently(call: Callable[[], _Result]) -> _Result:
    """Make a call until the store answers it; an outage is told once, and its end.

    Raises:
        RecordError: the store refuses, which no other try mends.
    """
    told = False
    while True:
        try:
            result = call()
        except RecordError as error:
            if not is_outage(error):
                raise
            if not told:
                say(f"the store does not answer: {error}; trying again", err=True)
            told = True
        else:
            if told:
                say("the store answers again", err=True)
            return result
        time.sleep(_POLL_SECONDS)


def find(wanted: Wanted, timeout: float | None) -> RunSettings | Run:
    """Return the run as soon as it has begun, or its record as soon as that is sealed.

    A name may be used again. So a record that stands already answers only to its URI, its folder's name
    or its id; by a name a new run is waited for.

    Args:
        wanted: which run.
        timeout: how long to wait, seconds; None for ever. Each look has some seconds at least.

    Raises:
        RecordNotFound: it has not begun in time, or more than one run is meant.
        RecordError: the store refuses to be read.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    search = _Search(wanted)

    def poll(number: int) -> RunSettings | Run | None:
        if not (is_remote(wanted.root) or Path(wanted.root).is_dir()):
            return None
        return search.poll(open_store(wanted.root), first=not number, in_all=number % _LISTED_EVERY == 0)

    for number in itertools.count():
        rest = None if deadline is None else max(deadline - time.monotonic(), _LOOK_SECONDS)
        try:
            found = interruptibly(partial(patiently, partial(poll, number)), rest)
        except TimeoutError:
            raise RecordNotFound(
                f"no run {wanted.name!r} is known to have begun below {wanted.root}: "
                f"the store has not answered within {timeout:g} s"
            ) from None
        if found is not None:
            return found
        if deadline is not None and time.monotonic() >= deadline:
            raise RecordNotFound(f"no run {wanted.name!r} has begun below {wanted.root} within {timeout:g} s")
        if not number:
            say(search.waiting(), err=True)
        time.sleep(_POLL_SECONDS)
    raise AssertionError("polling has no end")


@dataclass(slots=True)
class _Search:
    """Looks for a run again and again.

    Attributes:
        earlier: URIs, by folder, of the records that stood at the first look and share only the name.
    """

    wanted: Wanted
    earlier: dict[str, str] = field(default_factory=dict)

    def poll(self, store: ObjectStore, *, first: bool, in_all: bool) -> RunSettings | Run | None:
        """Return the run, or its record, if it is there.

        Args:
            store: the record root.
            first: whether what is sealed by now was sealed before anybody waited for it.
            in_all: read all records to find one by its name or id.
        """
        live = [each for each in live_runs(store) if means(self.wanted.name, each.identity, each.path)]
        if first:
            for each in live:  # a seal may have left the parts where they are
                if store.size(f"{each.path}/{layout.MANIFEST}") is not None:
                    self._set_aside(each.identity, f"{self.wanted.root}/{each.path}")
        live = [each for each in live if _folder(each.path) not in self.earlier]
        if live:
            self._check_one([each.identity for each in live], "that are not sealed")
            return live[0]
        # A run that was refused, or whose runner was lost early, may be sealed and never have begun.
        sealed = self._sealed(store, in_all=in_all)
        if first:
            for run in sealed:
                self._set_aside(run.facts.run, run.uri)
        sealed = [run for run in sealed if _folder(run.uri) not in self.earlier]
        if sealed:
            self._check_one([run.facts.run for run in sealed], "that are sealed")
            return sealed[0]
        return None

    def waiting(self) -> str:
        """Return what is waited for, in words for the user."""
        name, root = self.wanted.name, self.wanted.root
        if not self.earlier:
            return f"waiting for run {name!r} to begin below {root}"
        uri = self.earlier[max(self.earlier)]
        return (
            f"waiting for a new run {name!r} to begin below {root}; an earlier one is sealed, see it with: "
            f"vaportrail show {uri}"
        )

    def _sealed(self, store: ObjectStore, *, in_all: bool) -> list[Run]:
        wanted = self.wanted
        if wanted.path:
            stands = store.size(f"{wanted.path}/{layout.MANIFEST}") is not None
            return [open_run(f"{wanted.root}/{wanted.path}")] if stands else []
        found = []
        for run in scan_runs(wanted.root) if in_all else ():
            if isinstance(run, Run):
                if run.sealed and means(wanted.name, run.facts.run, run.uri):
                    found.append(run)
            elif is_outage(run):
                raise run
        return found

    def _set_aside(self, run: RunIdentity | RunInfo, uri: str) -> None:
        """Take note of a sealed record, unless just this one is meant."""
        text, folder = self.wanted.name.removeprefix(f"{run.pipeline}/"), _folder(uri)
        is_id = len(text) >= _ID_LENGTH and run.uid.startswith(text)
        if text != folder and not is_id:
            self.earlier[folder] = uri

    def _check_one(self, runs: Sequence[RunIdentity | RunInfo], which: str) -> None:
        if len(runs) > 1:
            ids = ", ".join(run.uid for run in runs[:5])
            raise RecordNotFound(f"{self.wanted.name!r} means {len(runs)} runs {which}: {ids}; give an id")


def _folder(place: str) -> str:
    return place.rpartition("/")[2]

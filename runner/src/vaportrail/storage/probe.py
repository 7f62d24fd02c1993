"""Whether a record root takes what a run will write, and keeps it: asked before the run begins."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from vaportrail.errors import RecordError, RootUnwritable, StoreUnsafe
from vaportrail.storage.interruptible import interruptibly
from vaportrail.storage.store import ObjectStore, Store

__all__ = ["probe"]

_CLEAN_SECONDS: Final = 2.0


def probe(store: Store, prefix: str) -> None:
    """Check that a store refuses to overwrite, with a small object that is removed again.

    Raises:
        RootUnwritable: nothing can be written there.
        StoreUnsafe: a second create of the same name was accepted.
    """
    path = f"{prefix}/probe"
    try:
        if isinstance(store, ObjectStore):
            store.knock(path)
        first = store.create(path, b"vaportrail probe\n")
        second = store.create(path, b"vaportrail probe, written twice\n")
    except BaseException as error:
        # What hindered that may hinder this; it is what is told, and soon.
        with suppress(RecordError, TimeoutError):
            interruptibly(lambda: store.delete(path), _CLEAN_SECONDS)
        if isinstance(error, RecordError):
            raise RootUnwritable(str(error)) from error.__cause__
        raise
    store.delete(path)
    if not first:
        raise RecordError(f"something stands at {path} already, where a new run was to begin; try again")
    if second:
        raise StoreUnsafe(
            "the record root accepts a second write under a name that exists (it ignores "
            "If-None-Match), so it could overwrite a sealed record: use a store that supports "
            "conditional writes"
        )

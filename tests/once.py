"""What is costly is made once for all of pytest's processes, by the first that needs it."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

Made = TypeVar("Made")


def common_folder(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all processes of this session of pytest share."""
    own = factory.getbasetemp()
    # A process of pytest-xdist has a folder of its own in the session's.
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock that one process at a time can hold."""
    with file.open("ab") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """Return what `make` returned in the first process that asked for this name.

    `make` gets a folder of its own. Where it fails, the next process that asks tries again.
    """
    common = common_folder(factory)
    kept = common / f"{name}.pickle"
    with locked(common / f"{name}.lock"):
        if kept.exists():
            return pickle.loads(kept.read_bytes())  # type: ignore[no-any-return]
        made = make(factory.mktemp(name))
        kept.write_bytes(pickle.dumps(made))
        return made

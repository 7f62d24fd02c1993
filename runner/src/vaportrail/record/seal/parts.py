"""Parts: what a run's collector has put into its record root, one file a batch or one that grows.

The collector writes OTLP JSON lines, packed or plain, below `spool/<uid>/`; their names begin with
the signal. A file that cannot be read to its end says so, and what was read before stays.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from vaportrail.contract.otlp_signals import SIGNALS
from vaportrail.record.otlp_lines import Groups, Record, read_groups, read_line
from vaportrail.record.seal.spool_plan import SpoolRange
from vaportrail.record.sound import Unsound
from vaportrail.record.unpacked import Damaged, bounded_lines, unpacked
from vaportrail.storage import layout
from vaportrail.storage.store import Store

__all__ = ["fetch", "fetch_all", "live_part_records", "part_paths", "read_part", "spool_prefix"]

_NAME: Final = re.compile(rf"({'|'.join(signal.file for signal in SIGNALS)})[^/]*\.jsonl?(\.gz)?")
_AT_ONCE: Final = 8
_PIECE: Final = 2**20


def spool_prefix(uid: str) -> str:
    """Return where below its record root a run's parts lie, with a last slash."""
    return f"{layout.SPOOL}/{uid}/"


def part_paths(store: Store, prefix: str) -> list[str]:
    """Return the paths of the parts below a prefix, sorted."""
    return [path for path, _ in store.entries(prefix) if _NAME.fullmatch(path.rpartition("/")[2])]


def fetch(store: Store, path: str, to: Path, size: int | None = None) -> SpoolRange:
    """Bring the first `size` bytes of a part (all of it where None) to the file `to`."""
    digest, left = hashlib.sha256(), size
    with to.open("wb") as file:
        for chunk in store.chunks(path):
            if left is not None:
                chunk = chunk[:left]
                left -= len(chunk)
            digest.update(chunk)
            file.write(chunk)
        return SpoolRange(path=path, size=file.tell(), sha256=digest.hexdigest())


def fetch_all(store: Store, wanted: Iterable[tuple[str, int | None]], folder: Path) -> dict[str, SpoolRange]:
    """Bring parts to files in `folder` that `local_name` names, several at once; return them by path."""

    def one(item: tuple[str, int | None]) -> SpoolRange:
        return fetch(store, item[0], folder / local_name(item[0]), item[1])

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return {part.path: part for part in pool.map(one, wanted)}


def local_name(path: str) -> str:
    """Return what a part is called on this machine."""
    return hashlib.sha256(path.encode()).hexdigest()


def read_part(file: Path, damaged: Callable[[str], None]) -> Groups:
    """Yield what a part holds.

    Args:
        file: the part, on this machine.
        damaged: told why, once, where some of it cannot be read.
    """
    reasons: list[str] = []

    def too_long(length: int) -> None:
        reasons.append(f"a line of {length} bytes")

    try:
        with file.open("rb") as raw:
            pieces = iter(lambda: raw.read(_PIECE), b"")
            for number, line in enumerate(bounded_lines(unpacked(pieces), too_long), 1):
                if line.strip():
                    try:
                        yield from read_groups(line)
                    except Unsound as error:
                        reasons.append(f"line {number}: {error}")
    except (OSError, Damaged) as error:
        reasons.append(str(error))
    if reasons:
        damaged(reasons[0])


def live_part_records(store: Store, path: str) -> Iterator[Record]:
    """Yield the records of a part in its store, as far as it can be read now.

    The last member or line may still be on its way; what is damaged, or not a run's, is left out.
    """
    with suppress(Damaged):
        for line in bounded_lines(unpacked(store.chunks(path)), lambda length: None):
            for record in read_line(line, lambda error: None):
                if all(record.identity):
                    yield record

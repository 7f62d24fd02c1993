"""The spool: an append-only file a process, whose lines survive the process.

A file is a header line and then one line a record,

```
CRC32 SP SEQ SP KIND SP SCOPE SP OTLP-JSON LF
```

each made by one `write(2)`, alone or with others, so that a process that is killed leaves whole lines
(and at most one torn one, which its checksum shows). `KIND` is the letter of a signal, such as `L` (a log
record) or `T` (a span); `SCOPE` is the percent-encoded instrumentation scope. Beside it lies the ledger, a
few bytes mapped into memory, whose counters go up *before* each write: made minus read is lost, exactly.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate, count, takewhile
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from vaportrail.contract.otlp_signals import BY_KIND, FIRST_FORMAT, IN_LEDGERS, SIGNALS, Kind
from vaportrail.errors import SpoolError
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.long_texts import TEXT_LIMIT, cut_long_texts
from vaportrail.telemetry.redact import Redactor

__all__ = [
    "LEDGER_BYTES",
    "Header",
    "Ledger",
    "Make",
    "SpoolLine",
    "Writer",
    "compact",
    "header_line",
    "read_header",
    "read_ledger",
    "read_spool",
    "spool_line",
    "whole_line",
]

_MAGIC: Final = b"VTLEDG1\n"
_COUNTER: Final = struct.Struct("<Q")
_OFFSET: Final = {signal.kind: len(_MAGIC) + _COUNTER.size * signal.slot for signal in SIGNALS}
LEDGER_BYTES: Final = len(_MAGIC) + _COUNTER.size * len(SIGNALS)
_FIRST_COUNTERS: Final = sum(signal.since == FIRST_FORMAT for signal in SIGNALS)
_KINDS: Final = {kind.encode(): kind for kind in BY_KIND}
Ledger = Mapping[Kind, int]
"""How many records of each signal a writer has made."""
FORMAT: Final = 1
Make = Callable[[int], Mapping[str, Any] | str]
"""Returns a record, or its JSON, given its number."""


# `json.dumps` would make one for each record.
_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def compact(value: Any) -> str:
    """Return `value` as JSON on one line, without spaces."""
    return _encode(value)


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a spool file: which process wrote it."""

    writer: str
    role: str
    started_unix_nano: int
    resource: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SpoolLine:
    """One record of a spool file; `record` is OTLP in its JSON form."""

    seq: int
    kind: Kind
    scope: str
    record: Mapping[str, Any]


class Writer:
    """Appends a process's records to its spool file.

    Safe to call from any thread, and while a record is made: by the `__str__` of what is recorded, by
    a finalizer, by a signal's handler.

    Args:
        directory: the run's spool folder; made if missing, mode 0700, but by no child process.
        header: which process this is; `header.writer` names the files.
        redact: replaces secrets, or None.

    Raises:
        SpoolError: the files cannot be made.

    Example:
        >>> writer = Writer(Path("spool"), header)          # doctest: +SKIP
        >>> writer.append("L", "my.logger", make_record)    # doctest: +SKIP
    """

    def __init__(self, directory: Path, header: Header, redact: Redactor | None = None) -> None:
        self.header = header
        self.directory = directory
        self.pid = os.getpid()
        self.renew: Callable[[], None] | None = None
        """Is called before secrets are looked for, and may set `redact` anew."""
        self._redact = redact
        self._lock = threading.RLock()
        self._numbers = count(1)
        self._torn = False
        try:
            self._open()
        except FileExistsError:  # a name is taken once, which is no fault of the disk
            if directory.is_dir():
                raise
            raise SpoolError(str(directory), "it is no folder") from None
        except OSError as error:
            raise SpoolError(str(directory), error.strerror or str(error)) from error

    @property
    def redact(self) -> Redactor | None:
        """What replaces secrets, as they are known by now."""
        if self.renew is not None:
            self.renew()
        return self._redact

    @redact.setter
    def redact(self, redact: Redactor | None) -> None:
        self._redact = redact

    def _open(self) -> None:
        if self.header.role != "child":  # which comes after its run began, and may come after its seal
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.directory.lstat().st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "it is another user's")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._ledger = _create_ledger(self.directory / f"{self.header.writer}.ledger")
        # One step in C each, which nothing comes in between: no other thread, no signal's handler.
        self._counts = {
            kind: map(partial(_COUNTER.pack_into, self._ledger, offset), count(1))
            for kind, offset in _OFFSET.items()
        }
        self._fd = os.open(self.directory / f"{self.header.writer}.spool", flags, 0o600)
        os.write(self._fd, header_line(self.header))

    def append(self, kind: Kind, scope: str, make: Make) -> int:
        """Write one record and return its number; `make` is given that number and returns it, or its JSON.

        Raises:
            SpoolError: the disk is full or gone; the ledger has counted the record already, so the
                loss is known at the seal.
        """
        seq = next(self._numbers)
        next(self._counts[kind])
        # Outside the lock: what is asked for its text may log, or wait for who logs.
        self.write([self._line(seq, kind, scope, make)])
        return seq

    def line(self, kind: Kind, scope: str, make: Make) -> bytes:
        """Return a record's line, which is to be counted and written later; see `append` and `Batch`.

        What cannot be made is counted as made.
        """
        try:
            return self._line(next(self._numbers), kind, scope, make)
        except BaseException:
            next(self._counts[kind])
            raise

    def count(self, kinds: Iterable[Kind]) -> None:
        """Count records, right before their lines are written."""
        for kind in kinds:
            next(self._counts[kind])

    def write(self, lines: list[bytes]) -> None:
        """Write lines that are counted by one `write(2)`, and take out of `lines` what is in the file.

        Raises:
            SpoolError: the disk is full or gone.
        """
        with self._lock:
            # What a write that failed left behind must not take the next line with it.
            first = b"\n" if self._torn else b""
            # Not the writer's: a signal's handler may write meanwhile.
            raw, written = first + b"".join(lines), 0
            self._torn = True
            try:
                while written < len(raw):  # a signal or a nearly full disk can cut a write short
                    written += self._write(raw[written:])
            except OSError as error:
                self._torn = True
                del lines[: _whole(lines, written - len(first))]
                raise SpoolError(str(self.directory), error.strerror or str(error)) from error
            self._torn = False
            lines.clear()

    def _line(self, seq: int, kind: Kind, scope: str, make: Make) -> bytes:
        made = make(seq)
        body = made if isinstance(made, str) else compact(made)
        redact = self.redact
        if redact is not None and redact.suspects(body):
            body = compact(redact.record(json.loads(body)))
        # By our own name readers know our records; others are the user's.
        if redact is not None and scope != c.SCOPE:
            scope = redact(scope)
        # After the secrets: of one that is cut a part would stay.
        if len(body) > TEXT_LIMIT:
            body = compact(cut_long_texts(json.loads(body)))
        return spool_line(seq, kind, scope, body)

    def _write(self, raw: bytes) -> int:
        return os.write(self._fd, raw)

    def close(self) -> None:
        """Close the files; what was written stays."""
        with self._lock:
            os.close(self._fd)
            self._ledger.close()


def _create_ledger(path: Path) -> mmap.mmap:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, _MAGIC + bytes(LEDGER_BYTES - len(_MAGIC)))
        return mmap.mmap(fd, LEDGER_BYTES)
    finally:
        os.close(fd)


def header_line(header: Header) -> bytes:
    """Return the first line of a spool file."""
    content = {
        "vaportrail.spool": FORMAT,
        "writer": header.writer,
        "role": header.role,
        "started": header.started_unix_nano,
        "resource": dict(header.resource),
    }
    return (compact(content) + "\n").encode()


def _whole(lines: Iterable[bytes], written: int) -> int:
    """Return how many lines are in the first `written` bytes; one that lacks its end alone is whole too."""
    ends = accumulate(map(len, lines))
    return sum(1 for _ in takewhile(lambda end: end - 1 <= written, ends))


@lru_cache(maxsize=256)
def _quoted(scope: str) -> str:
    return quote(scope, safe="", errors="backslashreplace") or "-"


def spool_line(seq: int, kind: Kind, scope: str, body: str) -> bytes:
    """Return a record as a line of a spool file; `body` is its JSON."""
    raw = f"{seq} {kind} {_quoted(scope)} {body}".encode()
    return b"%08x %b\n" % (zlib.crc32(raw), raw)


def read_ledger(raw: bytes) -> Ledger | None:
    """Return a ledger file's counts, or None where the bytes are not a ledger.

    One that is older than a signal has no counter of it.
    """
    counters, rest = divmod(len(raw) - len(_MAGIC), _COUNTER.size)
    if not raw.startswith(_MAGIC) or rest or not _FIRST_COUNTERS <= counters <= len(SIGNALS):
        return None
    return {
        signal.kind: _COUNTER.unpack_from(raw, _OFFSET[signal.kind])[0] if signal.slot < counters else 0
        for signal in IN_LEDGERS
    }


def read_header(line: bytes) -> Header | None:
    """Return a spool file's header, or None where the line is torn or foreign."""
    try:
        raw = json.loads(line)
        if raw["vaportrail.spool"] != FORMAT:
            return None
        return Header(raw["writer"], raw["role"], raw["started"], raw["resource"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def whole_line(line: bytes) -> tuple[int, Kind, str, bytes] | None:
    """Return number, kind, scope and body of a spool file's line, or None where it is damaged.

    A line whose checksum is wrong was torn by a kill, or changed since.
    """
    crc, _, raw = line.rstrip(b"\n").partition(b" ")
    try:
        if int(crc, 16) != zlib.crc32(raw):
            return None
        seq, kind, scope, body = raw.split(b" ", 3)
        return (int(seq), _KINDS[kind], unquote(scope.decode()), body) if kind in _KINDS else None
    except ValueError:
        return None


def read_spool(lines: Iterator[bytes]) -> Iterator[SpoolLine]:
    """Yield the whole records among a spool file's lines, its header taken off.

    A line that is damaged is left out: the ledger counts it.
    """
    for line in lines:
        found = whole_line(line)
        if found is not None:
            seq, kind, scope, body = found
            try:
                yield SpoolLine(seq, kind, scope, json.loads(body))
            except ValueError:
                continue

"""For the tests of `vaportrail watch`: runs as a collector stores them, and what the command says."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from obstore.exceptions import GenericError

from vaportrail.cli.main import main
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import RecordError
from vaportrail.record.otlp_lines import Record, write_lines
from vaportrail.record.spooled import spooled_records
from vaportrail.storage.store import ObjectStore, open_store

if TYPE_CHECKING:
    from tests.conftest import Sealed

FILE = {"L": "logs", "T": "traces", "M": "metrics"}


@dataclass(frozen=True)
class Stored:
    """A run as a collector stores it, piece by piece, below a record root."""

    root: str
    sealed: Sealed
    settings: RunSettings

    @property
    def store(self) -> ObjectStore:
        return open_store(self.root, create=True)

    @property
    def prefix(self) -> str:
        return f"spool/{self.settings.identity.uid}"

    def begin(self) -> None:
        self.store.create(f"{self.prefix}/run.json", self.settings.to_json().encode())

    def parts(self) -> list[tuple[str, bytes]]:
        """Return name and content of each part; those of the workers first."""
        spool = open_store(str(self.sealed.spool))
        names = [path for path, _ in spool.entries("") if path.endswith(".spool")]
        found = []
        for name in sorted(names, reverse=True):
            records: Iterator[Record] = spooled_records(spool, name)
            for number, (kind, line) in enumerate(write_lines(records)):
                stem = name.removesuffix(".spool")
                found.append((f"{FILE[kind]}_{stem}-{number}.json.gz", gzip.compress(line)))
        return found

    def put(self, part: tuple[str, bytes]) -> None:
        self.store.create(f"{self.prefix}/{part[0]}", part[1])

    def stand(self) -> None:
        """Put the record, its manifest last."""
        files = [path for path in self.sealed.folder.rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda path: path.name == "manifest.json"):
            self.store.create(f"{self.settings.path}/{path.relative_to(self.sealed.folder).as_posix()}", path)

    def seal(self) -> None:
        """Put the record, and take the parts away, as the sealer does."""
        self.stand()
        for path, _ in self.store.entries(f"{self.prefix}/"):
            self.store.delete(path)


def stored(root: str, sealed: Sealed) -> Stored:
    settings = RunSettings.from_json((sealed.spool / "run.json").read_text())
    return Stored(root, sealed, settings)


@dataclass(frozen=True)
class Said:
    code: int
    out: list[str]
    err: list[str]

    def lines(self, words: str) -> list[str]:
        return [line for line in self.err if words in line]


def watch(capsys: pytest.CaptureFixture[str], *args: object) -> Said:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["watch", *map(str, args)])
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return Said(ended.value.code, said.out.splitlines(), said.err.splitlines())


def outage() -> RecordError:
    """Return what is raised where a store cannot be reached."""
    error = RecordError("cannot read s3://records/ml/x: HTTP error: error sending request")
    error.__cause__ = GenericError("Generic S3 error: HTTP error: error sending request")
    return error


@dataclass
class Failing:
    """Makes a method fail for as long as there are errors; a folder itself knows no outage."""

    method: Callable[..., object]
    errors: list[RecordError]

    def put(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        monkeypatch.setattr(owner, name, lambda *args: self(*args))

    def __call__(self, *args: object) -> object:
        if self.errors:
            raise self.errors.pop(0)
        return self.method(*args)


@dataclass
class Clock:
    """Stands for `time`; whoever sleeps lets it go on, and things happen at their moments."""

    at: dict[int, Callable[[], None]]
    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if (happens := self.at.pop(int(self.seconds), None)) is not None:
            happens()
        assert self.seconds < 1000, "nobody waits any more"

"""Records, spools, manifests and settings changed field by field, and what readers must make of them.

Used by a short test with a fresh seed, and by `make fuzz` with many.
"""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import pickle
import random
import shutil
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hostile_record import HOSTILE
from vaportrail.errors import RecordError
from vaportrail.export.mermaid import flowchart, gantt_chart
from vaportrail.export.page import page_lines
from vaportrail.record.manifest import hash_line
from vaportrail.record.otlp_lines import Resource, sound_record
from vaportrail.record.reading.read import open_run, scan_runs
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.record.sound import Unsound, parse
from vaportrail.record.spooled import sound_header
from vaportrail.record.verify import rebuild_facts, unfounded, verify
from vaportrail.storage.store import open_store

NOW = 1_900_000_000_000_000_000
DRAFTS = Path(__file__).parent / "record" / "golden" / "draft"
LONGEST = 2.0
"""Seconds that any one case may take, of the process's own time."""
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63 - 1, 2**63, -(2**63), 2**64, 2**70, 10**300, 0.5, -0.0, 1e300,
    "", "0", "-1", "1", "x", "NaN", "Infinity", "9" * 30, "9" * 5000, HOSTILE, "../../etc", "a" * 9000,
    "\ud800", "SUCCEEDED", "UNFINISHED", "notebook", "exact", "stdout", "{}", "[]", "null", "[" * 300, [], {},
    [[]], [{}], {"stringValue": "x"}, {"intValue": "1"}, {"doubleValue": "NaN"}, {"bytesValue": "/w=="},
    {"arrayValue": {}}, {"kvlistValue": {"values": [{"key": "a"}]}}, {"a": 1},
)  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything within JSON."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*at, key)
        yield from places(item, (*at, key))


def odd(dice: random.Random) -> Any:
    return copy.deepcopy(dice.choice(ODD))  # what is put into it later is put into a copy


def deep(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def alike(value: Any, dice: random.Random) -> Any:
    """Return something else that may well stand in its place."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return dice.choice((0, 1, 2, 17, 2**31, dice.random(), value + 1))
    if isinstance(value, str):
        if value.isdecimal() and len(value) < 30:
            return str(dice.choice((0, 1, int(value) + 1, dice.randrange(2**63), 2**64 - 1)))
        return dice.choice((HOSTILE, "x", value.upper(), value * 2, value + "-1", "train-1", "é"))
    return value


def mutated(value: Any, dice: random.Random) -> Any:
    """Return JSON with one to three of its fields changed, taken out, doubled or exchanged.

    Most are changed to something of their kind: what is refused at the door tests nothing behind it.
    """
    value = pickle.loads(pickle.dumps(value))
    for _ in range(dice.choice((1, 1, 1, 1, 2, 3))):
        there = [path for path in places(value) if path[-1] != "key" or dice.random() < 0.1]
        if not there:
            return odd(dice)
        path = dice.choice(there)
        inside = value
        for step in path[:-1]:
            inside = inside[step]
        if dice.random() < 0.7:
            inside[path[-1]] = alike(inside[path[-1]], dice)
            continue
        match dice.randrange(7):
            case 0:
                del inside[path[-1]]
            case 1 if isinstance(inside, list):
                inside.insert(path[-1], copy.deepcopy(inside[path[-1]]))
            case 2:
                other = value
                for step in dice.choice(there):
                    try:
                        other = other[step]
                    except (KeyError, IndexError, TypeError):
                        break
                inside[path[-1]] = copy.deepcopy(other)
            case 3 if isinstance(inside[path[-1]], str) and inside[path[-1]]:
                text = inside[path[-1]]
                cut = dice.randrange(len(text))
                inside[path[-1]] = text[:cut] + dice.choice(('"', "\x1b", "0", "é")) + text[cut + 1 :]
            case 4 if dice.random() < 0.2:
                inside[path[-1]] = deep(dice.choice((20, 60, 150, 400)))
            case _:
                inside[path[-1]] = odd(dice)
    return value


def as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


@dataclass
class Fuzz:
    """Makes cases of a run's spool and its record, and checks each.

    Attributes:
        spool: a kept spool of a run.
        record: its sealed record.
        folder: where cases are made.
        seed: of all that is drawn.
    """

    spool: Path
    record: Path
    folder: Path
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.lines = {path.name: path.read_bytes().splitlines() for path in self.spool.glob("*.spool")}
        self.manifest = json.loads((self.record / "manifest.json").read_bytes())
        self.draft = json.loads((DRAFTS / "small" / "manifest.json").read_bytes())
        packed = (self.record / "tasks-0001.jsonl.gz").read_bytes()
        self.rows = [json.loads(line) for line in gzip.decompress(packed).splitlines()]
        self.settings = json.loads((self.spool / "run.json").read_text())
        self.headers = {name: json.loads(lines[0]) for name, lines in self.lines.items()}
        self.bodies = {name: [self._body(line) for line in lines[1:]] for name, lines in self.lines.items()}

    @staticmethod
    def _body(line: bytes) -> tuple[int, str, str, Any]:
        _, seq, kind, scope, body = line.split(b" ", 4)
        return int(seq), kind.decode(), scope.decode(), json.loads(body)

    def run(self, cases: int) -> None:
        """Try about so many changed records, manifests and settings."""
        while self.counts["cases"] < cases:
            self._spool_case()
            for _ in range(3):
                self._manifest_case()
            for _ in range(3):
                self._settings_case()
            self._log_case()

    def _timed(self, kind: str, begun: float) -> None:
        took = time.process_time() - begun
        self.slowest = max(self.slowest, took)
        assert took < LONGEST, f"seed {self.seed}: a case of {kind} took {took:.1f} s"

    def _spool_case(self) -> None:
        """A spool in which most lines are changed is sealed, and says how many are unreadable."""
        root = self.folder / "spools"
        spool = root / "spool" / self.spool.name
        spool.mkdir(parents=True)
        settings = {**self.settings, "root": str(root), "spool": str(spool)}
        (spool / "run.json").write_text(as_json(settings))
        for path in self.spool.iterdir():
            if path.suffix in (".ledger", ".out", ".err"):
                shutil.copy(path, spool / path.name)
        changed = sound = 0
        for name, lines in self.lines.items():
            header = self.headers[name]
            if self.dice.random() < 0.03:
                header = mutated(header, self.dice)
                self.counts["cases"] += 1
            written = [as_json(header).encode()]
            for line, (seq, kind, scope, body) in zip(lines[1:], self.bodies[name], strict=True):
                if self.dice.random() > 0.6:
                    written.append(line)
                    continue
                changed += 1
                text = as_json(mutated(body, self.dice)).encode()
                raw = b"%d %b %b %b" % (seq, kind.encode(), scope.encode(), text)
                written.append(b"%08x %b" % (zlib.crc32(raw), raw))
                sound += self._is_sound(kind, self.headers[name], text)
            (spool / name).write_bytes(b"\n".join(written) + b"\n")
        self.counts["cases"] += changed
        self.counts["records"] += changed
        self.counts["sound"] += sound
        begun = time.process_time()
        sealed = seal_spool(spool, clock=lambda: NOW)
        self._timed("a seal", begun)
        self.counts["seals"] += 1
        manifest = sealed.manifest
        record = root / settings["path"]
        store = open_store(str(record))
        assert verify(store, "it").ok, f"seed {self.seed}"
        assert unfounded(store, manifest) == [], f"seed {self.seed}"
        if manifest.counts.unreadable_records:
            assert manifest.counts.loss == "Unknown"
        run = open_run(str(record))
        self._read(run)
        shutil.rmtree(root)

    @staticmethod
    def _is_sound(kind: Any, header: Any, raw: bytes) -> bool:
        try:
            sound_record(kind, Resource(header["resource"]), "s", parse(raw))
        except Unsound:
            return False
        return True

    def _read(self, run: Run) -> None:
        list(run.logs())
        list(run.metrics())
        list(page_lines(run))
        flowchart(run.facts)
        gantt_chart(run.facts)
        run.facts.to_json()

    def _manifest_case(self) -> None:
        """A record whose manifest or rows are changed is read or named, and hides no other."""
        root = self.folder / "manifests"
        if not root.exists():
            for name in ("20300101T000000Z-changed0", "20200101T000000Z-whole000"):
                (root / "runs" / "small" / name).mkdir(parents=True)
                (root / "runs" / "small" / name / "manifest.json").write_text(as_json(self.manifest))
        path = root / "runs" / "small" / "20300101T000000Z-changed0" / "manifest.json"
        raw = as_json(self._changed(path.parent)).encode()
        if self.dice.random() < 0.05:
            raw = raw[: self.dice.randrange(len(raw))]
        path.write_bytes(raw)
        path.with_name("manifest.sha256").write_bytes(hash_line(raw))
        begun = time.process_time()
        changed, *others = scan_runs(str(root))
        assert [isinstance(other, Run) for other in others] == [True], f"seed {self.seed}: hidden"
        self.counts["cases"] += 1
        self.counts["manifests"] += 1
        if isinstance(changed, Run):
            self.counts["manifests read"] += 1
            try:
                self._read(changed)
            except RecordError:
                self.counts["rows refused"] += 1
        else:
            assert "20300101T000000Z-changed0" in str(changed)
        verify(open_store(str(path.parent)), "it")
        self._timed("a manifest", begun)

    def _changed(self, folder: Path) -> Any:
        """Write rows of which some are changed into a record's folder; return a manifest that names them."""
        if self.dice.random() < 0.3:
            return mutated(self.draft, self.dice)
        rows = [mutated(row, self.dice) if self.dice.random() < 0.2 else row for row in self.rows]
        packed = gzip.compress("\n".join(map(as_json, rows)).encode(), 1)
        (folder / "tasks-0001.jsonl.gz").write_bytes(packed)
        digest = hashlib.sha256(packed).hexdigest()
        files = [{"path": "tasks-0001.jsonl.gz", "size": len(packed), "sha256": digest}]
        manifest = {**self.manifest, "files": files}
        return mutated(manifest, self.dice) if self.dice.random() < 0.5 else manifest

    def _settings_case(self) -> None:
        """A spool whose settings or header are changed is read or named, and hides no other."""
        root = self.folder / "settings"
        spool = root / "spool" / self.spool.name
        if not spool.exists():
            spool.mkdir(parents=True)
            for name, lines in self.lines.items():
                (spool / name).write_bytes(b"\n".join(lines) + b"\n")
            other = root / "runs" / "small" / "20200101T000000Z-whole000"
            other.mkdir(parents=True)
            (other / "manifest.json").write_text(as_json(self.manifest))
        (spool / "run.json").write_text(as_json(mutated({**self.settings, "root": str(root)}, self.dice)))
        begun = time.process_time()
        found = list(scan_runs(str(root)))
        assert len(found) == 2, f"seed {self.seed}"
        assert any(isinstance(run, Run) and run.sealed for run in found), f"seed {self.seed}: hidden"
        name, header = self.dice.choice(list(self.headers.items()))
        sound_header(as_json(mutated(header, self.dice)).encode(), name.removesuffix(".spool"))
        self.counts["cases"] += 2
        self._timed("settings", begun)

    def _log_case(self) -> None:
        """A log file whose bytes or lines are changed is read as far as it goes."""
        folder = self.folder / "logs"
        if not folder.exists():
            shutil.copytree(self.record, folder)
        path = folder / "logs-0001.jsonl.gz"
        whole = (self.record / "logs-0001.jsonl.gz").read_bytes()
        lines = gzip.decompress(whole).splitlines()
        changed = [as_json(mutated(json.loads(line), self.dice)).encode() for line in lines]
        content = gzip.compress(b"\n".join(changed), 1)
        if self.dice.random() < 0.3:
            content = content[: self.dice.randrange(len(content))]
        elif self.dice.random() < 0.3:
            at = self.dice.randrange(len(content))
            content = content[:at] + self.dice.randbytes(3) + content[at + 3 :]
        path.write_bytes(content)
        begun = time.process_time()
        run = open_run(str(folder))
        list(run.logs())
        list(run.metrics())
        try:
            rebuild_facts(open_store(str(folder)), run.manifest)  # type: ignore[arg-type]
        except RecordError:
            self.counts["rebuilds refused"] += 1
        self.counts["cases"] += len(lines)
        self._timed("a log", begun)

    def summary(self) -> str:
        counts = self.counts
        return (
            f"seed {self.seed}: {counts['cases']} cases, 0 tracebacks; {counts['records']} records changed, "
            f"{counts['sound']} of them sound ({100 * counts['sound'] / max(1, counts['records']):.0f} %), "
            f"in {counts['seals']} seals; {counts['manifests']} manifests, {counts['manifests read']} read; "
            f"slowest case {self.slowest:.2f} s"
        )

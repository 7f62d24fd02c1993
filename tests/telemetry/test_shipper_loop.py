"""Every record that is spooled reaches the collector, whatever happens on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.otlp import log_record
from vaportrail.telemetry.shipper_loop import BATCH_BYTES, Answer, Reply, Shipper
from vaportrail.telemetry.spool import Header, Kind, compact, header_line, spool_line
from vaportrail.telemetry.values import attributes, read_attributes

UID = "run-1"


@dataclass
class Pod:
    """A spool in memory, its writers, a collector, a clock: a world without waiting."""

    files: dict[str, bytearray] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    stored: list[tuple[Kind, bytes]] = field(default_factory=list)
    faults: list[Reply] = field(default_factory=list)
    refuses: Callable[[bytes], bool] = lambda body: False
    said: list[str] = field(default_factory=list)
    posts: int = 0
    now: float = 0.0

    # The spool.
    def writers(self) -> list[str]:
        return sorted(path.removesuffix(".spool") for path in self.files if path.endswith(".spool"))

    def read(self, path: str, offset: int, size: int) -> bytes:
        return bytes(self.files.get(path, b"")[offset : offset + size])

    def append(self, writer: str, raw: bytes, suffix: str = "spool") -> None:
        self.files.setdefault(f"{UID}/{writer}.{suffix}", bytearray()).extend(raw)

    def begin(self, writer: str) -> None:
        self.numbers[writer] = 0
        resource = {"attributes": attributes({c.WRITER_ID: writer, c.PIPELINE_RUN_ID: UID})}
        self.append(writer, header_line(Header(writer, "worker", 5, resource)))
        self._count(writer)

    def line(self, writer: str, text: str = "", kind: Kind = "L", **values: Any) -> bytes:
        """Return a record's line, which the ledger counts at once."""
        self.numbers[writer] += 1
        seq = self.numbers[writer]
        self._count(writer)
        named = {c.LOG_IOSTREAM: None, **values, c.SEQ: seq}
        record = log_record(text, named, unix_nano=seq, observed_unix_nano=seq)
        if kind == "T":
            record = {"spanId": "s", "endTimeUnixNano": "9", "attributes": attributes(named)}
        return spool_line(seq, kind, "scope", compact(record))

    def _count(self, writer: str) -> None:
        import struct

        made = struct.pack("<8sQQQ", b"VTLEDG1\n", self.numbers[writer], 0, 0)
        self.files[f"{UID}/{writer}.ledger"] = bytearray(made)

    # The collector.
    def post(self, requests: Mapping[Kind, bytes]) -> dict[Kind, Answer]:
        self.posts += 1
        return {kind: self._post(kind, body) for kind, body in requests.items()}

    def _post(self, kind: Kind, body: bytes) -> Answer:
        if self.refuses(body):
            return Answer(Reply.REFUSED, "400 Bad Request")
        fault = self.faults.pop(0) if self.faults else Reply.STORED
        if fault is not Reply.REFUSED:  # here: it failed before it was stored
            self.stored.append((kind, body))
        return Answer(Reply.STORED if fault is Reply.STORED else Reply.FAILED, "it broke")

    # What was stored.
    def records(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return attributes of the process, and the record, of all that was stored."""
        found = []
        for _, body in self.stored:
            for groups in json.loads(body).values():
                for group in groups:
                    resource = read_attributes(group["resource"]["attributes"])
                    scopes = next(value for key, value in group.items() if key != "resource")
                    for scope in scopes:
                        bodies = next(value for key, value in scope.items() if key != "scope")
                        found += [(resource, record) for record in bodies]
        return found

    def made(self) -> dict[str, set[int]]:
        """Return the numbers of the writers' own records that were stored."""
        found: dict[str, set[int]] = {}
        for resource, record in self.records():
            if resource.get(c.WRITER_ROLE) != "shipper":
                seq = read_attributes(record["attributes"])[c.SEQ]
                found.setdefault(resource[c.WRITER_ID], set()).add(seq)
        return found

    def ledgers(self, state: str) -> dict[str, int]:
        named = [
            read_attributes(r["attributes"])
            for _, r in self.records()
            if r.get("eventName") == c.EVENT_LEDGER
        ]
        return {n[c.LEDGER_WRITER]: n[c.LEDGER_MADE_LOGS] for n in named if n[c.LEDGER_STATE] == state}

    def recovered(self) -> list[tuple[int, str, dict[str, Any]]]:
        """Return number, text and attributes of the lines that a shipper recovered, each once."""
        found = {}
        for resource, record in self.records():
            if resource.get(c.WRITER_ROLE) == "shipper" and "eventName" not in record:
                named = read_attributes(record["attributes"])
                found[resource[c.WRITER_ID], named[c.SEQ]] = (record["body"]["stringValue"], named)
        return [(seq, *what) for (_, seq), what in sorted(found.items())]

    # The shipper.
    def shipper(self, *, waits: list[Callable[[], bool]], drain_seconds: float = 50) -> Shipper:
        """Return a shipper for which each wait does the next of `waits`; then the end comes."""

        def wait(seconds: float) -> bool:
            self.now += seconds
            return waits.pop(0)() if waits else True

        return Shipper(
            self, self,
            unix_nano=lambda: int(self.now * 1e9), monotonic=lambda: self.now,
            wait=wait, chance=lambda: 0.5, say=self.said.append, drain_seconds=drain_seconds,
        )  # fmt: skip

    def drain(self) -> int:
        return self.shipper(waits=[]).run()


def nothing() -> bool:
    return False


@pytest.fixture
def pod() -> Pod:
    made = Pod()
    made.begin("w")
    return made


def test_what_was_spooled_before_the_end_is_stored(pod: Pod) -> None:
    pod.append("w", pod.line("w") + pod.line("w"))

    assert (pod.drain(), pod.made()) == (0, {"w": {1, 2}})


def test_what_is_spooled_while_it_follows_is_stored_before_the_end(pod: Pod) -> None:
    seen: list[dict[str, set[int]]] = []

    def write() -> bool:
        pod.append("w", pod.line("w"))
        return False

    def look() -> bool:
        seen.append(pod.made())
        return False

    pod.shipper(waits=[write, look]).run()

    assert seen == [{"w": {1}}]


def test_an_empty_spool_is_drained(pod: Pod) -> None:
    pod.files.clear()

    assert (pod.drain(), pod.stored) == (0, [])


def test_records_of_one_kind_that_wait_together_are_one_request(pod: Pod) -> None:
    pod.begin("v")
    for writer in ("v", "w"):
        pod.append(writer, pod.line(writer) + pod.line(writer))
    pod.drain()

    assert [kind for kind, _ in pod.stored] == ["L"]


def test_a_request_is_about_a_mebibyte(pod: Pod) -> None:
    text = "x" * 1000
    pod.append("w", b"".join(pod.line("w", text) for _ in range(5000)))
    pod.drain()

    assert max(len(body) for _, body in pod.stored) < 1.2 * BATCH_BYTES
    assert pod.made() == {"w": set(range(1, 5001))}


def test_a_record_larger_than_a_request_is_stored(pod: Pod) -> None:
    pod.append("w", pod.line("w", "x" * 3 * BATCH_BYTES) + pod.line("w"))
    pod.drain()

    assert pod.made() == {"w": {1, 2}}


def test_a_writer_that_always_has_more_does_not_hold_up_the_others(pod: Pod) -> None:
    pod.begin("v")
    pod.append("w", pod.line("w"))

    def flood() -> bool:
        pod.append("v", pod.line("v", "x" * 2 * BATCH_BYTES))
        return False

    reached: list[bool] = []
    pod.shipper(waits=[flood, flood, lambda: bool(reached.append("w" in pod.made()))]).run()

    assert reached == [True]


def test_a_torn_line_is_waited_for(pod: Pod) -> None:
    line = pod.line("w")
    pod.append("w", line[:20])

    def write() -> bool:
        pod.append("w", line[20:])
        return False

    pod.shipper(waits=[nothing, write]).run()

    assert pod.made() == {"w": {1}}


def test_a_line_that_stays_torn_is_left_out_and_counted(pod: Pod) -> None:
    pod.append("w", pod.line("w") + pod.line("w")[:-5])

    assert (pod.drain(), pod.made(), pod.ledgers("exact")) == (0, {"w": {1}}, {"w": 2})


def test_a_damaged_line_is_left_out_and_counted(pod: Pod) -> None:
    pod.append("w", pod.line("w") + pod.line("w").replace(b"scope", b"spoce") + pod.line("w"))
    pod.drain()

    assert (pod.made(), pod.ledgers("exact")) == ({"w": {1, 3}}, {"w": 3})


def test_while_it_follows_counts_are_not_final(pod: Pod) -> None:
    pod.append("w", pod.line("w"))
    counts: list[tuple[dict[str, int], dict[str, int]]] = []
    look = lambda: bool(counts.append((pod.ledgers("unknown"), pod.ledgers("exact"))))  # noqa: E731
    pod.shipper(waits=[nothing, look]).run()

    assert counts == [({"w": 1}, {})]


def test_the_count_of_a_writer_whose_spool_is_foreign_is_shipped(pod: Pod) -> None:
    pod.files[f"{UID}/w.spool"] = bytearray(b"not a header\n")
    pod.numbers["w"] = 7
    pod._count("w")

    assert (pod.drain(), pod.ledgers("exact")) == (0, {"w": 7})


def test_a_writer_without_a_ledger_has_no_count(pod: Pod) -> None:
    del pod.files[f"{UID}/w.ledger"]
    pod.append("w", spool_line(1, "L", "s", '{"attributes":[]}'))

    assert (pod.drain(), pod.ledgers("exact")) == (0, {})


def test_output_that_has_no_record_is_shipped_at_the_end(pod: Pod) -> None:
    pod.append("w", b"told\nnot told\nhalf", "out")
    pod.append("w", pod.line("w", "told", **{c.LOG_IOSTREAM: "stdout", c.STREAM_OFFSET: 5}))
    pod.append("w", b"a complaint\n", "err")
    pod.drain()

    assert [(seq, text, named[c.LOG_IOSTREAM]) for seq, text, named in pod.recovered()] == [
        (1, "a complaint", "stderr"),
        (2, "not told", "stdout"),
        (3, "half", "stdout"),
    ]


def test_long_output_that_has_no_record_is_shipped_whole(pod: Pod) -> None:
    lines = [f"line {number} {'x' * 90}" for number in range(30_000)]
    pod.append("w", "\n".join(lines).encode(), "out")
    pod.drain()

    assert [text for _, text, _ in pod.recovered()] == lines


def test_a_failure_is_tried_again(pod: Pod) -> None:
    pod.append("w", pod.line("w"))
    pod.faults = [Reply.REFUSED] * 5

    assert (pod.drain(), pod.made()) == (0, {"w": {1}})


def test_a_signal_that_was_stored_is_not_sent_again_with_one_that_was_not(pod: Pod) -> None:
    pod.append("w", pod.line("w") + pod.line("w", kind="T"))
    pod.faults = [Reply.STORED, Reply.REFUSED]
    pod.drain()

    assert sorted(kind for kind, _ in pod.stored) == ["L", "T"]


def test_pauses_grow_to_their_limit(pod: Pod) -> None:
    pod.append("w", pod.line("w"))
    pod.faults = [Reply.REFUSED] * 12
    pauses: list[float] = []
    before = [0.0]

    def note() -> bool:
        pauses.append(pod.now - before[0])
        before[0] = pod.now
        return False

    pod.shipper(waits=[note] * 13).run()

    assert pauses[1:4] == pytest.approx([0.15, 0.3, 0.6])
    assert pauses[-1] == pytest.approx(7.5)


def test_a_change_of_state_is_said_once(pod: Pod) -> None:
    pod.append("w", pod.line("w"))
    pod.faults = [Reply.REFUSED] * 4
    pod.shipper(waits=[nothing] * 6).run()

    assert pod.said[:2] == ["the collector does not store: it broke", "the collector stores"]
    assert len(pod.said) == 3


def test_what_the_collector_refuses_does_not_hold_up_the_rest(pod: Pod) -> None:
    pod.append("w", b"".join(pod.line("w", "poison" if number == 5 else "") for number in range(9)))
    pod.refuses = lambda body: b"poison" in body

    assert (pod.drain(), pod.made()) == (0, {"w": set(range(1, 10)) - {6}})


def test_a_refused_record_is_said(pod: Pod) -> None:
    pod.append("w", pod.line("w", "poison"))
    pod.refuses = lambda body: b"poison" in body
    pod.drain()

    assert any("refuses a record" in line for line in pod.said)


def test_the_drain_ends_in_time_and_says_what_is_left(pod: Pod) -> None:
    pod.append("w", pod.line("w") + pod.line("w"))
    pod.faults = [Reply.REFUSED] * 1000
    code = pod.shipper(waits=[lambda: True, *[nothing] * 1000], drain_seconds=10).run()

    assert (code, pod.now < 12.5) == (1, True)
    assert "3 records that were sent" in pod.said[-1]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from("uvw"), st.integers(1, 4), st.sampled_from("LTM")),
        st.tuples(st.just("half"), st.sampled_from("uvw"), st.integers(1, 40), st.just("L")),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 2), st.just("")),
        st.tuples(st.just("restart"), st.just(""), st.just(0), st.just("")),
    ),
    max_size=25,
)
FAULTS = st.lists(st.sampled_from([Reply.STORED, Reply.FAILED, Reply.REFUSED]), max_size=30)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, faults=FAULTS)
def test_in_the_end_what_is_stored_is_what_was_written(steps: list[Any], faults: list[Reply]) -> None:
    """`FAILED` is a failure after the server stored; `REFUSED` stands for one before it did."""
    pod = Pod(faults=list(faults))
    torn: dict[str, bytes] = {}
    waits: list[Callable[[], bool]] = []

    class Killed(Exception):
        pass

    def kill() -> bool:
        raise Killed

    def write(writer: str, count: int, kind: Kind) -> bool:
        if writer not in pod.numbers:
            pod.begin(writer)
        pod.append(writer, torn.pop(writer, b""))
        for _ in range(count):
            pod.append(writer, pod.line(writer, kind="T" if kind == "T" else "L"))
        return False

    def half(writer: str, cut: int) -> bool:
        if writer in pod.numbers and writer not in torn:
            line = pod.line(writer)
            pod.append(writer, line[:cut])
            torn[writer] = line[cut:]
        return False

    for what, writer, count, kind in steps:
        if what == "write":
            waits.append(lambda w=writer, n=count, k=kind: write(w, n, k))  # type: ignore[misc]
        elif what == "half":
            waits.append(lambda w=writer, n=count: half(w, n))  # type: ignore[misc]
        elif what == "wait":
            waits += [nothing] * count
        else:
            waits.append(kill)
    while True:
        try:
            code = pod.shipper(waits=waits).run()
            break
        except Killed:
            continue
    # Lines that were never finished are counted and not there.
    expected = {
        writer: set(range(1, made + 1)) - ({made} if writer in torn else set())
        for writer, made in pod.numbers.items()
    }
    assert code == 0
    assert pod.made() == {writer: numbers for writer, numbers in expected.items() if numbers}
    assert pod.ledgers("exact") == pod.numbers

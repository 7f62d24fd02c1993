"""A shipper that starts again goes on where all was stored; nothing is lost, or released too early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.shipper.spooling_pod import UID, Killed, Pod, nothing

from vaportrail.contract.otlp_signals import Kind
from vaportrail.shipper import feed
from vaportrail.shipper.mark import Mark, read_mark
from vaportrail.shipper.shipper import Reply
from vaportrail.telemetry import conventions as c

FAULTS = st.lists(st.sampled_from([Reply.STORED, Reply.FAILED, Reply.REFUSED]), max_size=30)
KILLS = st.lists(st.booleans(), max_size=30)


@pytest.fixture(autouse=True, params=[("RELEASE_BYTES", 1), ("QUIET_LOOKS", 1)], ids=["at-once", "at-rest"])
def _released_soon(request: pytest.FixtureRequest) -> Any:
    """Every byte that is stored is gone at once, or when a look finds nothing new."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, *request.param)
        yield


@pytest.fixture
def pod() -> Pod:
    made = Pod()
    made.begin("w")
    return made


def run_to_the_end(pod: Pod, waits: list[Callable[[], bool]]) -> int:
    """Run a shipper, and another whenever one is killed; return the last one's exit status."""
    while True:
        try:
            return pod.shipper(waits=waits).run()
        except Killed:
            continue


def kill() -> bool:
    raise Killed


def spool_offset(pod: Pod, writer: str = "w") -> int:
    mark = read_mark(bytes(pod.files[f"{UID}/{writer}.shipped"]))
    assert mark is not None
    return mark.offset


def test_what_was_stored_is_not_sent_again(pod: Pod) -> None:
    pod.append("w", pod.line("w"))
    run_to_the_end(pod, [nothing, nothing, kill])
    pod.stored.clear()
    pod.append("w", pod.line("w"))
    pod.drain()

    assert pod.made() == {"w": {2}}


def test_what_was_stored_is_released_but_the_header(pod: Pod) -> None:
    header = bytes(pod.files[f"{UID}/w.spool"])
    pod.append("w", pod.line("w"))
    pod.append("w", b"told\n", "out")
    pod.append("w", pod.line("w", "told", **{c.LOG_IOSTREAM: "stdout", c.STREAM_OFFSET: 5}))
    pod.drain()

    spool = bytes(pod.files[f"{UID}/w.spool"])
    assert spool == header + bytes(len(spool) - len(header))
    assert bytes(pod.files[f"{UID}/w.out"]) == bytes(5)


def test_what_was_not_stored_is_not_released(pod: Pod) -> None:
    pod.append("w", pod.line("w"))
    before = bytes(pod.files[f"{UID}/w.spool"])
    pod.faults = [Reply.FAILED] * 1000
    pod.shipper(waits=[nothing] * 20, drain_seconds=5).run()

    assert bytes(pod.files[f"{UID}/w.spool"]) == before


def test_a_line_that_is_refused_is_passed_over_by_the_next_shipper(pod: Pod) -> None:
    pod.append("w", pod.line("w", "poison"))
    pod.refuses = lambda body: b"poison" in body
    with pytest.raises(Killed):
        pod.shipper(waits=[nothing, kill]).run()
    pod.said.clear()
    pod.drain()

    assert not any("refuses" in line for line in pod.said)


def test_a_disk_that_takes_no_mark_is_said_once_and_holds_nothing_up(pod: Pod) -> None:
    pod.disk_trouble = OSError(28, "No space left on device")
    pod.append("w", pod.line("w"))

    def write() -> bool:
        pod.append("w", pod.line("w"))
        return False

    code = pod.shipper(waits=[nothing, write, write]).run()

    assert (code, pod.made()) == (0, {"w": {1, 2, 3}})
    assert [line for line in pod.said if "goes on taking space" in line] == [
        "what is stored goes on taking space on the disk: [Errno 28] No space left on device"
    ]


def test_a_mark_that_is_older_than_what_was_released_costs_nothing(pod: Pod) -> None:
    """As a machine that went down can leave it."""
    pod.append("w", pod.line("w"))
    with pytest.raises(Killed):
        pod.shipper(waits=[nothing, kill]).run()
    old = bytes(pod.files[f"{UID}/w.shipped"])
    pod.append("w", b"".join(pod.line("w", "x" * 1000) for _ in range(3000)))
    with pytest.raises(Killed):
        pod.shipper(waits=[nothing, kill]).run()
    pod.files[f"{UID}/w.shipped"] = bytearray(old)
    pod.append("w", pod.line("w"))

    assert (pod.drain(), pod.made()) == (0, {"w": set(range(1, 3003))})


def test_a_drain_that_was_interrupted_goes_on_with_the_same_numbers(pod: Pod) -> None:
    lines = [f"line {number} {'x' * 90}" for number in range(30_000)]
    pod.append("w", "\n".join(lines).encode(), "out")
    pod.kills = [False] * 9 + [True]
    run_to_the_end(pod, [])

    assert [line for line, _ in pod.recovered_lines()] == lines


@pytest.mark.parametrize(
    "raw", [b"", b"00000000 {}\n", b"zz {}\n", b"\0" * 100, b'a2fca0c8 {"new": 1}\n', b"\xff"], ids=repr
)
def test_other_bytes_are_no_mark(raw: bytes) -> None:
    assert read_mark(raw) is None


@given(
    st.builds(
        Mark,
        header=st.integers(0, 1 << 60),
        offset=st.integers(0, 1 << 60),
        read=st.dictionaries(st.sampled_from(["stdout", "stderr"]), st.integers(0, 1 << 60)),
        attempt=st.dictionaries(st.text("abcé\n"), st.text("abcé\n") | st.integers()),
        sent=st.integers(0, 1 << 60),
        last=st.integers(0, 1 << 60),
    ),
    st.binary(max_size=50),
)
def test_a_mark_comes_back_whatever_an_earlier_one_left_behind_it(mark: Mark, rest: bytes) -> None:
    assert read_mark(mark.to_line() + rest) == mark


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from("uvw"), st.integers(1, 4), st.sampled_from("LTM")),
        st.tuples(st.just("half"), st.sampled_from("uvw"), st.integers(1, 40), st.just("L")),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 2), st.just("")),
        st.tuples(st.just("restart"), st.just(""), st.just(0), st.just("")),
    ),
    max_size=25,
)


@settings(max_examples=200)
@given(steps=STEPS, faults=FAULTS, kills=KILLS)
def test_in_the_end_what_is_stored_is_what_was_written(
    steps: list[Any], faults: list[Reply], kills: list[bool]
) -> None:
    pod = Pod(faults=list(faults), kills=list(kills))
    torn: dict[str, bytes] = {}
    waits: list[Callable[[], bool]] = []

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
    code = run_to_the_end(pod, waits)
    # Lines that were never finished are counted and not there.
    expected = {
        writer: set(range(1, made + 1)) - ({made} if writer in torn else set())
        for writer, made in pod.numbers.items()
    }
    assert code == 0
    assert pod.made() == {writer: numbers for writer, numbers in expected.items() if numbers}
    assert pod.ledgers("exact") == pod.numbers


class Printer:
    """A process that prints, and records some of what it printed, now in an attempt, now in none."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        pod.begin("w")
        self.printed: list[tuple[str, str]] = []
        """Each line, and the task in which it was printed."""
        self.told = self.size = self.attempts = 0
        self.ends: list[int] = []
        self.task = ""

    def print(self, count: int) -> None:
        for _ in range(count):
            text = f"line {len(self.printed)}"
            self.printed.append((text, self.task))
            self.pod.append("w", f"{text}\n".encode(), "out")
            self.size += len(text) + 1
            self.ends.append(self.size)

    def tell(self, count: int) -> None:
        for text, _ in self.printed[self.told : self.told + count]:
            values = {c.LOG_IOSTREAM: "stdout", c.STREAM_OFFSET: self.ends[self.told]}
            self.pod.append("w", self.pod.line("w", text, **values))
            self.told += 1

    def begin(self) -> None:
        if not self.task:
            self.tell(len(self.printed))
            self.attempts += 1
            self.task = f"t-{self.attempts}"
            offsets = {c.STDOUT_OFFSET: self.size, c.STDERR_OFFSET: 0}
            self.pod.append("w", self.pod.attempt_line("w", self.task, **offsets))

    def end(self) -> None:
        if self.task:
            self.tell(len(self.printed))
            self.pod.append("w", self.pod.span_line("w", self.task))
            self.task = ""


@settings(max_examples=200)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["print", "tell", "begin", "end", "wait", "restart"]), st.integers(1, 3)),
        max_size=30,
    ),
    faults=FAULTS,
    kills=KILLS,
)
def test_in_the_end_all_output_is_on_record_once_and_its_attempts(
    steps: list[tuple[str, int]], faults: list[Reply], kills: list[bool]
) -> None:
    pod = Pod(faults=list(faults), kills=list(kills))
    printer = Printer(pod)
    waits: list[Callable[[], bool]] = []

    def do(what: str, count: int) -> bool:
        if what in ("print", "tell"):
            getattr(printer, what)(count)
        else:
            getattr(printer, what)()
        return False

    for what, count in steps:
        if what == "wait":
            waits += [nothing] * count
        elif what == "restart":
            waits.append(kill)
        else:
            waits.append(lambda w=what, n=count: do(w, n))  # type: ignore[misc]
    assert run_to_the_end(pod, waits) == 0

    assert pod.recovered_lines() == printer.printed[printer.told :]

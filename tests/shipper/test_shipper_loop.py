"""Every record that is spooled reaches the collector, whatever happens on the way."""

from __future__ import annotations

from math import inf

import pytest
from tests.shipper.spooling_pod import UID, Pod, nothing

from vaportrail.shipper.shipper import BATCH_BYTES, Reply
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.spool import spool_line


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


def test_a_spool_that_has_not_grown_is_not_read(pod: Pod) -> None:
    pod.append("w", pod.line("w"))
    reads: list[int] = []
    pod.shipper(waits=[nothing, nothing, *[lambda: bool(reads.append(len(pod.reads)))] * 5]).run()

    assert len(set(reads[1:])) == 1


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


def test_the_rest_of_what_cells_print_is_shipped_as_their_tasks(pod: Pod) -> None:
    pod.begin("cells-1", "cells")
    pod.append("cells-1", pod.cell_line("cells-1", "train-1", **{c.STDOUT_OFFSET: 0, c.STDERR_OFFSET: 0}))
    pod.append("cells-1", b"last words", "out")
    pod.drain()

    assert pod.recovered_lines() == [("last words", "train-1")]


def test_long_output_that_has_no_record_is_shipped_whole(pod: Pod) -> None:
    lines = [f"line {number} {'x' * 90}" for number in range(30_000)]
    pod.append("w", "\n".join(lines).encode(), "out")
    pod.drain()

    assert [line for line, _ in pod.recovered_lines()] == lines


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


def test_one_wait_gives_one_post_whatever_is_written_meanwhile(pod: Pod) -> None:
    pod.append("w", pod.line("w"))
    pod.on_post = lambda: pod.posts < 50 and pod.append("w", pod.line("w"))
    posts: list[int] = []
    pod.shipper(waits=[nothing, *[lambda: bool(posts.append(pod.posts))] * 3]).run()

    assert posts == [1, 2, 3]


def test_what_fills_requests_is_not_waited_with(pod: Pod) -> None:
    pod.append("w", b"".join(pod.line("w", "x" * 1000) for _ in range(5000)))
    reached: list[set[int]] = []
    pod.shipper(waits=[nothing, lambda: bool(reached.append(pod.made()["w"]))]).run()

    assert reached == [set(range(1, 5001))]


def test_a_post_has_all_time_while_it_follows_and_in_the_end_what_the_drain_has(pod: Pod) -> None:
    pod.append("w", pod.line("w"))
    pod.left = []
    pod.shipper(waits=[nothing, nothing], drain_seconds=10).run()

    assert (pod.left[0], pod.left[-1]) == (inf, 10)


def test_the_end_is_heard_while_a_reply_is_waited_for(pod: Pod) -> None:
    pod.append("w", pod.line("w"))
    pod.left = []
    pod.shipper(waits=[nothing], drain_seconds=10).run()

    assert pod.left[0] == 10


@pytest.mark.parametrize(
    "spoilt",
    [
        b"[" * 100_000 + b"\n",
        b'{"vaportrail.spool":1,"writer":"v","role":"worker","started":1,"resource":{"attributes":7}}\n',
        b'{"vaportrail.spool":1,"writer":"v","role":"worker","started":1,"resource":7}\n',
    ],
)
def test_a_process_that_has_spoilt_its_spool_does_not_silence_the_others(pod: Pod, spoilt: bytes) -> None:
    pod.append("v", spoilt + pod.line("w"))
    pod.append("w", pod.line("w"))
    pod.drain()

    assert 2 in pod.made()["w"]


@pytest.mark.parametrize("name", [c.STREAM_OFFSET, c.TASK_RUN_ID])
def test_a_line_that_is_too_deep_does_not_silence_the_others(pod: Pod, name: str) -> None:
    pod.begin("v")
    body = f'{{"eventName":"vaportrail.attempt.started","x":"{name}","attributes":{"[" * 100_000}'
    pod.append("v", spool_line(1, "L", "s", body))
    pod.append("w", pod.line("w", "said by the other"))
    pod.drain()

    assert b"said by the other" in b"".join(body for _, body in pod.stored)

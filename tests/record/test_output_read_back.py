"""Output through a worker, its spool, the seal and a reader: the lines that were printed, one by one."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.line_by_line import lines_of_output
from tests.record.test_no_secret_in_record import PLAIN, Run

from vaportrail.record.reading.read import open_run
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.telemetry.attempt_scope import set_attempt_scope
from vaportrail.telemetry.output_files import OutputFiles
from vaportrail.telemetry.redact import redactor

KEY = "first line of a key\nsecond line of it\nlast"
SECRETS = {"API_TOKEN": "s3cret-value", "TLS_PRIVATE_KEY": KEY}
PIECES = st.sampled_from(
    [
        b"", b"a line\n", b"\n", b"\n\n", b"half", b"\r", b"\r\n", b"10%\r", b"     \r", b"\xff\xc3",
        "é".encode(),
        b"\xc3", b"\xa9", b":job_id:1\n", b"x" * 30_000, b"y" * 20_000 + b"\n", b"s3cret-value", b"s3cret-",
        b"value\n", KEY.encode(), KEY.encode() + b"\n", b"second line of it\n", b"line of it\n" * 9000,
    ]
)  # fmt: skip
STEPS = st.lists(st.tuples(PIECES, st.booleans()), max_size=14)
"""What is printed, and whether it is recorded then; the rest is left to the sealer."""


def read_back(root: Path, steps: list[tuple[bytes, bool]], *, runner_lives: bool = True) -> list[str]:
    """Return the lines of an attempt's output in the record of its run; its worker dies."""
    run = Run(root, {}, {})
    run.start()
    run.call(1)
    set_attempt_scope(run.attempt, run.settings)
    try:
        files = OutputFiles(run.worker)
        for printed, recorded in steps:
            os.write(files.write["stdout"], printed)
            if recorded:
                files.drain(final=False)
    finally:
        set_attempt_scope(None)
    for fd in (*files.write.values(), *files._read.values()):
        os.close(fd)
    if runner_lives:
        run.end("its worker died")
    seal_spool(run.spool, clock=lambda: 10**18 + 100)
    found = open_run(run.settings.record_uri)
    assert found.facts.counts.loss == "None"
    return [line.text for line in found.logs(task="work-1") if line.source == "stdout"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
@example([(b"one\ntwo\nhal", True), (b"f\nfour", False)])
@example([(KEY.encode()[:25], True), (KEY.encode()[25:], True)])
@example([(b"line\n" * 50_000, True), (b"line\n" * 50_000, False)])
def test_the_lines_that_are_read_are_those_that_were_printed(steps: list[tuple[bytes, bool]]) -> None:
    raw = b"".join(printed for printed, _ in steps)
    secrets = redactor({**PLAIN, **SECRETS})
    if any(len(line) >= 64 * 1024 for line in raw.split(b"\n")):
        return  # such a line is cut, and told so
    with TemporaryDirectory() as root, patch.dict(os.environ, {**PLAIN, **SECRETS}, clear=True):
        found = read_back(Path(root), steps)

    assert found == lines_of_output(raw, secrets)


def test_what_the_sealer_reads_comes_last_also_where_nothing_was_said_after_it(tmp_path: Path) -> None:
    found = read_back(tmp_path, [(b"recorded\n", True), (b"not recorded\n", False)], runner_lives=False)

    assert found == ["recorded", "not recorded"]

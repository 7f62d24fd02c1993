"""Whatever the environment holds and a run says of it: the run seals, and no secret is in a byte."""

from __future__ import annotations

import gzip
import html
import itertools
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vaportrail import task
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import UsageError
from vaportrail.execution.call import describe_call
from vaportrail.execution.described_failure import describe_failure
from vaportrail.execution.shared_identity import without_secrets
from vaportrail.record.label import call_label
from vaportrail.record.reading.read import open_run
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.storage import layout
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.attempt_scope import AttemptScope
from vaportrail.telemetry.described import describe
from vaportrail.telemetry.exceptions import exception_values
from vaportrail.telemetry.identity import attempt_span_id, run_span_id, task_span_id
from vaportrail.telemetry.json_attributes import encode_attribute
from vaportrail.telemetry.log_files import record_artifact
from vaportrail.telemetry.log_types import VALUES as LOGGED
from vaportrail.telemetry.output import SEVERITY, block_values
from vaportrail.telemetry.output_blocks import split_blocks
from vaportrail.telemetry.recorder import SERVER, Recorder, run_values

METRIC = LOGGED["metric"].event
PARAM = LOGGED["param"].event
TAG = LOGGED["tag"].event

UID = "7d2ab5c0-0000-4000-8000-000000000001"
PLACE = "/srv/team/code"
CODE = f"{PLACE}/pipeline.py"
PLAIN = {"PWD": PLACE, "OLDPWD": "/srv/team", "SSH_AUTH_SOCK": "/srv/team/agent", "SORT_KEY": PLACE}
NAMES = ["DB_PASSWORD", "API_TOKEN", "TLS_PRIVATE_KEY", "SMTP_PASS", "SIGNING_KEY"]
LIMIT = 64 * 1024
counted: Counter[str] = Counter()


@task
def work(*args: Any, **more: Any) -> None:
    """Only called."""


class Run:
    """A run of one task, as the runner and one worker that dies would write it; no Ray."""

    def __init__(self, root: Path, parameters: dict[str, Any], tags: dict[str, str]) -> None:
        named = RunIdentity(UID, "flow", "first", 10**18, parameters, tags, "flow:flow")
        spool = root / layout.SPOOL / UID
        spool.mkdir(parents=True, mode=0o700)
        self.settings = RunSettings(
            without_secrets(named), str(spool), str(root), "runs/flow/20010909T014640Z-7d2ab5c0"
        )
        (spool / layout.RUN_FILE).write_text(self.settings.to_json())
        self.spool = spool
        clock = itertools.count(10**18).__next__
        self.runner = Recorder(self.settings, "runner", clock=clock, writer_id="runner-a")
        self.worker = Recorder(self.settings, "worker", clock=clock, writer_id="worker-a")
        self.span = attempt_span_id(UID, "work-1", 1, 1)
        self.attempt = AttemptScope("work-1", "work", 1, self.span, scratch="/nowhere")

    def start(self) -> None:
        identity = self.settings.identity
        values = {**run_values(identity, 1), c.RUN_ENVIRONMENT: encode_attribute({"python": "3.11"})}
        self.runner.span_started(
            "RUN flow", run_span_id(UID), "", kind=SERVER, event=c.EVENT_RUN_STARTED, unix_nano=10**18,
            values=values,
        )  # fmt: skip

    def call(self, argument: Any) -> str:
        """Write that the task was called; return what is told of the call."""
        described, _ = describe_call(work, (argument, 3), {"more": [argument]}, self.runner)
        self.runner.span_started(
            "work",
            task_span_id(UID, "work-1", 1),
            run_span_id(UID),
            event=c.EVENT_TASK_SUBMITTED,
            values={
                c.TASK_RUN_ID: "work-1",
                c.TASK_NAME: "work",
                c.TASK_KIND: "python",
                c.TASK_UPSTREAM: [],
                c.TASK_EDGES: encode_attribute([]),
                c.TASK_ARGUMENTS: encode_attribute(described),
                c.TASK_OPTIONS: encode_attribute({}),
                c.TASK_ALLOW_FAILURE: False,
            },
        )
        parent = task_span_id(UID, "work-1", 1)
        values = {c.PROCESS_PID: 1, c.NODE_ID: "n", c.STDOUT_OFFSET: 0, c.STDERR_OFFSET: 0}
        self.worker.span_started(
            "work", self.span, parent, event=c.EVENT_ATTEMPT_STARTED, values=values, attempt=self.attempt
        )
        return call_label("work", described)

    def say(self, text: str, number: float) -> None:
        """Write everything of a user's that holds a text or a number."""
        worker, attempt = self.worker, self.attempt
        code = {c.CODE_FILE_PATH: CODE, c.CODE_LINE_NUMBER: 3}
        worker.log(text, scope="my.logger", attempt=attempt, values={**code, f"extra.{text}": number})
        for name, value in {
            "text": text,
            "number": number,
            text[:60]: {text: [text, number, text.encode()]},
        }.items():
            body = describe(value, plain=worker.plain)
            worker.log(body, event=PARAM, values={c.VALUE_NAME: name}, attempt=attempt)
        worker.log(float(number), event=METRIC, values={c.VALUE_NAME: "loss"}, attempt=attempt)
        worker.log(f"cwd {PLACE}", event=TAG, values={c.VALUE_NAME: "cwd"}, attempt=attempt)
        with suppress(UsageError):  # not every text can be a name
            record_artifact(worker, f"{text[:80]}.txt", b"content", "text/plain", "text")
        failure = describe_failure(RuntimeError(text))
        worker.span(text, "00000000000000aa", self.span, 10**18, 10**18 + 1, ok=False, message=text,
                    failure=failure, values={"user.attribute": {text: text}})  # fmt: skip
        told = worker.without_secrets(failure)
        self.runner.log(event=c.EVENT_ATTEMPT_RESOLVED, span_id=self.span, attempt=attempt,
                        values={c.OUTCOME: Outcome.WORKER_LOST.value, **exception_values(told)})  # fmt: skip

    def print(self, output: bytes, recorded: int) -> None:
        """Print; the worker has time to record so many bytes of it, and dies."""
        (self.spool / "worker-a.out").write_bytes(output)
        secrets = self.worker.writer.redact
        for block in split_blocks(output[:recorded], 0, final=False, secrets=secrets):
            self.worker.log(block.text, scope="stdout", severity=SEVERITY["stdout"],
                            values=block_values("stdout", block), attempt=self.attempt)  # fmt: skip

    def end(self, message: str) -> None:
        values = {c.OUTCOME: "FAILED", c.RUN_MESSAGE: message}
        self.runner.log(event=c.EVENT_RUN_ENDED, span_id=run_span_id(UID), values=values)
        self.runner.span("RUN flow", run_span_id(UID), "", 10**18, 10**18 + 9, ok=False, message=message,
                         values={c.OUTCOME: "FAILED", c.PIPELINE_NAME: "flow"})  # fmt: skip
        self.runner.writer.close()
        self.worker.writer.close()


def texts(value: Any) -> Iterator[str]:
    """Yield every text and number in JSON, and in JSON inside of its texts, as texts."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value
        with suppress(ValueError, RecursionError):
            inner = json.loads(value)
            if isinstance(inner, dict | list | str):
                yield from texts(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
        if isinstance(value, float) and value.is_integer():
            yield str(int(value))


def everything(folder: Path) -> Iterator[str]:
    """Yield what a record's files hold: their names, their bytes, and the texts of their JSON."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder))
        if path.is_dir():
            continue
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
        yield raw.decode("utf-8", "surrogateescape")
        for line in raw.splitlines() if path.name.endswith(".jsonl.gz") else [raw]:
            with suppress(ValueError):
                yield from texts(json.loads(line))


def run_and_seal(
    root: Path, environ: dict[str, str], text: str, number: float, output: bytes, recorded: int
) -> Path:
    with patch.dict(os.environ, {**PLAIN, **environ}, clear=True):
        run = Run(root, {"text": text, "number": number, "deep": {text: [number]}}, {"tag": text, text: "x"})
        run.start()
        label = run.call({"a": text, text: number})
        run.say(text, number)
        run.print(output, recorded)
        run.end(f"failed: {label}: {text}")
    # Where it is sealed nothing is known of the environment.
    seal_spool(run.spool, clock=lambda: 10**18 + 100)
    return Path(run.settings.record_uri)


@lru_cache(maxsize=1)
def said_anyway() -> str:
    """Return all that is in a record of which nothing is a user's."""
    with tempfile.TemporaryDirectory() as root:
        return "\n".join(everything(run_and_seal(Path(root), {}, "", 0, b"", 0)))


SIGNS = st.text(st.sampled_from("aZ09\"'\\&<>%=;:/@{}[]$ \té…🦊"), min_size=8, max_size=24)
DIGITS = st.integers(10_000_000, 10**15).map(str)
LINES = st.lists(SIGNS, min_size=2, max_size=3).map("\n".join)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=8, max_size=24)
VALUES = SIGNS | DIGITS | LINES | ANY


@st.composite
def environments(draw: st.DrawFn) -> dict[str, str]:
    first = draw(VALUES)
    values = [first, *draw(st.lists(VALUES | SIGNS.map(lambda more: first + more), max_size=3))]
    found = {name: value for name, value in zip(NAMES, values, strict=False) if not value.isspace()}
    if draw(st.booleans()):
        password = draw(st.text(st.sampled_from("aZ09%=;.-_~"), min_size=8, max_size=20))
        found["DATABASE_URL"] = f"postgres://app:{password}@db.example/app"
    return found


def canaries(environ: dict[str, str]) -> list[str]:
    """Return what must not be in the record, found another way than by the code under test."""
    found = []
    for name, value in environ.items():
        if name == "DATABASE_URL":
            found.append(value.removeprefix("postgres://app:").removesuffix("@db.example/app"))
        else:
            found += [value, *value.replace("\r", "\n").split("\n")]
    # What any record says is no secret of this one's.
    return [each.strip() for each in found if len(each.strip()) >= 8 and each.strip() not in said_anyway()]


FORMS = [str, json.dumps, repr, html.escape, lambda text: json.dumps(json.dumps(text)), str.strip]


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_run_seals_without_a_secret_and_without_a_path_gone(data: st.DataObject) -> None:
    environ = data.draw(environments())
    hidden = canaries(environ)
    secret = data.draw(st.sampled_from([*environ.values(), *hidden]))
    text = data.draw(ANY) + data.draw(st.sampled_from(FORMS))(secret) + data.draw(ANY)
    number: float = int(secret) if secret.isascii() and secret.isdigit() else 3
    number = data.draw(st.sampled_from([number, -number, float(number)]))
    before = LIMIT - data.draw(st.integers(0, 2 * len(secret.encode())))
    long = b"x" * before + secret.encode() + b"y" * data.draw(st.sampled_from([0, 10, LIMIT]))
    output = b"\n".join([text.encode(), long, secret.encode(), long])
    recorded = data.draw(st.integers(0, len(output)))

    with tempfile.TemporaryDirectory() as root:
        record = run_and_seal(Path(root), environ, text, number, output, recorded)
        found = list(everything(record))
        facts = open_run(str(record)).facts
        attempts, tags = list(facts.attempts), list(facts.tags)
        logs = [line for line in open_run(str(record)).logs() if line.source == "my.logger"]

    counted.update(runs=1, canaries=len(hidden), texts=len(found))
    leaks = [(canary, said) for canary in hidden for said in found if canary in said]
    assert leaks == []
    assert (facts.verdict.outcome, len(attempts), len(logs)) == (Outcome.FAILED, 1, 1)
    assert [tag.value for tag in tags] == [f"cwd {PLACE}"]
    assert any(said == CODE for said in found)


@pytest.fixture(scope="module", autouse=True)
def told() -> Iterator[None]:
    yield
    print(f"\n{dict(counted)}: 0 unsealed, 0 canaries in the bytes, 0 paths redacted")


def test_a_canary_that_is_not_replaced_would_be_found(tmp_path: Path) -> None:
    # Otherwise the test above could not fail.
    record = run_and_seal(tmp_path, {}, "hunter2hunter2", 87654321, b"hunter2hunter2\n", 0)
    assert sum("hunter2hunter2" in said for said in everything(record)) > 10
    assert sum("87654321" in said for said in everything(record)) > 5


def test_a_number_that_is_a_secret_is_a_text_and_as_a_metric_none_with_the_reason(tmp_path: Path) -> None:
    record = run_and_seal(tmp_path, {"DB_PASSWORD": "87654321"}, "a", 87654321, b"", 0)
    facts = open_run(str(record)).facts

    assert facts.run.parameters["number"] == "[redacted:DB_PASSWORD]"
    [metric] = facts.metrics
    assert str(metric.last) == "nan"
    assert "[redacted:DB_PASSWORD]" in next(
        said for said in everything(record) if "vaportrail.redacted" in said
    )

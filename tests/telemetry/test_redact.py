"""Secrets of the environment never reach a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaportrail.telemetry.redact import cut_outside, redactor
from vaportrail.telemetry.secret_digests import read_digests, write_digests
from vaportrail.telemetry.spool import Header, Writer, compact, read_spool

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=8, max_size=30)


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "GITHUB_TOKEN", "client_secret", "OPENAI_API_KEY", "APIKEY", "AWS_SECRET_ACCESS_KEY",
     "MYSQL_PASSWD", "PRIVATE_KEY", "AUTH_KEY", "credentials"],
)  # fmt: skip
def test_a_variable_with_a_secret_name_is_replaced_by_its_name(name: str) -> None:
    redact = redactor({name: "hunter2hunter2"})
    assert redact is not None
    assert redact("login hunter2hunter2!") == f"login [redacted:{name}]!"


@pytest.mark.parametrize(
    "name",
    [
        "HOME",
        "KEYBOARD",
        "MONKEY",
        "TOKEN_FILE",
        "SECRET_PATH",
        "PASSWORD_DIR",
        "TOKEN_URL",
        "AWS_ACCESS_KEY_ID",
    ],
)
def test_a_variable_with_another_name_stays(name: str) -> None:
    assert redactor({name: "hunter2hunter2"}) is None


@pytest.mark.parametrize(("value", "is_secret"), [("1234567", False), ("12345678", True)])
def test_a_value_counts_as_secret_from_eight_characters_on(value: str, is_secret: bool) -> None:
    assert (redactor({"TOKEN": value}) is not None) is is_secret


def test_without_secrets_there_is_nothing_to_do() -> None:
    assert redactor({}) is None


@settings(deadline=None)
@given(secret=TEXT, before=TEXT, after=TEXT)
def test_a_secret_inside_a_line_of_json_is_gone_and_the_line_is_json_still(
    secret: str, before: str, after: str
) -> None:
    mark = "[redacted:TOKEN]"
    redact = redactor({"TOKEN": f"s3cr3t{secret}"})
    assert redact is not None
    line = redact(compact({"body": f"{before}|s3cr3t{secret}|{after}"}))
    assert json.loads(line)["body"] == f"{before}|{mark}|{after}"


@given(TEXT)
def test_a_secret_is_found_in_ascii_json_too(secret: str) -> None:
    redact = redactor({"TOKEN": f"s3cr3t{secret}"})
    assert redact is not None
    assert redact(json.dumps(f"s3cr3t{secret}")) == '"[redacted:TOKEN]"'


def test_a_secret_that_holds_another_is_replaced_whole() -> None:
    redact = redactor({"SHORT_TOKEN": "abcdefgh", "LONG_TOKEN": "abcdefgh-ijkl"})
    assert redact is not None
    assert redact("abcdefgh-ijkl abcdefgh") == "[redacted:LONG_TOKEN] [redacted:SHORT_TOKEN]"


def test_characters_of_patterns_in_a_secret_mean_themselves() -> None:
    redact = redactor({"TOKEN": "a.c*e(g|h"})
    assert redact is not None
    assert redact("abc*e(g|h a.c*e(g|h") == "abc*e(g|h [redacted:TOKEN]"


def test_a_secret_inside_json_inside_a_record_is_found_although_it_is_escaped_twice(tmp_path: Path) -> None:
    secret = 'pa"ss\\wörd\n1'
    header = Header("w", "worker", 1, {})
    writer = Writer(tmp_path, header, redactor({"DB_PASSWORD": secret}))
    inner = json.dumps({"argument": secret})
    writer.append("L", "s", lambda seq: {"attributes": [{"key": "k", "value": {"stringValue": inner}}]})
    writer.close()

    raw = (tmp_path / "w.spool").read_text()
    assert "[redacted:DB_PASSWORD]" in raw
    assert "rd\\" not in raw.split("[redacted")[1]


def test_keys_numbers_and_what_holds_a_record_together_are_never_touched(tmp_path: Path) -> None:
    writer = Writer(
        tmp_path, Header("w", "worker", 1, {}), redactor({"A_TOKEN": "12345678", "B_TOKEN": "vaportrail"})
    )
    record = {
        "body": {"doubleValue": 12345678.5},
        "attributes": [
            {"key": "vaportrail.seq", "value": {"intValue": "12345678"}},
            {"key": "cicd.pipeline.task.run.id", "value": {"stringValue": "vaportrail-1"}},
        ],
    }
    writer.append("L", "s", lambda seq: record)
    writer.close()

    lines = (tmp_path / "w.spool").read_bytes().splitlines(keepends=True)[1:]
    assert [line.record for line in read_spool(iter(lines))] == [record]


@pytest.mark.parametrize(
    "key",
    [
        "cicd.pipeline.task.run.id",
        "vaportrail.task.cause",
        "vaportrail.task.upstream",
        "vaportrail.ledger.writer",
    ],
)
def test_an_id_is_the_same_wherever_it_is_repeated(key: str) -> None:
    redact = redactor({"A_TOKEN": "train-model"})
    assert redact is not None
    pair = {"key": key, "value": {"stringValue": "train-model-1"}}

    assert redact.record({"attributes": [pair]}) == {"attributes": [pair]}


def test_the_address_of_a_task_ends_with_its_id_and_has_no_secret_before_it() -> None:
    redact = redactor({"A_TOKEN": "train-model"})
    assert redact is not None
    key = "cicd.pipeline.task.run.url.full"
    (said,) = redact.record([{"key": key, "value": {"stringValue": "/train-model/x#train-model-1"}}])

    assert said["value"] == {"stringValue": "/[redacted:A_TOKEN]/x#train-model-1"}


@pytest.mark.parametrize(
    ("secret", "recorded"), [("hunter2 hunter2", "client.[redacted:API_TOKEN]"), ("vaportrail", "vaportrail")]
)
def test_the_name_of_a_logger_or_a_tracer_holds_no_secret_and_ours_stays(
    tmp_path: Path, secret: str, recorded: str
) -> None:
    writer = Writer(tmp_path, Header("w", "worker", 1, {}), redactor({"API_TOKEN": secret}))
    writer.append("L", recorded.replace("[redacted:API_TOKEN]", secret), lambda seq: {"seq": seq})
    writer.close()

    lines = (tmp_path / "w.spool").read_bytes().splitlines(keepends=True)[1:]
    assert [line.scope for line in read_spool(iter(lines))] == [recorded]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<abcdefghijkl>", "<[redacted:A_TOKEN]>"),
        ("<abcdefghijklmnop>", "<[redacted:A_TOKEN]>"),
        ("<abcdefgh ijklmnop>", "<[redacted:A_TOKEN] [redacted:C_TOKEN]>"),
        ("<xyxyxyxyxyxyx>", "<[redacted:D_TOKEN]x>"),
        ("<[redacted:A_TOKEN]efghijkl>", "<[redacted:A_TOKEN][redacted:B_TOKEN]>"),
    ],
)
def test_of_secrets_that_overlap_no_end_stays(tmp_path: Path, text: str, left: str) -> None:
    redact = redactor(
        {"A_TOKEN": "abcdefgh", "B_TOKEN": "efghijkl", "C_TOKEN": "ijklmnop", "D_TOKEN": "xyxyxyxy"}
    )
    assert redact is not None
    write_digests(tmp_path / "w.digests", redact)
    by_digests = read_digests((tmp_path / "w.digests").read_bytes())
    assert by_digests is not None

    assert (redact(text), by_digests(text)) == (left, left)


@pytest.mark.parametrize(("at", "cut"), [(4, 3), (9, 3), (14, 3), (17, 3), (19, 19), (2, 2)])
def test_a_cut_goes_before_all_secrets_that_overlap(at: int, cut: int) -> None:
    redact = redactor({"A_TOKEN": "abcdefgh", "B_TOKEN": "efghijkl", "C_TOKEN": "ijklmnop"})
    assert redact is not None

    assert cut_outside(redact, b"..-abcdefghijklmnop....", at) == cut
    assert cut_outside(redact, b"abcdefghijklmnop....", 5) == 16


@pytest.mark.parametrize(
    "secret", ["12345678", "1234567890123456", "12345678901234567", "98765432109876543210"]
)
def test_a_secret_that_was_read_as_a_float_is_found_in_values_and_texts(tmp_path: Path, secret: str) -> None:
    redact = redactor({"A_PASSWORD": secret})
    assert redact is not None
    number = float(secret)
    writer = Writer(tmp_path, Header("w", "worker", 1, {}), redact)
    writer.append("L", "s", lambda seq: {"body": {"doubleValue": -number}})
    writer.close()

    assert redact.everywhere(number) == "[redacted:A_PASSWORD]"
    assert redact(f"it is {number!r}").removesuffix(".0") == "it is [redacted:A_PASSWORD]"
    assert "[redacted:A_PASSWORD]" in (tmp_path / "w.spool").read_text()

"""What of a variable's value is secret: itself, its lines, its fields, the password of its URL."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.telemetry.redact import redactor
from vaportrail.telemetry.secret_texts import secret_texts

LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw"
PEM = f"-----BEGIN PRIVATE KEY-----\n{LINE}\nAoGBAKj34GkxFhD\n-----END PRIVATE KEY-----\n"
ACCOUNT = {"type": "service_account", "project_id": "my-project-1", "private_key": PEM}
SECRET = "pa\"ss'<w>\\&ö1"


def secrets(**environ: str) -> set[str]:
    return set(secret_texts(environ, lambda path: path == "/home/me/id_rsa"))


@pytest.mark.parametrize("value", [PEM, PEM.replace("\n", "\\n"), PEM.replace("\n", "\r\n"), PEM.strip()])
def test_each_line_of_a_key_is_a_secret_and_its_frame_is_none(value: str) -> None:
    assert {LINE, "AoGBAKj34GkxFhD"} <= secrets(TLS_PRIVATE_KEY=value)
    assert not any(text.endswith("KEY-----") for text in secrets(TLS_PRIVATE_KEY=value) if LINE not in text)


@pytest.mark.parametrize("indent", [None, 2])
def test_of_a_json_document_what_its_keys_say_is_a_secret(indent: int | None) -> None:
    found = secrets(GOOGLE_SERVICE_ACCOUNT_KEY=json.dumps(ACCOUNT, indent=indent))
    assert LINE in found
    assert not {"service_account", "my-project-1"} & found


def test_a_value_that_ends_with_a_newline_is_a_secret_without_it_too() -> None:
    assert "hunter2hunter2" in secrets(DB_PASSWORD="hunter2hunter2\n")


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "HTTPS_PROXY", "BROKER"])
def test_the_password_within_a_url_is_a_secret_and_the_rest_is_none(name: str) -> None:
    assert secrets(**{name: "postgres://app:hunter2%40hunter2@db.example:5432/app"}) == {
        "hunter2%40hunter2",
        "hunter2@hunter2",
    }


@pytest.mark.parametrize(
    "password", ["hunter2@hunter2", "p@ss@w0rd", "hunt/er2", "hunt?er2", "hunt#er2", "12/3456789"]
)
@pytest.mark.parametrize("user", ["app", "", "app@corp.example"])
def test_a_password_that_a_url_holds_as_it_is_written_by_hand_is_a_secret_whole(
    password: str, user: str
) -> None:
    url = f"postgres://{user}:{password}@db.example:5432/app"
    assert {password} <= secrets(DATABASE_URL=url)
    assert {password} <= secrets(BROKERS=f"{url},{url}")
    assert {password} <= secrets(SETTINGS=json.dumps({"url": url, "mail": "a@b.example"}))


@pytest.mark.parametrize(
    "value",
    [
        "jdbc:postgresql://db.example/app?user=app&password=hunter2%40hunter2",
        "jdbc:sqlserver://db.example;user=app;password=hunter2%40hunter2;x=1",
        "host=db.example user=app password=hunter2%40hunter2 port=5432",
        "https://api.example/v1?api_key=hunter2%40hunter2",
    ],
)
def test_a_field_within_any_variable_whose_name_says_so_is_a_secret(value: str) -> None:
    assert secrets(ADDRESS=value) == {"hunter2%40hunter2", "hunter2@hunter2"}


def test_the_path_of_a_file_that_exists_is_no_secret_within_a_value_either() -> None:
    assert secrets(OPTIONS="--key=/home/me/id_rsa --mode=1") == set()


@pytest.mark.parametrize(
    "url", ["https://host.example/@scope0123456789/x@v1", "https://host.example/a:b@c0123456789012345678"]
)
def test_an_at_sign_in_the_path_of_a_url_makes_no_secret(url: str) -> None:
    assert secrets(PAGE=url) == set()


def test_a_token_for_a_user_is_a_secret_and_a_users_name_is_none() -> None:
    assert secrets(PIP_INDEX_URL="https://ghp0123456789abcdefghij@pypi.example/simple") == {
        "ghp0123456789abcdefghij"
    }
    assert secrets(PIP_INDEX_URL="https://johnsmith@pypi.example/simple") == set()


def test_the_fields_of_a_connection_string_are_secrets_too() -> None:
    found = secrets(AZURE_STORAGE_CONNECTION_STRING="AccountName=acme1234;AccountKey=abcdefgh==;Suffix=core")
    assert "abcdefgh==" in found
    assert "acme1234" not in found


@pytest.mark.parametrize("value", ["1234567", "", "\n" * 20, "   abc   "])
def test_what_is_shorter_than_eight_characters_is_none(value: str) -> None:
    assert secrets(DB_PASSWORD=value) == set()


def test_the_path_of_a_file_that_exists_is_no_secret() -> None:
    assert secrets(SSH_KEY="/home/me/id_rsa") == set()
    assert secrets(SSH_KEY="/home/me/id_dsa") == {"/home/me/id_dsa"}


@pytest.mark.parametrize(
    "printed",
    [
        SECRET,
        repr(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(json.dumps(SECRET)),
        html.escape(SECRET),
        html.escape(SECRET, quote=False),
        repr(SECRET.encode()),
        quote(SECRET),
        quote(SECRET, safe=""),
        f"'{SECRET}' and {SECRET!r}",
        repr({SECRET: repr(SECRET)}),
        repr({"text/plain": repr({SECRET: repr(SECRET)})}),
        html.escape(repr({SECRET: repr(SECRET)})),
        json.dumps({"said": repr([repr(SECRET)])}),
        repr({"body": json.dumps({"said": repr(SECRET)})}),
    ],
)
def test_a_secret_is_found_in_each_form_in_which_a_program_prints_it(printed: str) -> None:
    redact = redactor({"DB_PASSWORD": SECRET})
    assert redact is not None
    left = redact(printed).replace("[redacted:DB_PASSWORD]", "")
    assert "pa" not in left
    assert "ss" not in left


@given(st.text(min_size=8, max_size=40), st.text(max_size=10), st.text(max_size=10))
def test_any_secret_is_gone_from_any_text_and_redacting_again_changes_nothing(
    secret: str, before: str, after: str
) -> None:
    redact = redactor({"A_TOKEN": f"s3cr3t{secret}"})
    assert redact is not None
    once = redact(f"{before}s3cr3t{secret}{after}")
    assert f"s3cr3t{secret}" not in once
    assert redact(once) == once


def test_of_two_values_of_one_name_both_are_replaced_where_they_hold_each_other() -> None:
    redact = redactor({"A_TOKEN": "abcdefgh", "B_TOKEN": "abcdefghij", "C_TOKEN": "redacted"})
    assert redact is not None
    assert redact("abcdefghij abcdefgh [redacted:A_TOKEN]") == (
        "[redacted:B_TOKEN] [redacted:A_TOKEN] [redacted:A_TOKEN]"
    )

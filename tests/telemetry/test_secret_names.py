"""Which names name a secret, by their words; which do not, though they look alike; and what users add."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.telemetry.secret_names import is_secret_field, is_secret_name, secret_names

SECRET = """
TOKEN GITHUB_TOKEN HF_TOKEN token HFTOKEN ID_TOKEN CLIENT_SECRET client_secret clientSecret CLIENT_SECRET_ID
AWS_SECRET_ACCESS_KEY SECRET_KEY_BASE DB_PASSWORD dbPassword PGPASSWORD MYSQL_PASSWD MYSQL_PWD DB_PASS
SMTP_PASS SSHPASS PASSWORD_2 GPG_PASSPHRASE credentials AZURE_CREDENTIALS OPENAI_API_KEY OPENAI_KEY APIKEY
apiKey API_KEY_V2 API_KEY_PROD ACCESS_KEY AZURE_STORAGE_ACCOUNT_KEY AZURE_STORAGE_KEY
GOOGLE_SERVICE_ACCOUNT_KEY SIGNING_KEY ENCRYPTION_KEY SSH_KEY AUTH_KEY PRIVATE_KEY TLS_PRIVATE_KEY
PRIVATE_KEY_PEM GITHUB_PAT SENTRY_DSN AZURE_STORAGE_CONNECTION_STRING spring.datasource.password
REDISCLI_AUTH BASIC_AUTH DBPASS DB_PW USER_JWT DOCKER_AUTH_CONFIG AUTHORIZATION HTTP_AUTHORIZATION
SESSION_COOKIE COOKIES SLACK_WEBHOOK_URL SLACK_WEBHOOK ENCRYPTION_KEY_EU STRIPE_KEY_EU STRIPE_KEY_EU_2
DB_PASS_QA APIKEYS apiKeys
""".split()  # noqa: SIM905
PLAIN = """
HOME PATH PWD OLDPWD SSH_AUTH_SOCK SORT_KEY PRIMARY_KEY PARTITION_KEY PUBLIC_KEY CACHE_KEY PASSENGERS
COMPASS BYPASS KEYBOARD MONKEY TURKEY PATH_PREFIX TOKENIZERS_PARALLELISM PAD_TOKEN TOKEN_FILE SECRET_PATH
PASSWORD_DIR TOKEN_URL SECRET_NAME KEY_MODE AWS_ACCESS_KEY_ID AWS_PROFILE PGPASSFILE S3_KEY_PREFIX PATIENT
DATABASE_URL REDIS_URL LS_COLORS VAPORTRAIL_SECRET_NAMES VAPORTRAIL_NOT_SECRET_NAMES VAPORTRAIL_RUN_REQUEST
SSH_ASKPASS GIT_ASKPASS XAUTHORITY AUTHOR AUTH_MODE AUTH_TYPE JWT_ALGORITHM COOKIE_NAME WEBHOOK_PORT
SORT_KEY_EU KEY_FN KEY_BY KEY_ID AUTH_DB SHELL_PW_FILE OVERPASS
_ MAX_TOKENS max_new_tokens n_tokens
""".split()  # noqa: SIM905


@pytest.mark.parametrize("name", SECRET)
def test_a_name_whose_words_say_so_names_a_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", PLAIN)
def test_a_name_that_only_looks_like_it_names_none(name: str) -> None:
    assert not is_secret_name(name)


@given(st.text())
def test_any_text_can_be_a_name(name: str) -> None:
    assert is_secret_name(name) in (True, False)


@pytest.mark.parametrize("added", ["ACME_LICENCE", "acme_*", "OTHER, ACME_*", "OTHER ACME_LICENCE"])
def test_users_add_names(added: str) -> None:
    assert not secret_names({})("ACME_LICENCE")
    assert secret_names({"VAPORTRAIL_SECRET_NAMES": added})("ACME_LICENCE")


def test_users_take_names_out_also_some_of_what_they_added() -> None:
    counts = secret_names(
        {"VAPORTRAIL_SECRET_NAMES": "ACME_*", "VAPORTRAIL_NOT_SECRET_NAMES": "ACME_REGION,SSH_KEY"}
    )
    assert [counts(name) for name in ("ACME_LICENCE", "ACME_REGION", "SSH_KEY", "DB_KEY")] == [
        True, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in SECRET if name.isidentifier()])
def test_what_names_a_secret_names_a_secret_field(name: str) -> None:
    assert is_secret_field(name, {})


def test_a_field_that_is_called_key_and_no_more_is_none() -> None:
    assert [is_secret_field(name, {}) for name in ("key", "keys", "access_key")] == [False, False, True]


def test_what_users_name_holds_for_fields() -> None:
    environ = {"VAPORTRAIL_SECRET_NAMES": "licence", "VAPORTRAIL_NOT_SECRET_NAMES": "tokens"}
    assert [is_secret_field(name, environ) for name in ("licence", "tokens", "token")] == [True, False, True]

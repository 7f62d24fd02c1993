"""What the operator is started with, what it says when that is wrong, and what its log looks like."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.errors import UsageError
from vaportrail_operator.runtime.logs import about, redacted, set_up
from vaportrail_operator.runtime.settings import VARIABLES, read_environment

GIVEN = {
    "VAPORTRAIL_OPERATOR_IMAGE": "example.invalid/operator@sha256:1",
    "VAPORTRAIL_COLLECTOR_IMAGE": "example.invalid/collector:1",
    "VAPORTRAIL_NAMESPACE": "vaportrail-system",
    "VAPORTRAIL_POD_NAME": "vaportrail-0",
}


def test_what_is_not_given_has_its_default() -> None:
    found = read_environment(GIVEN)
    assert (found.namespaces, found.log_level, found.port) == ((), "INFO", 8080)
    assert (found.identity, found.lease) == ("vaportrail-0", "vaportrail-operator")
    assert found.settings.image_pull_policy == "IfNotPresent"


def test_everything_can_be_given() -> None:
    found = read_environment(
        GIVEN
        | {
            "VAPORTRAIL_IMAGE_PULL_POLICY": "Never",
            "VAPORTRAIL_IMAGE_PULL_SECRETS": "one, two",
            "VAPORTRAIL_COLLECTOR_RESOURCES": '{"limits": {"memory": "256Mi"}}',
            "VAPORTRAIL_WATCH_NAMESPACES": "team-a,team-b",
            "VAPORTRAIL_LOG_LEVEL": "DEBUG",
            "VAPORTRAIL_PORT": "9090",
        }
    )
    assert found.namespaces == ("team-a", "team-b")
    assert found.settings.image_pull_secrets == ("one", "two")
    assert found.settings.collector_resources == {"limits": {"memory": "256Mi"}}
    assert (found.log_level, found.port, found.settings.image_pull_policy) == ("DEBUG", 9090, "Never")


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        read_environment(
            {
                "VAPORTRAIL_IMAGE_PULL_POLICY": "Sometimes",
                "VAPORTRAIL_SEALER_RESOURCES": "{",
                "VAPORTRAIL_COLLECTOR_RESOURCES": "[]",
                "VAPORTRAIL_WATCH_NAMESPACES": "Team",
                "VAPORTRAIL_PORT": "http",
            }
        )
    lines = str(raised.value).splitlines()
    assert [line.split()[0].rstrip(":") for line in lines] == [
        "VAPORTRAIL_WATCH_NAMESPACES",
        "VAPORTRAIL_OPERATOR_IMAGE",
        "VAPORTRAIL_COLLECTOR_IMAGE",
        "VAPORTRAIL_IMAGE_PULL_POLICY",
        "VAPORTRAIL_COLLECTOR_RESOURCES",
        "VAPORTRAIL_SEALER_RESOURCES",
        "VAPORTRAIL_PORT",
        "VAPORTRAIL_NAMESPACE",
    ]


@pytest.mark.parametrize("quantity", ["5GB", "", True, None, -1, [1]])
def test_a_resource_that_is_no_quantity_is_named(quantity: object) -> None:
    resources = json.dumps({"requests": {"cpu": 0.5}, "limits": {"cpu": "1e3", "memory": quantity}})

    with pytest.raises(UsageError) as raised:
        read_environment(GIVEN | {"VAPORTRAIL_COLLECTOR_RESOURCES": resources})

    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"VAPORTRAIL_COLLECTOR_RESOURCES: limits.memory is {quantity!r}: use a quantity")


def operator(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vaportrail_operator", *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )


def test_help_names_every_variable() -> None:
    done = operator("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in VARIABLES)


def test_an_operator_without_settings_says_what_is_missing() -> None:
    done = operator()
    assert done.returncode == 2
    assert "VAPORTRAIL_OPERATOR_IMAGE is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_operator_without_a_cluster_says_so(tmp_path: object) -> None:
    done = operator(**GIVEN, HOME=str(tmp_path), KUBECONFIG=f"{tmp_path}/none")
    assert done.returncode == 2
    assert "neither in a pod nor has it a kubeconfig" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    stream = io.StringIO()
    set_up("INFO", stream)
    yield stream
    root.handlers[:], root.level = before
    for name in ("vaportrail_operator", "kopf", "kopf._core.reactor.running"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_a_line_of_the_log_is_json_and_says_which_run_it_is_about(log: io.StringIO) -> None:
    with about(namespace="team", run="mnist"):
        logging.getLogger("vaportrail_operator.test").info("created %s", "it", extra={"object": "Pod/it"})
    line = json.loads(log.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "vaportrail_operator.test",
        "message": "created it",
        "namespace": "team",
        "run": "mnist",
        "object": "Pod/it",
    }


def test_an_exception_is_on_the_same_line(log: io.StringIO) -> None:
    try:
        raise ValueError("password=hunter22")
    except ValueError:
        logging.getLogger("vaportrail_operator.test").exception("a step failed")
    (line,) = log.getvalue().splitlines()
    assert "ValueError: password=***" in json.loads(line)["exception"]
    assert "hunter22" not in line


def test_what_others_say_below_a_warning_is_left_out(log: io.StringIO) -> None:
    logging.getLogger("kopf.objects").info("the whole object")
    logging.getLogger("another").info("chatter")
    assert log.getvalue() == ""


secrets = st.text("abcdefghijklmnopqrstuvwxyzABCDEF0123456789", min_size=16, max_size=64)


@given(secret=secrets)
@pytest.mark.parametrize(
    "form",
    [
        "Authorization: Bearer {}",
        '{{"otlp_token": "{}"}}',
        "AWS_SECRET_ACCESS_KEY={}",
        "https://user:{}@host/path",
        "https://user:of/its#own?{}@host/path",
        "https://user:one@{}@host/path",
        "https://:{}@host",
        "https://user:of'its\"own<{}@host/path",
        "https://us'er:{}@host/path",
        "https://7{}7abc@host/path",
        "auth_token: {}",
        "password='{}'",
    ],
)
def test_credentials_do_not_get_into_the_log(form: str, secret: str) -> None:
    assert secret not in redacted(form.format(secret))


def test_a_text_of_many_addresses_takes_no_longer_than_its_length() -> None:
    def seconds(count: int) -> float:
        begun = time.process_time()
        redacted("://a:" * count)
        return time.process_time() - begun

    seconds(1000)
    assert seconds(64_000) < 20 * max(seconds(8000), 0.005)

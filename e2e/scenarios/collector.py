"""A collector as a pod: what it is told, and what is posted to it."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

from e2e.scenarios.bucket import ACCESS_KEY, BUCKET, REGION, SECRET_KEY
from e2e.scenarios.objects import Object, container, pod, pod_spec, secret, secret_variable

__all__ = ["OTLP", "TOKEN", "begin_post", "collector", "configuration", "make_span", "post"]

OTLP, HEALTH = 4318, 13133
TOKEN = secrets.token_hex(16)


def configuration(endpoint: str, prefix: str, *, give_up_after: int, gather: str) -> Object:
    """Return what a collector is told: to answer a post as soon as what it brought is in the bucket.

    Args:
        endpoint: of the S3 server.
        prefix: where in the bucket its objects go.
        give_up_after: how many seconds it tries to store what was posted.
        gather: how long it waits for more posts to store with one.
    """
    http = {
        "endpoint": f"0.0.0.0:{OTLP}",
        "max_request_body_size": 64 << 20,
        "auth": {"authenticator": "bearertokenauth"},
    }
    exporter = {
        "s3uploader": {
            "endpoint": endpoint,
            "region": REGION,
            "s3_bucket": BUCKET,
            "s3_prefix": prefix,
            "s3_partition_format": "",
            "s3_force_path_style": True,
            "disable_ssl": True,
            "compression": "gzip",
            "unique_key_func_name": "uuidv7",
        },
        "marshaler": "otlp_json",
        "timeout": "10s",
        "sending_queue": {
            "enabled": True,
            "wait_for_result": True,
            "block_on_overflow": True,
            "queue_size": 1000,
            "num_consumers": 10,
            "batch": {"flush_timeout": gather, "min_size": 8192},
        },
        "retry_on_failure": {
            "enabled": True,
            "initial_interval": "500ms",
            "max_interval": f"{min(5, give_up_after)}s",
            "max_elapsed_time": f"{give_up_after}s",
        },
    }
    return {
        "receivers": {"otlp": {"protocols": {"http": http}}},
        "exporters": {"awss3": exporter},
        "extensions": {
            "health_check": {"endpoint": f"0.0.0.0:{HEALTH}"},
            "bearertokenauth": {"token": "${env:TOKEN}"},
        },
        "service": {
            "extensions": ["health_check", "bearertokenauth"],
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["awss3"]}},
        },
    }


def collector(
    endpoint: str, prefix: str, *, give_up_after: int = 60, gather: str = "200ms"
) -> tuple[Object, Object]:
    """Return a pod `collector`, configured like that, and the Secret with what it may not tell."""
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "TOKEN": TOKEN}
    told = json.dumps(configuration(endpoint, prefix, give_up_after=give_up_after, gather=gather))
    collecting = container(
        "main",
        "e2e-otelcol",
        memory="256Mi",
        args=["--config=env:CONFIGURATION"],
        env=[
            {"name": "CONFIGURATION", "value": told},
            *(secret_variable(name, "collector", name) for name in keys),
        ],
        readinessProbe={"httpGet": {"path": "/", "port": HEALTH}, "periodSeconds": 1},
    )
    return secret("collector", **keys), pod("collector", pod_spec(collecting))


def make_span(name: str) -> dict[str, Any]:
    """Return a span with identifiers of its own, as OTLP writes it in JSON."""
    now = time.time_ns()
    return {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(now - 1000),
        "endTimeUnixNano": str(now),
        "attributes": [{"key": "of", "value": {"stringValue": "the scenarios"}}],
        "status": {},
    }


def begin_post(address: str, *spans: dict[str, Any], token: str = TOKEN) -> HTTPConnection:
    """Send spans to a collector; the connection is the one that its answer will come from."""
    sent = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "e2e"}, "spans": spans}]}]}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}", "Connection": "close"}
    connection = HTTPConnection(address, OTLP, timeout=60)
    connection.request("POST", "/v1/traces", json.dumps(sent), headers)
    return connection


def post(address: str, *spans: dict[str, Any], token: str = TOKEN) -> HTTPStatus:
    """Post spans to a collector and return the status that it answers with."""
    with closing(begin_post(address, *spans, token=token)) as connection:
        return HTTPStatus(connection.getresponse().status)

"""The bucket that collectors write to, and what is in it."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import obstore
from obstore.store import S3Store

__all__ = [
    "ACCESS_KEY",
    "BUCKET",
    "REGION",
    "SECRET_KEY",
    "open_bucket",
    "spans_of",
    "stored_paths",
    "stored_spans",
]

ACCESS_KEY, SECRET_KEY = "e2e-access-key", "e2e-secret-key"
BUCKET, REGION = "runs", "us-east-1"


def open_bucket(endpoint: str) -> S3Store:
    """Return the bucket at an S3 server; makes it where it is not there."""
    store = S3Store(
        BUCKET,
        endpoint=endpoint,
        region=REGION,
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        client_options={"allow_http": True},
    )
    # The bucket's own URL is the empty key of its store: signing it makes a valid PUT.
    url = obstore.sign(store, "PUT", "", timedelta(minutes=1))
    try:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        direct.open(urllib.request.Request(url, method="PUT"), timeout=30).close()
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.CONFLICT:
            raise
    return store


def stored_paths(store: S3Store, prefix: str) -> list[str]:
    """Return the paths of all objects below a prefix."""
    return [str(each["path"]) for page in obstore.list(store, prefix) for each in page]


def stored_spans(store: S3Store, prefix: str) -> list[dict[str, Any]]:
    """Return the spans in all objects below a prefix."""
    paths = stored_paths(store, prefix)
    return [span for path in paths for span in spans_of(bytes(obstore.get(store, path).bytes()))]


def spans_of(content: bytes) -> list[dict[str, Any]]:
    """Return the spans of an object: compressed lines of OTLP in JSON."""
    requests = [json.loads(line) for line in gzip.decompress(content).splitlines()]
    return [
        span
        for request in requests
        for resource in request["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]

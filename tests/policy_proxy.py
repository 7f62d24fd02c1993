"""A loopback proxy before the S3 server of the tests that enforces a policy, which that server cannot.

It knows of a policy's language what those in `docs/policies` use, and fails on all else. What it lets
through goes on as it came, signature and all.
"""

from __future__ import annotations

import fnmatch
import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Statement = dict[str, Any]
_DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'


class Request:
    """A request of S3 as a policy sees it: actions on resources, under conditions."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        self.resources = [f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"]
        self.keys: dict[str, str] = {}
        match method:
            case "GET" | "HEAD" if key:
                self.action = "s3:GetObject"
            case "GET" | "HEAD":
                self.action = "s3:ListBucket"
                self.keys["s3:prefix"] = query.get("prefix", [""])[0]
            case "PUT" | "POST" if key:
                self.action = "s3:PutObject"
                creates = "uploads" not in query and "partNumber" not in query
                self.keys["s3:ObjectCreationOperation"] = str(creates).lower()
                if "if-none-match" in headers:
                    self.keys["s3:if-none-match"] = headers["if-none-match"]
            case "POST" if "delete" in query:
                self.action = "s3:DeleteObject"
                names = re.findall(rb"<Key>([^<]*)</Key>", body)
                self.resources = [f"arn:aws:s3:::{bucket}/{name.decode()}" for name in names]
            case "DELETE":
                self.action = "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"
            case _:
                raise AssertionError(f"{method} {target} is nothing that is known here")


def allows(policy: dict[str, Any], request: Request) -> bool:
    """Return whether a policy lets a request through: each of its resources is allowed, and none denied."""
    return all(
        _any(policy, "Allow", request, resource) and not _any(policy, "Deny", request, resource)
        for resource in request.resources
    )


def _any(policy: dict[str, Any], effect: str, request: Request, resource: str) -> bool:
    return any(
        request.action in _list(each["Action"])
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in _list(each["Resource"]))
        and all(_holds(kind, wanted, request) for kind, wanted in each.get("Condition", {}).items())
        for each in policy["Statement"]
        if each["Effect"] == effect
    )


def _holds(kind: str, wanted: dict[str, Any], request: Request) -> bool:
    for key, value in wanted.items():
        there = request.keys.get(key)
        match kind:
            case "Null":
                if (there is None) != (value == "true"):
                    return False
            case "Bool":
                if there != value:
                    return False
            case "StringLike":
                if not any(fnmatch.fnmatchcase(there or "", pattern) for pattern in _list(value)):
                    return False
            case _:
                raise AssertionError(f"a condition {kind} is nothing that is known here")
    return True


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


def policy_of(path: Path, bucket: str, prefix: str) -> dict[str, Any]:
    """Return a policy of the documentation for a bucket and a prefix."""
    text = path.read_text().replace("BUCKET", bucket).replace("PREFIX", prefix)
    policy: dict[str, Any] = json.loads(text)
    return policy


@contextmanager
def enforcing(policy: dict[str, Any], env: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield the environment that reaches the server of `env` through a proxy which enforces a policy."""
    behind = urlsplit(env["AWS_ENDPOINT_URL"]).netloc

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if not allows(policy, Request(self.command, self.path, headers, body)):
                self._reply(403, [("content-type", "application/xml")], _DENIED)
                return
            onward = http.client.HTTPConnection(behind, timeout=60)
            try:
                onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    onward.putheader(name, value)
                onward.endheaders(body or None)
                reply = onward.getresponse()
                self._reply(reply.status, reply.getheaders(), reply.read())
            finally:
                onward.close()

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

        def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response_only(status)
            length = str(len(body))
            for name, value in headers:
                if name.lower() == "content-length" and self.command == "HEAD":
                    length = value
                elif name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("content-length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield {**env, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}"}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""What the run's collector is told: to answer a post only once what it brought is stored.

The components are those of the stock `otelcol-contrib`. Nothing gathers before the exporter's own
queue (a limiter of memory only refuses), and that queue makes the client wait: a shipper's post is
answered with 200 when its part is in the store, and it repeats what was answered otherwise.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote, urlsplit

from vaportrail.contract.otlp_signals import SIGNALS
from vaportrail.contract.pod_environment import COLLECTOR_PORT, COLLECTOR_TOKEN_VARIABLE, REPLY_SECONDS
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.planning.names import record_root, spool_folder

__all__ = ["collector_configuration"]

_LARGEST_POST = 64 << 20
_ATTEMPT_SECONDS = 30
_RETRY_SECONDS = REPLY_SECONDS - _ATTEMPT_SECONDS - 15
"""After that no further attempt begins: a shipper still waits, so it is told what became of its post."""

_MEMORY: Final = {"check_interval": "1s", "limit_percentage": 75, "spike_limit_percentage": 20}
"""Of the container's limit: beyond it a post is refused, which its shipper repeats, and nothing is lost."""
_QUEUE_BYTES: Final = 128 << 20
"""A quarter of the memory that a collector may have by default."""

_REGION: Final = "${env:AWS_REGION:-${env:AWS_DEFAULT_REGION:-us-east-1}}"


def collector_configuration(run: PipelineRun) -> dict[str, Any]:
    """Return the collector's configuration; it holds no secret, only the names of variables."""
    http = {
        # Of all addresses that the pod has, IPv6 ones too.
        "endpoint": f":{COLLECTOR_PORT}",
        "max_request_body_size": _LARGEST_POST,
        "auth": {"authenticator": "bearertokenauth"},
    }
    exporters, exporter_of = _exporters(run)
    pipelines = {
        signal: {"receivers": ["otlp"], "processors": ["memory_limiter"], "exporters": [name]}
        for signal, name in exporter_of.items()
    }
    return {
        "receivers": {"otlp": {"protocols": {"http": http}}},
        "processors": {"memory_limiter": _MEMORY},
        "exporters": exporters,
        "extensions": {"bearertokenauth": {"token": f"${{env:{COLLECTOR_TOKEN_VARIABLE}}}"}},
        "service": {
            "extensions": ["bearertokenauth"],
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": pipelines,
        },
    }


def _exporters(run: PipelineRun) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the exporters by name, and the name of each signal's."""
    signals = [signal.file for signal in SIGNALS]
    if urlsplit(record_root(run)).scheme == "file":
        return (
            {f"file/{signal}": _file(run, signal) for signal in signals},
            {signal: f"file/{signal}" for signal in signals},
        )
    return {"awss3": _s3(run)}, dict.fromkeys(signals, "awss3")


def _file(run: PipelineRun, signal: str) -> dict[str, Any]:
    """Return an exporter that appends to a file, a line for each post.

    It answers when the line is written, and flushes a moment later: a collector that is killed in
    between loses what a node's crash would have lost too.
    """
    folder = f"{unquote(urlsplit(record_root(run)).path)}/{spool_folder(run)}"
    return {
        "path": _escaped(f"{folder}/{signal}_collector.json"),
        "append": True,
        "create_directory": True,
        "flush_interval": "100ms",
    }


def _s3(run: PipelineRun) -> dict[str, Any]:
    record = run.spec.record
    root = urlsplit(record_root(run))
    prefix = unquote(root.path).strip("/")
    uploader: dict[str, Any] = {
        # The exporter's own default would count more than the environment, which the other pods go by.
        "region": record.region or _REGION,
        "s3_bucket": _escaped(root.netloc),
        "s3_prefix": _escaped(f"{prefix}/{spool_folder(run)}".lstrip("/")),
        "s3_partition_format": "",
        "compression": "gzip",
        # The default name has nine random digits: two parts could meet, and one would be gone.
        "unique_key_func_name": "uuidv7",
    }
    if record.endpoint:
        insecure = record.endpoint.startswith("http://")
        uploader |= {
            "endpoint": _escaped(record.endpoint),
            "s3_force_path_style": True,
            "disable_ssl": insecure,
        }
    return {
        "s3uploader": uploader,
        "marshaler": "otlp_json",
        "timeout": f"{_ATTEMPT_SECONDS}s",
        "sending_queue": {
            "enabled": True,
            "wait_for_result": True,
            "block_on_overflow": True,
            # What waits for the store is bounded whatever its posts hold; shippers wait with the rest.
            "sizer": "bytes",
            "queue_size": _QUEUE_BYTES,
            "num_consumers": 10,
            # A full post of a shipper is stored at once; a small one waits for company, but not long:
            # the shipper waits with it.
            "batch": {"flush_timeout": "50ms", "sizer": "items", "min_size": 1000},
        },
        "retry_on_failure": {
            "enabled": True,
            "initial_interval": "500ms",
            "max_interval": "5s",
            "max_elapsed_time": f"{_RETRY_SECONDS}s",
        },
    }


def _escaped(text: str) -> str:
    """Return text in which the collector expands nothing."""
    return text.replace("$", "$$")

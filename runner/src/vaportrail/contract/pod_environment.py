"""What the operator and the pods of a run find each other by: variables, ports, folders and limits."""

from __future__ import annotations

from typing import Final

CONTRACT_VERSION: Final = 1
REQUEST_VARIABLE: Final = "VAPORTRAIL_RUN_REQUEST"
"""The runner container's `RunRequest`, as JSON."""
SEAL_VARIABLE: Final = "VAPORTRAIL_SEAL_REQUEST"
"""The sealer container's `SealRequest`, as JSON."""
COLLECTOR_VARIABLE: Final = "VAPORTRAIL_COLLECTOR"
"""Where the shippers post: `http://<service>:4318`."""
COLLECTOR_TOKEN_VARIABLE: Final = "VAPORTRAIL_COLLECTOR_TOKEN"
SPOOL_VARIABLE: Final = "VAPORTRAIL_SPOOL"
"""The folder of spools, shared by a pod's main container and its shipper."""
REPLY_SECONDS: Final = 90
"""How long a shipper waits for the collector's reply; the collector gives up storing before."""
DRAIN_VARIABLE: Final = "VAPORTRAIL_DRAIN_SECONDS"
"""How long a shipper may go on after it is told to end; the pod's grace is longer."""
STORE_VARIABLE: Final = "VAPORTRAIL_STORE"
"""How the pod reaches its record's store, as JSON: a `StoreAccess`."""
WORKER_RESOURCE: Final = "vaportrail_worker"
"""A resource of Ray's that each worker offers without end: head and runner, which have none of it, take no
task, not even one that asks for no CPU.
"""
ENDS_VARIABLE: Final = "VAPORTRAIL_ENDS_AT"
"""Seconds since 1970 at which a run's compute is over for good; 0: never. Start commands look at it."""
JOIN_VARIABLE: Final = "VAPORTRAIL_JOIN_SECONDS"
"""How long a Ray head may wait for the driver that it was made for."""
VARIABLES: Final = (
    REQUEST_VARIABLE,
    SEAL_VARIABLE,
    COLLECTOR_VARIABLE,
    COLLECTOR_TOKEN_VARIABLE,
    SPOOL_VARIABLE,
    DRAIN_VARIABLE,
    STORE_VARIABLE,
    ENDS_VARIABLE,
    JOIN_VARIABLE,
)
"""All of them: only the operator sets them."""
REQUEST_LIMIT: Final = 64 * 1024
"""Bytes of a request."""
TERMINATION_MESSAGE_LIMIT: Final = 4096
"""Bytes that the kubelet keeps of a termination message."""
COLLECTOR_PORT: Final = 4318
READY_PORT: Final = 8399
"""Open on the runner while the user's code runs: the kubelet's readiness probe asks it."""
SPOOL_FOLDER: Final = "/vaportrail/spool"
STORE_FOLDER: Final = "/vaportrail/store"
"""Where the Secret with the store's keys is mounted, a file a key."""
SEAL_FOLDER: Final = "/vaportrail/seal"
"""What a sealer's two containers share, and nobody else."""
SOURCE_FOLDER: Final = "/vaportrail/source"
"""Where a ConfigMap with the source is mounted in the runner."""

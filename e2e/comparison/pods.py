"""When the pods of a namespace ran, from a watch: to the millisecond, whoever removes them."""

from __future__ import annotations

import threading
import time
from typing import Any

from kubernetes import client, config, watch
from urllib3.exceptions import ProtocolError

from e2e.cluster.kubectl import Kubectl

__all__ = ["PodWatch", "RunningPods"]


class RunningPods:
    """Which pods run or will, and when the last one stopped. Knows no clock."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.last_stop = 0.0

    def take(self, kind: str, pod: Any, now: float) -> None:
        """Take one event of a watch.

        Args:
            kind: `ADDED`, `MODIFIED` or `DELETED`.
            pod: a `V1Pod`; one that was made this moment has no status yet.
            now: seconds since the epoch.
        """
        phase = pod.status.phase if pod.status is not None else None
        if kind != "DELETED" and phase not in ("Succeeded", "Failed"):
            self.running.add(pod.metadata.uid)
        elif pod.metadata.uid in self.running:
            self.running.discard(pod.metadata.uid)
            self.last_stop = now


class PodWatch:
    """Watches the pods of kubectl's namespace while it is entered."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._api = client.CoreV1Api(config.new_client_from_config(str(kubectl.kubeconfig)))
        self._namespace = kubectl.namespace
        self._changed = threading.Condition()
        self._pods = RunningPods()
        self._watch = watch.Watch()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> PodWatch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._watch.stop()

    def _follow(self) -> None:
        try:
            for event in self._watch.stream(self._api.list_namespaced_pod, self._namespace):
                self._take(event["type"], event["object"], time.time())
        except ProtocolError:  # stopping it cuts its connection
            if not self._over.is_set():
                raise

    def _take(self, kind: str, pod: Any, now: float) -> None:
        with self._changed:
            self._pods.take(kind, pod, now)
            self._changed.notify_all()

    def wait_until_none_runs(self, timeout: float) -> float:
        """Wait until no pod runs or will; returns when the last one stopped, seconds since the epoch."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._pods.running, timeout):
                raise TimeoutError(f"{len(self._pods.running)} pods of {self._namespace} still run")
            return self._pods.last_stop

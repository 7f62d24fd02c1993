"""When the pods of a namespace ran, from a watch: to the millisecond, whoever removes them."""

from __future__ import annotations

import threading
import time
from typing import Any

from kubernetes import client, config, watch
from urllib3.exceptions import ProtocolError

from e2e.cluster.kubectl import Kubectl

__all__ = ["PodWatch"]


class PodWatch:
    """Watches the pods of kubectl's namespace while it is entered."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._api = client.CoreV1Api(config.new_client_from_config(str(kubectl.kubeconfig)))
        self._namespace = kubectl.namespace
        self._changed = threading.Condition()
        self._running: set[str] = set()
        self._last_stop = 0.0
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
            if kind == "DELETED" or pod.status.phase in ("Succeeded", "Failed"):
                if pod.metadata.uid in self._running:
                    self._running.discard(pod.metadata.uid)
                    self._last_stop = now
            else:
                self._running.add(pod.metadata.uid)
            self._changed.notify_all()

    def wait_until_none_runs(self, timeout: float) -> float:
        """Wait until no pod runs or will; returns when the last one stopped, seconds since the epoch."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._running, timeout):
                raise TimeoutError(f"{len(self._running)} pods of {self._namespace} still run")
            return self._last_stop

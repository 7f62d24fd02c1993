"""PipelineRuns through the API server, by the official client; needs the extra `submit`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vaportrail.errors import UsageError, VaportrailError
from vaportrail.resources.fields import GROUP, VERSION

__all__ = ["RESOURCE", "PipelineRuns"]

RESOURCE = f"pipelineruns.{GROUP}"
_TIMEOUT = 30.0
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class PipelineRuns:
    """The PipelineRuns of a namespace.

    Args:
        namespace: of the runs; the context's own unless given.
        context: of the kubeconfig; its current one unless given.

    Raises:
        UsageError: there is no such context, no cluster to talk to, or no client for it.
    """

    def __init__(self, namespace: str | None = None, context: str | None = None) -> None:
        try:
            from kubernetes import client, config
        except ImportError:
            raise UsageError(
                "talking to a cluster needs the Kubernetes client, which this installation does not have: "
                "pip install 'vaportrail[submit]'"
            ) from None
        settings = client.Configuration()
        file = os.environ.get("KUBECONFIG") or "~/.kube/config"
        try:
            config.load_kube_config(file, context, client_configuration=settings, persist_config=False)
            found = _namespace_of(config, file, context)
        except config.ConfigException as error:
            if context is not None:
                raise UsageError(
                    f"--context {context!r}: {error}; see: kubectl config get-contexts"
                ) from None
            found = _load_own(config, settings, error)
        self.namespace = namespace or found or "default"
        self._client = client.ApiClient(settings)
        self._api = client.CustomObjectsApi(self._client)

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create a run; unknown fields are refused. Returns it as the API server has it."""
        with self._errors(manifest["metadata"].get("name", "")):
            made: Any = self._api.create_namespaced_custom_object(
                *self._place, dict(manifest), field_validation="Strict", _request_timeout=_TIMEOUT
            )
        return dict(made)

    def cancel(self, name: str) -> dict[str, Any]:
        """Ask for the end of a run; its record is sealed all the same."""
        with self._errors(name):
            patched: Any = self._api.patch_namespaced_custom_object(
                *self._place,
                name,
                {"spec": {"cancel": True}},
                _content_type="application/merge-patch+json",
                _request_timeout=_TIMEOUT,
            )
        return dict(patched)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> PipelineRuns:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def _place(self) -> tuple[str, str, str, str]:
        return GROUP, VERSION, self.namespace, "pipelineruns"

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ApiException as error:
            raise _translated(error.status, _said(error), name, self.namespace) from None
        except HTTPError as error:
            raise VaportrailError(f"the cluster cannot be reached: {error}") from None


def _load_own(config: Any, settings: Any, missing: Exception) -> str:
    """Load the identity that a pod has, and return the pod's namespace."""
    try:
        config.load_incluster_config(client_configuration=settings)
        return _OWN_NAMESPACE.read_text().strip()
    except (config.ConfigException, OSError):
        raise UsageError(f"there is no cluster to talk to: {missing}; set KUBECONFIG") from None


def _namespace_of(config: Any, file: str, context: str | None) -> str:
    contexts, current = config.list_kube_config_contexts(file)
    chosen = next((each for each in contexts if each["name"] == context), current)
    return str(chosen["context"].get("namespace", ""))


def _said(error: Any) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)


def _translated(status: int, said: str, name: str, namespace: str) -> VaportrailError:
    if status == 404 and name and f'"{name}" not found' in said:
        return UsageError(f"there is no {RESOURCE} {name!r} in namespace {namespace!r}")
    if status == 404 and "namespaces" not in said:
        return VaportrailError(f"the cluster knows no {RESOURCE}: install Vaportrail's operator in it first")
    if status == 409:
        return UsageError(
            f"there is a {RESOURCE} {name!r} in namespace {namespace!r} already; "
            "give another name with --name"
        )
    if status in (400, 404, 422):
        return UsageError(f"the cluster refused the run: {said}")
    return VaportrailError(f"the cluster answered {status}: {said}")

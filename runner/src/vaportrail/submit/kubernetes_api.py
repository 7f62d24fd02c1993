"""PipelineRuns through the API server, by the official client; needs the extra `submit`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vaportrail.crd.fields import DNS_LABEL, GROUP, VERSION
from vaportrail.crd.pipelinerun import RUN_NAME, RUN_NAME_LENGTH
from vaportrail.errors import UsageError, VaportrailError
from vaportrail.submit.connection import Connection
from vaportrail.submit.credentials import credentials_of
from vaportrail.submit.kubeconfig import read_kubeconfig

__all__ = ["RESOURCE", "PipelineRuns"]

RESOURCE = f"pipelineruns.{GROUP}"
_TIMEOUT = 30.0
_LABEL_LENGTH = 63
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
        kubeconfig = read_kubeconfig(file)
        chosen, connection = context or kubeconfig.current_context, None
        if chosen:
            access = kubeconfig.access(chosen)
            connection = Connection(access, credentials_of(access))
            settings.host, found = access.server, access.namespace
        else:
            found = _load_own(config, settings, file)
        self.namespace = namespace or found or "default"
        if len(self.namespace) > _LABEL_LENGTH or not re.fullmatch(DNS_LABEL.rstrip("$"), self.namespace):
            raise UsageError(
                f"namespace {self.namespace!r}: give with --namespace at most {_LABEL_LENGTH} small letters, "
                "digits and '-', starting and ending with a letter or digit"
            )
        self._server = settings.host
        self._client = client.ApiClient(settings)
        if connection is not None:
            # The client knows no impersonation, and less of TLS, proxies and plugins than kubectl does.
            self._client.rest_client.pool_manager = connection
        self._api = client.CustomObjectsApi(self._client)

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create a run; unknown fields are refused. Returns it as the API server has it."""
        with self._errors(manifest["metadata"].get("name", "")):
            made: Any = self._api.create_namespaced_custom_object(
                *self._place, dict(manifest), field_validation="Strict", _request_timeout=_TIMEOUT
            )
        return self._run(made)

    def cancel(self, name: str) -> dict[str, Any]:
        """Ask for the end of a run; its record is sealed all the same."""
        if len(name) > RUN_NAME_LENGTH or not re.fullmatch(RUN_NAME.rstrip("$"), name):
            raise UsageError(
                f"NAME {name!r} cannot be a run's: give at most {RUN_NAME_LENGTH} small letters, digits "
                "and '-', starting with a letter and ending without '-'"
            )
        with self._errors(name):
            patched: Any = self._api.patch_namespaced_custom_object(
                *self._place,
                name,
                {"spec": {"cancel": True}},
                _content_type="application/merge-patch+json",
                _request_timeout=_TIMEOUT,
            )
        return self._run(patched)

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
            if not error.status:  # an answer that the client cannot read
                raise self._no_api_server() from None
            raise _translated(error.status, _said(error), name, self.namespace) from None
        except HTTPError as error:
            raise VaportrailError(f"the cluster cannot be reached: {error}") from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise self._no_api_server() from None

    def _run(self, answer: Any) -> dict[str, Any]:
        is_run = isinstance(answer, dict) and answer.get("kind") == "PipelineRun"
        if not is_run or not isinstance(answer.get("metadata"), dict):
            raise self._no_api_server()
        return dict(answer)

    def _no_api_server(self) -> VaportrailError:
        return VaportrailError(
            f"{self._server} does not answer like a Kubernetes API server; "
            "check the kubeconfig's server, and what is in between, such as a proxy or a login page"
        )


def _load_own(config: Any, settings: Any, file: str) -> str:
    """Load the identity that a pod has, and return the pod's namespace."""
    try:
        config.load_incluster_config(client_configuration=settings)
        return _OWN_NAMESPACE.read_text().strip()
    except (config.ConfigException, OSError):
        raise UsageError(
            f"there is no cluster to talk to: kubeconfig {file!r} is not there, or has no current context; "
            "set KUBECONFIG or give --context"
        ) from None


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
    if status == 409 and said.endswith("already exists"):
        return UsageError(
            f"there is a {RESOURCE} {name!r} in namespace {namespace!r} already; "
            "give another name with --name"
        )
    if status in (400, 404, 422):
        return UsageError(f"the cluster refused the run: {said}")
    return VaportrailError(f"the cluster answered {status}: {said}")

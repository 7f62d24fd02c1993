"""The program that a kubeconfig names to sign in with."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vaportrail.errors import UsageError
from vaportrail.submit.kubeconfig import Entry

if TYPE_CHECKING:
    from vaportrail.submit.kubeconfig import Access

__all__ = ["Asked", "ask_plugin"]

_EXEC: Final = frozenset(
    {"apiVersion", "command", "args", "env", "installHint", "provideClusterInfo", "interactiveMode"}
)
_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_MODES: Final = ("", "Never", "IfAvailable", "Always")
_EXTENSION: Final = "client.authentication.k8s.io/exec"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plugin answered: a token, a certificate with its key, or both."""

    token: str
    certificate: bytes
    key: bytes


def ask_plugin(plugin: Entry, access: Access) -> Asked:
    """Run a plugin and return what it answered.

    Raises:
        UsageError: it is not as it has to be, is not there, fails, or gives no credentials.
    """
    plugin.check(_EXEC)
    version, command, mode = (plugin.text(name) for name in ("apiVersion", "command", "interactiveMode"))
    if version not in _VERSIONS:
        raise plugin.fault(f".apiVersion: {version!r} is not known here, only {', '.join(_VERSIONS)}")
    if mode not in _MODES:
        raise plugin.fault(f".interactiveMode: {mode!r} is none of {', '.join(filter(None, _MODES))}")
    if not command:
        raise plugin.fault(".command is missing")
    interactive = mode != "Never" and sys.stdin is not None and sys.stdin.isatty()
    if mode == "Always" and not interactive:
        raise plugin.fault(".interactiveMode: the plugin needs a terminal to ask its questions on")
    information: dict[str, Any] = {"interactive": interactive}
    if plugin.flag("provideClusterInfo"):
        information["cluster"] = _cluster(access)
    said = {"apiVersion": version, "kind": "ExecCredential", "spec": information}
    return _exec_credential(plugin, version, _run(plugin, command, json.dumps(said), interactive=interactive))


def _run(plugin: Entry, command: str, information: str, *, interactive: bool) -> str:
    # As kubectl has it: with a slash it is a path from the kubeconfig's folder, else searched in PATH.
    path = plugin.path("command") if os.sep in command else None
    try:
        done = subprocess.run(
            [str(path or command), *_arguments(plugin)],
            env={**os.environ, **_variables(plugin), "KUBERNETES_EXEC_INFO": information},
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if interactive else subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except (OSError, ValueError) as error:
        raise _no_credentials(plugin, getattr(error, "strerror", None) or str(error)) from None
    if done.returncode:
        words = " ".join((done.stderr or "").split())
        raise _no_credentials(plugin, f"it ended with {done.returncode}{': ' if words else ''}{words}")
    return done.stdout


def _arguments(plugin: Entry) -> list[str]:
    given = plugin.fields.get("args") or []
    if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
        raise plugin.fault(".args: a list of texts is needed")
    return given


def _variables(plugin: Entry) -> dict[str, str]:
    given = plugin.fields.get("env") or []
    if not isinstance(given, list) or not all(_is_variable(each) for each in given):
        raise plugin.fault(".env: a list of mappings with the texts name and value is needed")
    return {each["name"]: each["value"] for each in given}


def _is_variable(given: Any) -> bool:
    return isinstance(given, dict) and [type(given.get(key)) for key in ("name", "value")] == [str, str]


def _cluster(access: Access) -> dict[str, Any]:
    """Return what a plugin is told of the cluster."""
    cluster = access.cluster
    said: dict[str, Any] = {
        "server": access.server,
        "tls-server-name": access.server_name,
        "insecure-skip-tls-verify": not access.verify,
        "certificate-authority-data": base64.b64encode(access.authority).decode(),
        "proxy-url": access.proxy,
        "disable-compression": cluster.flag("disable-compression"),
    }
    extensions = cluster.fields.get("extensions") or []
    for each in extensions if isinstance(extensions, list) else []:
        if isinstance(each, dict) and each.get("name") == _EXTENSION:
            said["config"] = each.get("extension")
    return {name: value for name, value in said.items() if value}


def _exec_credential(plugin: Entry, version: str, said: str) -> Asked:
    try:
        answer = json.loads(said)
        status = answer["status"]
        self_reported = answer["apiVersion"]
        token, certificate, key = (
            status.get(name) or "" for name in ("token", "clientCertificateData", "clientKeyData")
        )
        asked = Asked(token + "", certificate.encode(), key.encode())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _no_credentials(plugin, "it does not answer with an ExecCredential") from None
    if self_reported != version:
        raise _no_credentials(plugin, f"it answers in {self_reported!r}, and was asked in {version!r}")
    if not asked.token and not (asked.certificate and asked.key):
        raise _no_credentials(plugin, "it answers with neither a token nor a certificate and its key")
    return asked


def _no_credentials(plugin: Entry, why: str) -> UsageError:
    hint = " ".join(plugin.text("installHint").split()) or "install it, or sign in with it"
    return plugin.fault(f": the exec plugin {plugin.text('command')!r} gives no credentials: {why}; {hint}")

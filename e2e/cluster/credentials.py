"""The cluster's keys and tokens, made anew for each cluster."""

from __future__ import annotations

import json
import secrets

from e2e.cluster.layout import Layout
from e2e.cluster.progress import command

__all__ = ["create"]


def create(layout: Layout) -> None:
    """Write the keys of ServiceAccount tokens, the API server's client certificate, and the kubeconfig.

    The API server's certificate is made by itself, under the name that the kubeconfig gives as its authority.
    """
    folder = layout.credentials
    key, public = folder / "service-accounts.key", folder / "service-accounts.pub"
    command("openssl", "genrsa", "-out", key, "2048")
    command("openssl", "rsa", "-in", key, "-pubout", "-out", public)
    # Its own authority: the one certificate with which the kubelet lets anybody in.
    client = folder / "kubelet-client"
    subject = ("-subj", "/O=system:masters/CN=kube-apiserver", "-days", "365")
    request = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject)
    command(*request, "-keyout", f"{client}.key", "-out", f"{client}.crt")
    token = secrets.token_hex(24)
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f"{token},administrator,administrator,system:masters\n")
    layout.kubeconfig.touch(mode=0o600)
    layout.kubeconfig.write_text(json.dumps(_kubeconfig(layout, token), indent=1))


def _kubeconfig(layout: Layout, token: str) -> dict[str, object]:
    authority = str(layout.credentials / "apiserver.crt")
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": layout.name, "cluster": {"server": layout.server, "certificate-authority": authority}}
        ],
        "users": [{"name": "administrator", "user": {"token": token}}],
        "contexts": [{"name": layout.name, "context": {"cluster": layout.name, "user": "administrator"}}],
        "current-context": layout.name,
    }

"""What every pod needs of the cluster: names, the API under its own identity, Services, and PodSecurity."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.cluster.kubectl import Kubectl
from e2e.cluster.progress import Failed
from e2e.scenarios.ended import wait_until_ended
from e2e.scenarios.objects import container, pod, pod_spec, python, service

RESOLVE = """
import json, socket, sys

def address(name):
    try:
        return socket.gethostbyname(name)
    except socket.gaierror as error:
        # Anything else, such as "temporary failure", is worth another try to a client.
        return None if error.errno == socket.EAI_NONAME else str(error)

print(json.dumps({name: address(name) for name in sys.argv[1:]}))
"""
CALL_THE_API = """
import json, pathlib, ssl, sys, urllib.error, urllib.request

mounted = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
authority = ssl.create_default_context(cafile=mounted / "ca.crt")
token = {"Authorization": f"Bearer {(mounted / 'token').read_text()}"}

def asked(kind, context=authority, headers=token):
    url = f"https://kubernetes.default.svc/api/v1/namespaces/{(mounted / 'namespace').read_text()}/{kind}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), context=context) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except urllib.error.URLError as error:
        return type(error.reason).__name__

print(json.dumps({
    "allowed": asked("pods"),
    "not allowed": asked("secrets"),
    "with another token": asked("pods", headers={"Authorization": "Bearer another"}),
    "without the authority": asked("pods", context=ssl.create_default_context()),
}))
"""
SERVE = """
import http.server, socket

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(socket.gethostname().encode())

http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
ASK = """
import socket, sys, time, urllib.request

# A pod is ready a moment before its node has the Service's new address.
deadline = time.monotonic() + 60
while socket.socket().connect_ex((sys.argv[1], 8080)) and time.monotonic() < deadline:
    time.sleep(0.1)
for _ in range(10):
    print(urllib.request.urlopen(f"http://{sys.argv[1]}:8080/", timeout=10).read().decode())
"""


@pytest.fixture
def servers(kubectl: Kubectl) -> Kubectl:
    """Two pods, `one` and `other`, that tell their names, each behind a Service called like it."""
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    for name in ("one", "other"):
        serving = pod_spec(python("main", SERVE, readinessProbe=probe), terminationGracePeriodSeconds=0)
        kubectl.create(pod(name, serving), service(name, 8080))
    for name in ("one", "other"):
        kubectl.wait(f"pod/{name}", "condition=Ready")
    return kubectl


@pytest.mark.smoke
def test_a_pod_resolves_the_names_of_services(kubectl: Kubectl) -> None:
    kubectl.create(service("own", 80))
    own, api = _address(kubectl, "own"), _address(Kubectl(kubectl.kubeconfig), "kubernetes")
    known = {
        "kubernetes.default.svc.cluster.local": api,
        "kubernetes.default": api,
        "own": own,
        f"own.{kubectl.namespace}.svc.cluster.local": own,
    }

    kubectl.create(pod("client", pod_spec(python("main", RESOLVE, *known))))

    assert json.loads(wait_until_ended(kubectl, "client").log) == known


def test_a_name_that_is_no_services_is_not_resolved(kubectl: Kubectl) -> None:
    kubectl.create(pod("client", pod_spec(python("main", RESOLVE, "nothing", "example.org"))))

    assert json.loads(wait_until_ended(kubectl, "client").log) == {"nothing": None, "example.org": None}


@pytest.mark.smoke
def test_a_pod_calls_the_api_as_its_service_account(kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "reader")
    kubectl("create", "role", "reads-pods", "--verb=list", "--resource=pods")
    kubectl(
        "create", "rolebinding", "reader", "--role=reads-pods", f"--serviceaccount={kubectl.namespace}:reader"
    )
    spec = pod_spec(
        python("main", CALL_THE_API), serviceAccountName="reader", automountServiceAccountToken=True
    )

    kubectl.create(pod("client", spec))

    assert json.loads(wait_until_ended(kubectl, "client").log) == {
        "allowed": 200,
        "not allowed": 403,
        "with another token": 401,
        "without the authority": "SSLCertVerificationError",
    }


@pytest.mark.parametrize(("client", "server"), [("one", "other"), ("other", "one")])
def test_a_pod_reaches_another_through_its_service(servers: Kubectl, client: str, server: str) -> None:
    answers = servers("exec", client, "--", "python3", "-c", ASK, server).split()

    assert answers == [server] * 10


def test_a_pod_reaches_itself_through_its_service(servers: Kubectl) -> None:
    assert servers("exec", "one", "--", "python3", "-c", ASK, "one").split() == ["one"] * 10


@pytest.mark.parametrize(
    ("field", "context"),
    [
        ("runAsNonRoot", {"runAsNonRoot": False, "runAsUser": 0}),
        ("unrestricted capabilities", {"capabilities": {"drop": []}}),
        ("allowPrivilegeEscalation", {"allowPrivilegeEscalation": True}),
    ],
)
def test_a_pod_with_more_rights_is_refused_and_told_why(
    kubectl: Kubectl, field: str, context: dict[str, Any]
) -> None:
    free = container("main")
    free["securityContext"] |= context

    with pytest.raises(Failed, match=rf'violates PodSecurity "restricted:latest".*{field}'):
        kubectl.create(pod("free", pod_spec(free)))


def _address(kubectl: Kubectl, name: str) -> str:
    return str(kubectl.json("get", "service", name)["spec"]["clusterIP"])

"""A run's code from a git repository that is served in the cluster."""

from __future__ import annotations

import pytest

from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.objects import Object, container, pod, pod_spec, service
from e2e.scenarios.runs import SMALL, apply, finished, pipeline_run, record_of, record_store

pytestmark = pytest.mark.usefixtures("operator")

PORT = 8000
REPOSITORY = f"""
import os, sys
from wsgiref.simple_server import make_server
from dulwich import porcelain
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain

folder = "/tmp/repository"
repository = porcelain.init(folder)
os.makedirs(f"{{folder}}/pipelines")
with open(f"{{folder}}/pipelines/script.py", "w") as file:
    file.write(sys.argv[1])
porcelain.add(repository, [f"{{folder}}/pipelines/script.py"])
who = "a <a@example.com>"
commit = porcelain.commit(repository, message="A pipeline", author=who, committer=who)
porcelain.branch_create(repository, "release")
print(commit.decode(), flush=True)
make_server("0.0.0.0", {PORT}, make_wsgi_chain(DictBackend({{"/team.git": repository}}))).serve_forever()
"""


@pytest.fixture
def team(kubectl: Kubectl, bucket_environment: None) -> Kubectl:
    """kubectl in a namespace with the bucket's keys."""
    kubectl.create(record_store())
    return kubectl


def test_a_run_takes_its_code_from_a_revision_of_a_git_repository(team: Kubectl) -> None:
    team.create(*repository())
    team.wait("pod/repository", "condition=Ready")
    url = f"http://repository.{team.namespace}.svc.cluster.local:{PORT}/team.git"
    git = {"url": url, "revision": "release", "path": "pipelines"}
    apply(team, pipeline_run("from-git", source={"git": git}))

    status = finished(team, "from-git")
    commit = team("logs", "repository").split()[0]
    assert (status["phase"], status["sourceRevision"]) == ("Succeeded", commit)
    facts = record_of(status).facts
    assert facts.environment["git"] == {
        "revision": commit,
        "branch": "release",
        "dirty": False,
        "remote": url,
    }


def repository() -> list[Object]:
    """Return a pod that serves a git repository, and its Service."""
    probe = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    server = container("git", command=["python3", "-c", REPOSITORY, SMALL], readinessProbe=probe)
    return [pod("repository", pod_spec(server)), service("repository", PORT)]

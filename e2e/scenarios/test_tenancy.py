"""An operator that may see one namespace only serves that one, and no other."""

from __future__ import annotations

from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.installation import installed
from e2e.scenarios.inventory import inventory
from e2e.scenarios.runs import (
    SMALL,
    apply,
    finished,
    pipeline_run,
    record_of,
    record_store,
    script_source,
    status_of,
)


def test_a_namespace_limited_operator_serves_its_namespace_with_rights_nowhere_else(
    kubectl: Kubectl, shared_kubectl: Kubectl, administrator: Kubectl, bucket_environment: None
) -> None:
    for namespace in (kubectl, shared_kubectl):
        namespace.create(record_store(), script_source("small", SMALL))
    before = inventory(kubectl)
    bound = _cluster_roles(administrator)
    with installed(administrator, f"watchNamespaces={{{kubectl.namespace}}}"):
        # Its Role and RoleBinding are in the namespace while it is installed.
        rights = inventory(kubectl) - before
        apply(shared_kubectl, pipeline_run("elsewhere", script="small"))
        apply(kubectl, pipeline_run("here", script="small"))
        status = finished(kubectl, "here")
        assert _cluster_roles(administrator) - bound == set()
        left = inventory(kubectl) - before - rights
        elsewhere = status_of(shared_kubectl, "elsewhere")

    assert (status["phase"], record_of(status).facts.counts.loss) == ("Succeeded", "None")
    assert left == {"pipelinerun.vaportrail.dev/here"}
    assert elsewhere == {}
    assert inventory(kubectl) - before == {"pipelinerun.vaportrail.dev/here"}


def _cluster_roles(administrator: Kubectl) -> set[str]:
    return set(administrator("get", "clusterrolebindings", "--output=name").split())

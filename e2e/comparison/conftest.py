"""The same cluster and namespaces as the scenarios'."""

from e2e.scenarios.conftest import (
    administrator,
    bucket_environment,
    kubectl,
    operator,
    running,
    shared_kubectl,
)

__all__ = ["administrator", "bucket_environment", "kubectl", "operator", "running", "shared_kubectl"]

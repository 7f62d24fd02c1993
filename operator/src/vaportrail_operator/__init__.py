"""A Kubernetes operator: a PipelineRun becomes an ephemeral RayCluster and one sealed record."""

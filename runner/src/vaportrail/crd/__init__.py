"""The Kubernetes resources of `vaportrail.dev/v1alpha1`, as models."""

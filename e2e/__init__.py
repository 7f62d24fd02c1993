"""The end-to-end suite: a real Kubernetes, and the scenarios that run on it."""

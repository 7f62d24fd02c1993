"""What must hold on a real Kubernetes; `make e2e`."""

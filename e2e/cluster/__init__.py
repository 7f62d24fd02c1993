"""A real Kubernetes on one machine: built from Go modules, brought up, used by the scenarios, taken down."""

"""The custom resources as Kubernetes is told of them."""

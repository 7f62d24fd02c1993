"""From the user's machine to a cluster: the kubeconfig, the connection, the code that is packed."""

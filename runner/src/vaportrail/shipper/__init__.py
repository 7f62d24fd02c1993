"""The sidecar that brings a pod's spool to the run's collector."""

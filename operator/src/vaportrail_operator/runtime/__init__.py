"""The process: kopf as watch host, the work queue, probes, metrics."""

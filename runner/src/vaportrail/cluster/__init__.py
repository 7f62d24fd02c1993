"""In the pods of a run: joining the Ray cluster, fetching the source, shipping, watching."""

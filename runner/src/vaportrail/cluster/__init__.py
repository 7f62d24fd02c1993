"""In the pods of a run: joining the Ray cluster, fetching the source, saying how it went."""

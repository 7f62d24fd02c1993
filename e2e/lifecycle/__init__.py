"""That the cluster itself comes up and goes down, whatever happens to it; run when no scenario is."""

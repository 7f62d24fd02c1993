"""Where a run may be in its life, a module each."""

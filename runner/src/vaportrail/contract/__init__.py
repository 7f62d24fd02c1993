"""What all parts agree on: how things end, who a run is, what operator and pods tell each other."""

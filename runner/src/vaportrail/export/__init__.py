"""A record as something else: diagrams, folders."""

"""Manifests of what is made for a run: pure functions, a module for each object."""

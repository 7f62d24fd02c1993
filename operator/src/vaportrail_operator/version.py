"""The version of this distribution; the runner's is the same."""

__version__ = "0.1.0.dev0"

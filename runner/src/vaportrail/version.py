"""The version of the distribution `vaportrail`."""

__version__ = "0.1.0.dev0"

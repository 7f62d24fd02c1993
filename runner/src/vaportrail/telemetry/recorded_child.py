"""A child process of a run records what it says, from its first import of the package on."""

from __future__ import annotations

from vaportrail.telemetry.stdlib_logging import install_handler
from vaportrail.telemetry.tracing import install_provider

__all__ = ["record_child"]


def record_child() -> None:
    """Record what a child process says through `logging` and OpenTelemetry, as soon as it says something."""
    install_handler()
    install_provider()

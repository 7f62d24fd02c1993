"""What runs pipelines and notebooks: known to those who write them by two functions alone.

The package says which they are as it is loaded (`vaportrail/__init__.py`): so imports go one way, and
nothing of what runs them is loaded before something runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from vaportrail.authoring.pipeline import Pipeline
    from vaportrail.record.reading.recorded_run import Run

__all__ = ["Engine", "engine", "install"]


class Engine(Protocol):
    """What the package installs."""

    def run_pipeline(
        self,
        pipeline: Pipeline[..., Any],
        parameters: Mapping[str, Any],
        *,
        root: str | None,
        name: str | None,
        tags: Mapping[str, str],
    ) -> Run:
        """Run a pipeline on this machine; returns its sealed record."""
        ...

    def run_notebook(
        self, path: Path, source: str, parameters: Mapping[str, Any], *, cwd: Path | None
    ) -> dict[str, Any]:
        """Run a notebook in a kernel; returns what it gave to `output(...)`."""
        ...


_installed: Engine | None = None


def install(engine: Engine) -> None:
    """Say what runs pipelines and notebooks."""
    global _installed
    _installed = engine


def engine() -> Engine:
    """Return what runs pipelines and notebooks."""
    assert _installed is not None, "vaportrail/__init__.py installs it"
    return _installed

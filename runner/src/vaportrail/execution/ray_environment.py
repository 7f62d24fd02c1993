"""What Ray is told by environment variables, also where it was imported before we came.

Ray reads some of them once: its C++ part as it is loaded, its Python part as modules are imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from vaportrail.execution.put_back import put_back
from vaportrail.execution.variables import variables

__all__ = ["RAY_ENVIRONMENT", "ray_environment"]

RAY_ENVIRONMENT: Final[Mapping[str, str]] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""What Ray is told wherever a run is driven."""

_LOOPBACK: Final = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


@contextmanager
def ray_environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Let Ray go by these variables within the block, and by those of before after it.

    Args:
        settings: environment variables, besides `RAY_ENVIRONMENT`.
    """
    bundled = ""
    before = list(sys.path)
    try:
        with variables({**RAY_ENVIRONMENT, **settings}):
            bundled = _load()
            _read_again()
            yield
    finally:
        _read_again()
        if bundled in sys.path and bundled not in before:
            sys.path.remove(bundled)


def _load() -> str:
    """Import Ray, and nothing else of this process is changed; return what it needs on `sys.path`."""
    with put_back():
        import ray
    bundled = os.path.join(os.path.dirname(ray.__file__), "thirdparty_files")
    if bundled not in sys.path:
        sys.path.insert(0, bundled)
    return bundled


def _read_again() -> None:
    """Let a Ray that is imported already read its variables; one that is not will."""
    if "ray" not in sys.modules:
        return
    from ray._private import ray_constants

    raylet: Any = sys.modules["ray._raylet"]
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()
    ray_constants.ENABLE_RAY_CLUSTER = ray_constants.env_bool(_LOOPBACK, not ray_constants.IS_WINDOWS_OR_OSX)

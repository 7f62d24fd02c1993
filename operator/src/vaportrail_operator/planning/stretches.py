"""The stretches of the timeline that something is decided by: deadlines count from where they begin."""

from __future__ import annotations

from typing import Final

__all__ = ["CLEANUP_FORCED", "DRAIN", "RELEASE_FORCED", "SEAL", "USER_CODE"]

DRAIN: Final = "Drain"
SEAL: Final = "Seal"
USER_CODE: Final = "UserCode"
RELEASE_FORCED: Final = "ReleaseForced"
"""From when compute is removed without grace until it is gone; still open after `Releasing` where that
was given up."""
CLEANUP_FORCED: Final = "CleanupForced"
"""The same, for the sealer and whatever turned up while it worked."""

"""The intervals of the timeline that something is decided by.

Deadlines count from where they begin, and that one is there says what was.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "CLEANUP_FORCED",
    "DRAIN",
    "FIRST_WORKER_READY",
    "NO_WORKER",
    "RELEASE_FORCED",
    "SEAL",
    "USER_CODE",
]

FIRST_WORKER_READY: Final = "FirstWorkerReady"
"""Until tasks could run at all."""
NO_WORKER: Final = "NoWorkerReady"
"""The last time that no worker was ready any more, from then on."""
DRAIN: Final = "Drain"
SEAL: Final = "Seal"
USER_CODE: Final = "UserCode"
RELEASE_FORCED: Final = "ReleaseForced"
"""From when compute is removed without grace until it is gone; still open after `Releasing` where that
was given up."""
CLEANUP_FORCED: Final = "CleanupForced"
"""The same, for the sealer and whatever turned up while it worked."""

"""Tasks that should never end: what to do when one does, and how to end them all."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

__all__ = ["cancelled", "first_failure"]


async def first_failure(tasks: Collection[asyncio.Task[None]]) -> None:
    """Return never, unless one of some endless tasks ends: then raise why.

    Raises:
        RuntimeError: it ended without a fault.
    """
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    first = next(iter(done))
    raise first.exception() or RuntimeError(f"{first.get_name()} ended")


async def cancelled(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks, and return once all have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

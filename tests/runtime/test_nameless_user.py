"""The watches begin as a user that the machine has no name for, as some clusters give each namespace one."""

from __future__ import annotations

import asyncio
import getpass
from typing import Any

import pytest

from vaportrail_operator.runtime.kopf_watch import watch


def test_the_watches_begin_and_end_though_their_user_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 1000650000")

    async def access() -> Any:
        raise AssertionError("nothing is watched")

    async def main() -> None:
        stop = asyncio.Event()
        stop.set()
        async with asyncio.timeout(60):
            await watch([], [], access, lambda *_: None, stop=stop, connected=lambda: None)

    monkeypatch.setattr(getpass, "getuser", nameless)
    asyncio.run(main())

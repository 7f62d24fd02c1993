"""What we refuse in a user's code is told with the line it stands in, and without our own."""

from __future__ import annotations

from typing import Any

from vaportrail.authoring.handle import Handle
from vaportrail.errors import HandleError, UsageError
from vaportrail.execution.described_failure import describe_failure

NO_SESSION: Any = None


def body() -> None:
    handle: Any = Handle("load-1", NO_SESSION)
    _first, _second = handle  # the user's line


def test_a_refused_use_of_a_handle_is_told_with_the_users_line_and_no_line_of_ours() -> None:
    try:
        body()
    except HandleError as error:
        told = describe_failure(error)
    assert "_first, _second = handle  # the user's line" in told.traceback
    assert told.traceback.rstrip().endswith(f"vaportrail.errors.HandleError: {told.message}")
    assert "authoring/handle.py" not in told.traceback


def test_what_is_refused_outside_a_users_code_has_no_lines() -> None:
    assert describe_failure(UsageError("the record root is not right")).traceback == ""

"""How a command's process ends; `docs/cli.md` has the same for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from vaportrail.contract import Outcome

__all__ = ["EXIT_CANCELLED", "EXIT_FAILED", "EXIT_USAGE", "exit_code"]

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_CANCELLED: Final = 130


def exit_code(outcome: Outcome) -> int:
    """Return the exit code that says how a run ended.

    Example:
        >>> from vaportrail.contract import Outcome
        >>> exit_code(Outcome.TIMED_OUT)
        1
    """
    codes = {"SUCCEEDED": 0, "CANCELLED": EXIT_CANCELLED}
    return codes.get(outcome.value, EXIT_FAILED)

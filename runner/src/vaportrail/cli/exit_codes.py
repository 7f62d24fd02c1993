"""How a command's process ends; `docs/cli.md` has the same for people."""

from __future__ import annotations

from typing import Final

from vaportrail.contract.outcome import Outcome

__all__ = ["EXIT_CANCELLED", "EXIT_FAILED", "EXIT_USAGE", "exit_code"]

EXIT_FAILED: Final = Outcome.FAILED.traits.exit_code
EXIT_USAGE: Final = 2
EXIT_CANCELLED: Final = Outcome.CANCELLED.traits.exit_code


def exit_code(outcome: Outcome) -> int:
    """Return the exit code that says how a run ended.

    Example:
        >>> from vaportrail.contract.outcome import Outcome
        >>> exit_code(Outcome.TIMED_OUT)
        1
    """
    return outcome.traits.exit_code

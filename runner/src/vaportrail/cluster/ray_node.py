"""`python -m vaportrail.cluster.ray_node OPTION…`: `ray start`, its modules loaded ahead of the word.

Loading them takes a second of CPU, which a runner has while it waits for the head.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

__all__ = ["main"]


def main(options: Sequence[str], word: TextIO) -> None:
    """Start Ray's processes on this host when a line comes; end like `ray start` does.

    Args:
        options: those of `ray start`.
        word: where the line comes from; its end means that nobody waits any more.
    """
    from ray.scripts.scripts import cli

    if word.readline():
        cli(["start", *options])


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdin)

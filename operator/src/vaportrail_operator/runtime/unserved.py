"""Namespaces that were served and are not any more, though runs live there: nobody goes on with those.

What has no rights in a namespace cannot see what it left there. So the operator notes on its own Lease where
runs live, and whoever leads next reads it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping

__all__ = ["ANNOTATION", "Unserved"]

_log = logging.getLogger(__name__)
ANNOTATION = "vaportrail.dev/live-runs"
"""On the operator's Lease: how many runs are live, by namespace, as JSON."""
_NAMESPACES = 1000


class Unserved:
    """What the Lease says of namespaces that are not served any more.

    Args:
        served: the namespaces that are served; none: all.
        live: how many runs are live, by namespace.
        lease: the Lease's namespace and name, for messages.
    """

    def __init__(self, served: Collection[str], live: Callable[[], Mapping[str, int]], lease: str) -> None:
        self._served, self._live, self._lease = frozenset(served), live, lease
        self.runs: dict[str, int] = {}
        """How many runs were live there when they were served last, by namespace."""

    def annotated(self, annotations: Mapping[str, str]) -> dict[str, str]:
        """Return the Lease's annotations as they should be; learns from those that are there.

        A namespace stays noted until it is served again, or somebody takes the note away.
        """
        noted = _parsed(annotations.get(ANNOTATION, ""))
        left = {name: count for name, count in noted.items() if self._served and name not in self._served}
        for name in sorted(left.keys() - self.runs.keys()):
            _log.warning(
                "namespace %s is not served any more, and %d of its runs had not ended: add it to "
                "`watchNamespaces` until they have, or delete them, and remove the annotation %s of the "
                "Lease %s",
                name,
                left[name],
                ANNOTATION,
                self._lease,
            )
        self.runs = left
        now = dict(sorted({**self._live(), **left}.items())[:_NAMESPACES])
        others = {name: text for name, text in annotations.items() if name != ANNOTATION}
        return {**others, ANNOTATION: json.dumps(now)} if now else others


def _parsed(text: str) -> dict[str, int]:
    """Return what a note says; nothing where somebody else wrote it."""
    try:
        noted = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(noted, dict):
        return {}
    return {name: count for name, count in noted.items() if isinstance(count, int) and count > 0}

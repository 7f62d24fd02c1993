"""How much a run may say, where the API server sees no bound: levels and bytes of what may be anything.

An API server takes objects of 1.5 MB and 10,000 levels; the readers of JSON here take fewer levels, and
whoever keeps thousands of runs keeps little of each. What is beyond the bounds is left out, field by
field, and named; nothing in the run's own content can say that it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from vaportrail.crd.validation.problems import Problem

__all__ = ["LEVELS", "PARAMETERS_BYTES", "SPEC_BYTES", "STATUS_BYTES", "json_bytes", "within_bounds"]

LEVELS: Final = 100
"""Of lists and mappings in a field; what reads JSON here takes 200 in all."""
PARAMETERS_BYTES: Final = 64 * 1024
"""Of the parameters as JSON text: they go to the runner in an environment variable."""
SPEC_BYTES: Final = 256 * 1024
"""Of a whole spec as JSON text."""
STATUS_BYTES: Final = 64 * 1024
"""Of a status: an operator writes an eighth of that."""

_NEEDED_LAST: Final = ("pipeline", "entrypoint", "image", "record", "deadlines", "sealer")
"""What a run is brought to its end with, should it have begun under other bounds."""


def within_bounds(source: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Leave out what of an object is beyond the bounds; returns the rest, and what was left out and why.

    Args:
        source: an object by its parts, such as `spec`.
    """
    raw = dict(source)
    problems: list[Problem] = []
    for part, fields in source.items():
        if isinstance(fields, dict):
            found = list(_beyond(part, fields))
            left_out = {name for name, _ in found}
            if left_out:
                raw[part] = {name: value for name, value in fields.items() if name not in left_out}
            # Of the metadata nothing is used that has levels.
            problems += [problem for _, problem in found if part != "metadata"]
    return raw, problems


def json_bytes(value: Any) -> int:
    """Return how many bytes a value takes as JSON text.

    >>> json_bytes({"a": [1, "é"]})
    14
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str, skipkeys=True)
    return len(text.encode(errors="surrogatepass"))


def _beyond(part: str, fields: Mapping[str, Any]) -> list[tuple[str, Problem]]:
    deep = [name for name, value in fields.items() if _is_deep(value)]
    fix = f"is nested too deeply; use at most {LEVELS} levels"
    found = [(name, Problem(f"{part}.{name}", "", fix)) for name in deep]
    sizes = {name: json_bytes(value) for name, value in fields.items() if name not in deep}
    limit = {"spec": SPEC_BYTES, "status": STATUS_BYTES}.get(part)
    parameters = sizes.get("parameters", 0) if part == "spec" else 0
    if parameters > PARAMETERS_BYTES:
        fix = f"use at most {PARAMETERS_BYTES}; put large ones in a file in the source"
        found.append(("parameters", Problem("spec.parameters", f"{parameters} bytes", fix)))
        del sizes["parameters"]
    if limit is None:
        return found
    # The largest first: what remains is as much as there can be.
    for name, size in sorted(
        sizes.items(), key=lambda each: (each[0] in _NEEDED_LAST and each[1] <= limit, -each[1])
    ):
        whole = sum(sizes.values())
        if whole <= limit:
            break
        fix = f"make it smaller: a {part} holds at most {limit} bytes of JSON, and this one {whole}"
        found.append((name, Problem(f"{part}.{name}", f"{size} bytes", fix)))
        del sizes[name]
    return found


def _is_deep(value: Any) -> bool:
    holders = [value] if isinstance(value, dict | list) else []
    for _ in range(LEVELS):
        if not holders:
            return False
        inside = [each for held in holders for each in (held.values() if isinstance(held, dict) else held)]
        holders = [each for each in inside if isinstance(each, dict | list)]
    return bool(holders)

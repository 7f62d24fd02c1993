"""What the operator may do, and no more: by the table of what is made for a run, and the calls beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vaportrail.crd.fields import GROUP
from vaportrail_operator.planning.children.table import CHILDREN, Made
from vaportrail_operator.planning.kinds import ENDPOINTS, WATCHED, Kind

__all__ = ["Right", "rights", "rules_text"]

_READ: Final = ("get", "list", "watch")
_LEASES: Final = ("coordination.k8s.io", ("leases",))
_HEAD: Final = """\
{{/* Written by `make generate` from vaportrail_operator/api/rights.py. Change it there. */}}
{{- define "vaportrail.rules" -}}
"""


@dataclass(frozen=True, slots=True)
class Right:
    """A rule of the operator's role in the namespaces that it serves.

    Attributes:
        group: of the API.
        resources: plurals, with a subresource where it is one.
        verbs: what may be done.
        why: what for.
        names: of the only objects that it may be done to; none: of all.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    names: tuple[str, ...] = ()


def rights() -> tuple[Right, ...]:
    """Return all rules."""
    runs, schedules = ENDPOINTS[Kind.RUN].plural, ENDPOINTS[Kind.SCHEDULE].plural
    return (
        Right(
            GROUP,
            (runs,),
            (*_READ, "create", "update", "delete"),
            "the runs; making and cancelling those of schedules; removing what is over a limit",
        ),
        Right(GROUP, (schedules,), _READ, "the schedules"),
        Right(GROUP, (f"{runs}/status", f"{schedules}/status"), ("patch",), "what became of them"),
        Right(
            GROUP,
            (f"{runs}/finalizers", f"{schedules}/finalizers"),
            ("update",),
            "owning what it makes, where the API server asks for this",
        ),
        *_of_children(),
        Right("events.k8s.io", ("events",), ("create",), "telling each step on the run or schedule"),
        Right(*_LEASES, ("create",), "one installation a namespace"),
        Right(*_LEASES, ("get", "update"), "one installation a namespace", names=(GROUP,)),
    )


def _of_children() -> Iterator[Right]:
    """Yield what is done to the objects of a run; a kind that is not watched is never read."""
    made = {child.kind for child in CHILDREN if child.made is not Made.BY_KUBERAY}
    plurals: dict[tuple[bool, str, bool], list[str]] = {}
    for kind in dict.fromkeys(child.kind for child in CHILDREN):
        endpoint = ENDPOINTS[kind]
        plurals.setdefault((kind in WATCHED, endpoint.group, kind in made), []).append(endpoint.plural)
    for (watched, group, makes), found in plurals.items():
        verbs = (*(_READ if watched else ()), *(("create",) if makes else ()), "delete")
        why = "what a run is made of" if watched else "the tokens of a run; it can read none"
        yield Right(group, tuple(sorted(found)), verbs, why)


def rules_text() -> str:
    """Return the chart's template of these rules."""
    lines = []
    for right in rights():
        lines.append(f"# For {right.why}.")
        group = right.group or '""'
        lines.append(f"- apiGroups: [{group}]")
        lines.append(f"  resources: [{', '.join(right.resources)}]")
        if right.names:
            lines.append(f"  resourceNames: [{', '.join(right.names)}]")
        lines.append(f"  verbs: [{', '.join(right.verbs)}]")
    return _HEAD + "\n".join(lines) + "\n{{- end -}}\n"

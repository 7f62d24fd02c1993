"""What must hold of what a PipelineRun's containers request, and of their limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.pod import Resources
from vaportrail.crd.quantity import parse_quantity
from vaportrail.crd.validation.pod_rules import LABEL_KEY, Rule
from vaportrail.crd.validation.problems import Problem, problem_at

__all__ = ["RESOURCE_RULES"]

_PLAIN: Final = ("cpu", "memory", "ephemeral-storage")
_HUGE_PAGES: Final = "hugepages-"
_KUBERNETES_OWN: Final = "kubernetes.io/"


def _containers(run: PipelineRun) -> Iterator[tuple[str, Resources]]:
    spec = run.spec
    yield "spec.ray.head.resources", spec.ray.head.resources
    yield "spec.runner.resources", spec.runner.resources
    yield "spec.sealer.resources", spec.sealer.resources
    for index, group in enumerate(spec.ray.workers):
        yield f"spec.ray.workers[{index}].resources", group.resources


def _amounts(run: PipelineRun) -> Iterator[tuple[str, Mapping[str, str | int]]]:
    for place, resources in _containers(run):
        yield f"{place}.requests", resources.requests
        yield f"{place}.limits", resources.limits


def _names(run: PipelineRun) -> Iterator[Problem]:
    for place, amounts in _amounts(run):
        for name in amounts:
            with_domain = "/" in name and LABEL_KEY.fullmatch(name)
            if not (name in _PLAIN or name.startswith(_HUGE_PAGES) or with_domain):
                own = f"{', '.join(_PLAIN)}, {_HUGE_PAGES}…"
                yield Problem(place, repr(name), f"use {own}, or a name with a domain such as nvidia.com/gpu")


def _whole_numbers(run: PipelineRun) -> Iterator[Problem]:
    for place, amounts in _amounts(run):
        for name, amount in amounts.items():
            if _is_extended(name) and parse_quantity(amount) % 1:
                yield problem_at(f"{place}.{name}", amount, "use a whole number")


def _limits(run: PipelineRun) -> Iterator[Problem]:
    for place, resources in _containers(run):
        for name, request in resources.requests.items():
            limit = resources.limits.get(name)
            fix = _fix_of_request(name, request, limit)
            if fix:
                yield problem_at(f"{place}.requests.{name}", request, fix)


def _fix_of_request(name: str, request: str | int, limit: str | int | None) -> str:
    equal = _is_extended(name) or name.startswith(_HUGE_PAGES)
    if limit is None:
        return f"set limits.{name} to the same; a request alone is refused" if equal else ""
    if equal and parse_quantity(request) != parse_quantity(limit):
        return f"use the limit, {limit}; they have to be equal"
    too_much = parse_quantity(request) > parse_quantity(limit)
    return f"use no more than the limit, {limit}" if too_much else ""


def _is_extended(name: str) -> bool:
    """Return whether a resource is a device plugin's or the like: nobody can have a part of one."""
    return "/" in name and _KUBERNETES_OWN not in name


RESOURCE_RULES: Final[tuple[Rule, ...]] = (_names, _whole_numbers, _limits)
"""All of them, in the order in which their problems are told."""

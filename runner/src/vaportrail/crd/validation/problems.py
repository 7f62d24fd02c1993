"""A problem of a PipelineRun, and how what pydantic finds is said as one."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import pydantic

from vaportrail.crd.fields import API_VERSION, LABEL_VALUE
from vaportrail.crd.pipelinerun import PipelineRun

__all__ = ["Problem", "advice", "problem_at", "problems_in"]

_SHOWN: Final = 80
_USERINFO = re.compile(r"(?<=://)\S+@")
_PRIVATE = re.compile(r"\.(env\[\d+\]\.value|parameters|annotations)\b")

_ADVICE: Final = {
    "apiVersion": f"use {API_VERSION}",
    "spec.pipeline": "use 1 to 63 letters, digits, '.', '_' or '-', starting with a letter or a digit",
    "spec.entrypoint": "use module:pipeline, such as mnist.pipeline:mnist",
    "spec.image": "use the name of an image, such as registry.example.com/mnist@sha256:…",
    "spec.record.uri": "use s3://bucket/prefix, or file:///path with a persistentVolumeClaim",
    "spec.record.endpoint": "use http://host or https://host, or leave it out for AWS",
    "spec.record.region": "use letters, digits and '-', such as eu-central-1",
    "spec.source.git.url": "use https://host/repository; only public repositories can be read",
    "spec.source.git.revision": "use a whole commit (40 hex digits), a tag or a branch",
    "spec.source.archive.uri": "use s3://bucket/path, another object store's URI, or https://…",
    "spec.source.archive.sha256": "use the archive's SHA-256, 64 hexadecimal digits; sha256sum prints it",
    "spec.ray.version": "use the image's Ray version, such as 2.60.0",
    "spec.ray.workers.name": "use at most 32 small letters, digits or '-', starting and ending without '-'",
    "spec.deadlines": "use a whole number of seconds, such as 600",
    "spec.ttlSecondsAfterFinished": "use a whole number of seconds, such as 604800",
    "spec.schedule": "use five fields such as 0 6 * * *, or @daily; several on lines of their own",
    "spec.timeZone": "use a name such as Europe/Berlin or UTC",
    "spec.endTime": "use a time with its offset, such as 2027-01-01T00:00:00Z",
    "spec.startingDeadlineSeconds": "use a whole number of seconds from 60 on, such as 600",
    "spec.template": "give the spec of the runs, as template: {spec: {…}}",
}
"""What to do about a field that is not well-formed, by its path without indices; inner ones win."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to mend.

    Attributes:
        field: where, as a path such as ``spec.record.uri``.
        value: what stands there, shortened; empty where nothing does, or it may be a secret.
        fix: what to do.
        unknown_field: whether there is no such field.
    """

    field: str
    value: str
    fix: str
    unknown_field: bool = False

    def __str__(self) -> str:
        return f"{self.field}: {self.value}: {self.fix}" if self.value else f"{self.field}: {self.fix}"


def problem_at(path: str, value: Any, fix: str) -> Problem:
    """Return a problem with the value that stands there, as far as it may be shown."""
    return Problem(path, _shown(path, value), fix)


def problems_in(
    error: pydantic.ValidationError, kind: type[pydantic.BaseModel] = PipelineRun
) -> list[Problem]:
    """Return what pydantic found, in words for the person who wrote it; one problem a field.

    Args:
        error: what it found.
        kind: the resource that was read.
    """
    told: dict[str, Problem] = {}
    for each in error.errors(include_url=False):
        path = _path(each["loc"])
        unknown = each["type"] == "extra_forbidden"
        told.setdefault(path, Problem(path, _value(path, each), _fix(path, each, kind), unknown))
    return list(told.values())


def _path(place: tuple[int | str, ...]) -> str:
    path = ""
    for step in place:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path


def _value(path: str, error: Any) -> str:
    if error["type"] in ("missing", "extra_forbidden", "too_long"):
        return ""
    return _shown(path, error["input"])


def _shown(path: str, value: Any) -> str:
    """Return a value as a message shows it: only what is plain, and never what may be a secret."""
    if not isinstance(value, str | int | float | bool | None) or _PRIVATE.search(path):
        return ""
    text = repr(_USERINFO.sub("…@", value)) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _fix(path: str, error: Any, resource: type[pydantic.BaseModel]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_field(error["loc"], resource)
    if path == "kind":
        return f"use {resource.__name__}"
    if kind == "missing":
        wanted = advice(path)
        return f"is missing; {wanted}" if wanted else "is missing"
    if kind == "too_long":
        return f"holds more than {context['max_length']} entries"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("literal_error", "enum"):
        return advice(path) or f"use {context['expected']}"
    if kind == "string_too_long":
        return f"use at most {context['max_length']} characters"
    if kind in ("greater_than_equal", "less_than_equal"):
        word, bound = ("at least", "ge") if kind == "greater_than_equal" else ("at most", "le")
        return f"use {word} {context[bound]}"
    # A number becomes a text by quotes, whatever the text shall be.
    if kind == "model_type" or (kind == "string_type" and isinstance(error["input"], int | float)):
        return _WORDS[kind]
    if wanted := advice(path):
        return wanted
    return (
        _of_pattern(context["pattern"])
        if "pattern" in context
        else _WORDS.get(kind, _uncapital(error["msg"]))
    )


def _of_pattern(pattern: str) -> str:
    if pattern == LABEL_VALUE:
        return (
            "use at most 63 letters, digits, '-', '_' and '.', starting and ending with a letter or a digit"
        )
    if pattern.startswith("^/"):
        return "use an absolute path without ':', such as /data"
    return "use small letters, digits, '-' and '.', as in names of Kubernetes"


_WORDS: Final = {
    "string_type": "use a text; put it in quotes",
    "bool_type": "use true or false",
    "int_type": "use a whole number",
    "float_type": "use a number",
    "list_type": "use a list",
    "dict_type": "use a mapping of names to values",
    "model_type": "use a mapping of names to values",
}


def advice(path: str) -> str:
    """Return what to do about a field that is not well-formed; nothing where that is not known."""
    # What a schedule's runs are made from is said of as of a run.
    parts = re.sub(r"\[\d+\]", "", path).replace("spec.template.spec.", "spec.", 1).split(".")
    for length in range(len(parts), 0, -1):
        if (name := ".".join(parts[:length])) in _ADVICE:
            return _ADVICE[name]
    return ""


def _unknown_field(place: tuple[int | str, ...], resource: type[pydantic.BaseModel]) -> str:
    known = _fields_at(place[:-1], resource)
    close = difflib.get_close_matches(str(place[-1]), known, n=1)
    if close:
        return f"there is no such field; did you mean {close[0]!r}?"
    return f"there is no such field; there are {', '.join(known)}" if known else "there is no such field"


def _fields_at(place: tuple[int | str, ...], resource: type[pydantic.BaseModel]) -> list[str]:
    whole = _schema(resource)
    node = whole
    for step in place:
        node = _resolved(node, whole)
        inside = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
        node = inside or {}
    return list(_resolved(node, whole).get("properties", {}))


@cache
def _schema(resource: type[pydantic.BaseModel]) -> dict[str, Any]:
    return resource.model_json_schema(by_alias=True)


def _resolved(node: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    for branch in node.get("anyOf", ()):
        if "$ref" in branch:
            node = branch
    return whole["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def _uncapital(text: str) -> str:
    return text[:1].lower() + text[1:]

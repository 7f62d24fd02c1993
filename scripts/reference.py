"""The reference of a custom resource's fields, from its definition: one table an object."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["with_field_tables"]

_MARKS = re.compile(r"(<!-- fields: .*?-->\n).*?(<!-- fields end -->)", re.DOTALL)

Schema = dict[str, Any]


def with_field_tables(page: str, definition: Schema) -> str:
    """Return a page with the tables of a definition's fields between its two marks.

    Raises:
        ValueError: the page does not have the marks.
    """
    if not _MARKS.search(page):
        raise ValueError("the page has no `<!-- fields: … -->` and `<!-- fields end -->` around the tables")
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    text = "\n".join(_lines(schema))
    return _MARKS.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", page)


def _lines(schema: Schema) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    shapes: dict[str, Schema] = {}
    for name in ("spec", "status"):
        for path, shape in _objects(name, schema["properties"][name]):
            key = json.dumps(shape["properties"], sort_keys=True)
            places.setdefault(key, []).append(path)
            shapes[key] = shape
    told = {path for paths in places.values() for path in paths}
    for key, paths in places.items():
        shape = shapes[key]
        yield f"### {', '.join(f'`{path}`' for path in paths)}\n"
        if len(paths) == 1 and shape.get("description"):
            yield shape["description"] + "\n"
        yield "| Field | Type | Default | Meaning |"
        yield "| --- | --- | --- | --- |"
        for name, field in shape["properties"].items():
            inner = _inner(paths[0], name, field)
            required = name in shape.get("required", ())
            yield _row(name, field, required, section=inner if inner in told else "")
        yield ""


def _objects(path: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield every object that has a meaning of its own, with its path; outer ones first."""
    yield path, schema
    for name, field in schema["properties"].items():
        inside = field.get("items", field)
        if _is_told(inside):
            yield from _objects(_inner(path, name, field), inside)


def _is_told(schema: Schema) -> bool:
    # What is Kubernetes' own is told in Kubernetes' reference.
    return any("description" in field for field in schema.get("properties", {}).values())


def _inner(path: str, name: str, field: Schema) -> str:
    return f"{path}.{name}[]" if field.get("type") == "array" else f"{path}.{name}"


def _row(name: str, field: Schema, required: bool, *, section: str) -> str:
    default = field.get("default")
    shown = "required" if required else "" if default in (None, {}) else f"`{json.dumps(default)}`"
    meaning = " ".join(field.get("description", "").split())
    if section:
        meaning = f"{meaning} See `{section}`.".strip()
    return f"| `{name}` | {_type(field)} | {shown} | {meaning.replace('|', chr(92) + '|')} |"


def _type(field: Schema) -> str:
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"] if word)
    if field.get("x-kubernetes-int-or-string"):
        return "quantity"
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}s"
    values = field.get("additionalProperties")
    if values:
        return f"map of {_type(values)}s" if "type" in values or "anyOf" in values else "map"
    return str(field.get("type", "any"))

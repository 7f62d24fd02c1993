"""From a pydantic model to a structural schema, the form of OpenAPI that a resource's definition takes.

Structural schemas have no references, no unions and a type everywhere. What the models say in
another way is said in theirs here; what cannot be said there raises, when the schema is made.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

__all__ = ["Schema", "structural_schema"]

Schema = dict[str, Any]

_PLAIN: Final = (
    "type", "description", "format", "pattern", "enum",
    "maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties", "maximum", "minimum",
)  # fmt: skip
_DROPPED: Final = ("title", "default", "properties", "required", "items", "additionalProperties", "anyOf")


def structural_schema(model: type[BaseModel], *, defaults: bool = True) -> Schema:
    """Return the structural schema of a model.

    Defaults that say nothing (an empty text, list or object, null) are left out: a resource then does
    not carry what its user never wrote, and the model reads it alike.

    Args:
        model: all it holds must be bounded, so that the API server can tell what a rule costs.
        defaults: whether the API server fills in what is missing.

    Raises:
        ValueError: the model holds what no structural schema can say, or has no bound.
    """
    whole = model.model_json_schema(by_alias=True)
    made = _converted(whole, whole.get("$defs", {}), model.__name__, ())
    return made if defaults else _without_defaults(made)


def _converted(node: Schema, definitions: dict[str, Schema], where: str, above: tuple[str, ...]) -> Schema:
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name in above:
            raise ValueError(f"{where}: {name} holds itself, which no structural schema can say")
        # What stands beside a reference says more than what it refers to.
        own = {key: value for key, value in node.items() if key != "$ref"}
        return _converted({**definitions[name], **own}, definitions, where, (*above, name))
    node = _without_union(node, definitions, where)
    if "$ref" in node:
        return _converted(node, definitions, where, above)
    made: Schema = {key: node[key] for key in _PLAIN if key in node}
    if "description" in made:
        made["description"] = _prose(made["description"])
    if "const" in node:
        made["enum"] = [node["const"]]
    if "exclusiveMinimum" in node or "exclusiveMaximum" in node:
        raise ValueError(f"{where}: say it with an inclusive bound")
    # Of an object, its fields' own defaults are filled in.
    if says_something(node.get("default")):
        made["default"] = {} if isinstance(node["default"], dict) else node["default"]
    made |= {key: value for key, value in node.items() if key.startswith("x-kubernetes-")}
    if made.get("x-kubernetes-int-or-string"):
        made["anyOf"] = node["anyOf"]
    unknown = set(node) - {*_PLAIN, *_DROPPED, "const", "$defs"}
    if odd := sorted(key for key in unknown if not key.startswith("x-kubernetes-")):
        raise ValueError(f"{where}: structural schemas have no {', '.join(odd)}")
    _convert_inside(node, made, definitions, where, above)
    return made


def _convert_inside(
    node: Schema, made: Schema, definitions: dict[str, Schema], where: str, above: tuple[str, ...]
) -> None:
    kind = made.get("type")
    if kind == "array":
        _demand(made, "maxItems", where)
        made["items"] = _converted(node["items"], definitions, f"{where}[]", above)
    elif kind == "string":
        if "enum" not in made and "format" not in made:
            _demand(made, "maxLength", where)
    elif kind == "object" and "properties" in node:
        made["properties"] = {
            name: _converted(field, definitions, f"{where}.{name}", above)
            for name, field in node["properties"].items()
        }
        if node.get("required"):
            made["required"] = list(node["required"])
    elif kind == "object":
        _demand(made, "maxProperties", where)
        values = node.get("additionalProperties")
        if isinstance(values, dict) and values:
            made["additionalProperties"] = _converted(values, definitions, f"{where}.*", above)
        else:
            made["additionalProperties"] = {"x-kubernetes-preserve-unknown-fields": True, "nullable": True}
    elif kind is None and not made.get("x-kubernetes-int-or-string"):
        raise ValueError(f"{where}: structural schemas need a type")


def _without_union(node: Schema, definitions: dict[str, Schema], where: str) -> Schema:
    """Return a node whose `anyOf` is said otherwise: null is absence, words are one enum."""
    if "anyOf" not in node or node.get("x-kubernetes-int-or-string"):
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    branches = [branch for branch in node["anyOf"] if branch.get("type") != "null"]
    if len(branches) == 1:
        return {**branches[0], **rest}
    words: list[str] = []
    for branch in branches:
        target = definitions[branch["$ref"].rpartition("/")[2]] if "$ref" in branch else branch
        found = target.get("enum") or ([target["const"]] if "const" in target else None)
        if found is None:
            raise ValueError(f"{where}: structural schemas have no unions of types")
        words += found
    return {"type": "string", "enum": words, **rest}


def _without_defaults(schema: Schema) -> Schema:
    made = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in made:
        made["properties"] = {name: _without_defaults(field) for name, field in made["properties"].items()}
    for inside in ("items", "additionalProperties"):
        if inside in made:
            made[inside] = _without_defaults(made[inside])
    return made


def says_something(default: Any) -> bool:
    """Return whether a default is more than emptiness.

    >>> says_something({"env": [], "affinity": {}}), says_something(False), says_something(None)
    (False, True, False)
    """
    if isinstance(default, dict):
        return any(says_something(value) for value in default.values())
    return default is not None and default not in ("", [], {})


def _demand(made: Schema, bound: str, where: str) -> None:
    if bound not in made:
        raise ValueError(f"{where}: without {bound} the API server takes a rule on it for too expensive")


def _prose(text: str) -> str:
    """Return a docstring as `kubectl explain` shows it best: a line a paragraph."""
    paragraphs = text.replace("``", "`").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)

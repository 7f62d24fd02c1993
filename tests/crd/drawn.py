"""What a structural schema accepts, drawn."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["instances"]

Schema = dict[str, Any]


def instances(schema: Schema) -> st.SearchStrategy[Any]:
    """Return a strategy for what a schema accepts."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(0, 2**40) | _strings(schema)
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
            ),
            max_leaves=3,
        )
    kind = schema["type"]
    if kind == "string":
        return _strings(schema)
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        return st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**31))
    if kind == "number":
        return st.floats(schema["minimum"], 2**40)
    if kind == "array":
        return st.lists(instances(schema["items"]), max_size=2)
    if "properties" in schema:
        required = set(schema.get("required", ()))
        fields = {name: instances(field) for name, field in schema["properties"].items()}
        return st.fixed_dictionaries(
            {name: fields[name] for name in fields if name in required},
            optional={name: fields[name] for name in fields if name not in required},
        )
    keys = st.from_regex("[a-z]{1,8}", fullmatch=True)
    return st.dictionaries(keys, instances(schema["additionalProperties"]), max_size=2)


def _strings(schema: Schema) -> st.SearchStrategy[str]:
    letters = st.characters(min_codepoint=32, max_codepoint=126)
    if "pattern" not in schema:
        return st.text(letters, max_size=min(8, schema["maxLength"]), min_size=schema.get("minLength", 0))
    made = st.from_regex(schema["pattern"], fullmatch=True, alphabet=letters)
    return made.filter(lambda text: len(text) <= schema["maxLength"])

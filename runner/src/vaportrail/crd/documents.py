"""YAML and JSON as Kubernetes' own tools read them, so that a file means here what it means to kubectl.

Those read YAML by go-yaml v2: `1e-3` is a number, `12:30` and a date are texts, `yes` is a truth, `010`
is eight. A key that stands twice is refused, and one that they would take for another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from math import isfinite
from typing import Any, Final

import yaml

from vaportrail.errors import UsageError

__all__ = ["load_documents", "load_value"]

_MARKS: Final = ("[", "{", '"', "'")
_WHOLE: Final = 2**63
"""An API server makes a float of a number from here on."""
_SIZE: Final = 20_000_000
"""How many characters and values a text may mean: a few anchors make of a kilobyte more than memory holds."""
_TAG: Final = "tag:yaml.org,2002:"
_KINDS: Final[dict[type, str]] = {type(None): "null", bool: "bool", int: "int", float: "float", str: "str"}

_WORDS: Final[dict[str, Any]] = {
    form: value
    for words, value in (
        (("y", "yes", "true", "on"), True),
        (("n", "no", "false", "off"), False),
        (("", "~", "null"), None),
        ((".inf", "+.inf"), float("inf")),
        (("-.inf",), float("-inf")),
        ((".nan",), float("nan")),
    )
    for word in words
    for form in (word, word.upper(), word.capitalize())
} | {".Inf": float("inf"), "+.Inf": float("inf"), "-.Inf": float("-inf"), ".NaN": float("nan")}
_INT: Final = re.compile(r"([-+]?)(?:0x([0-9a-f]+)|0o?([0-7]+)|0b([01]+)|(0|[1-9][0-9]{0,19}))", re.I)
_BASES: Final = (16, 8, 2, 10)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def load_documents(text: str) -> list[Any]:
    """Return the values in a text of JSON or YAML, without those that are empty.

    Raises:
        UsageError: it is neither, or says something twice, or in a way that JSON has not.
    """
    try:
        return [each for each in _loaded(text) if each is not None]
    except yaml.YAMLError as error:
        raise UsageError(f"this is neither YAML nor JSON: {error}") from None


def load_value(text: str) -> Any:
    """Return the JSON value that a text means for itself.

    What begins with a bracket, a brace or a quote is JSON or YAML. A decimal number, `true`,
    `false` and `null` are what they are in JSON. All else is text as it stands, also what YAML would
    take for a number (`010`, `12:30`), for a truth (`yes`) or for a comment, and a number that JSON
    does not carry whole.

    Raises:
        UsageError: a key stands twice in it, or it says something in a way that JSON has not.

    >>> load_value("[1, 2]"), load_value("1.5"), load_value("010"), load_value('"1.10"'), load_value("{")
    ([1, 2], 1.5, '010', '1.10', '{')
    """
    try:
        if text.lstrip().startswith(_MARKS):
            documents = _loaded(text)
            return documents[0] if len(documents) == 1 else str(text)
        value = _json(text)
    except (ValueError, yaml.YAMLError):
        return str(text)
    carried = isfinite(value) if isinstance(value, float) else abs(value or 0) < _WHOLE
    return value if carried else str(text)


def _loaded(text: str) -> list[Any]:
    try:
        try:
            values = [_json(text)]
        except ValueError:
            values = list(yaml.load_all(text, Loader=_Loader))
        json.dumps(values, ensure_ascii=False).encode()
    except RecursionError:
        raise UsageError("this is nested too deeply; use fewer levels") from None
    except UnicodeEncodeError as error:
        half = error.object[error.start : error.end]
        raise UsageError(f"{half!a} is half of a character; write the whole one") from None
    except ValueError:
        raise UsageError("this holds itself, by an anchor (&); write out what it holds") from None
    return values


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_mapping, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text} is no number of JSON")
    return value


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise UsageError(f"the key {key!r} stands twice in one mapping; leave one out")
        made[key] = value
    return made


def _plain(text: str) -> Any:
    """Return what go-yaml v2 makes of a text without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text if text[0] == "." else text.replace("_", "")
    if whole := _INT.fullmatch(digits):
        groups = zip(_BASES, whole.groups()[1:], strict=True)
        value = next(int(found, base) for base, found in groups if found is not None)
        value = -value if whole[1] == "-" else value
        if -_WHOLE <= value < 2 * _WHOLE:
            return value
    if _FLOAT.fullmatch(digits) and isfinite(number := float(digits)):
        return number
    return text


def _scalar(loader: _Loader, node: yaml.ScalarNode) -> Any:
    text: str = loader.construct_scalar(node)
    wanted = node.tag.removeprefix(_TAG)
    if wanted in ("str", "merge"):
        # JSON says a character beyond the first 65536 in two halves.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    value = _plain(text)
    if wanted == "float" and type(value) is int:
        return float(value)
    if _KINDS[type(value)] != wanted:
        raise UsageError(f"{_place(node)}: {text[:80]!r} is no {wanted}; leave !!{wanted} out")
    return value


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}
    yaml_constructors = {
        **{f"{_TAG}{kind}": _scalar for kind in (*_KINDS.values(), "merge")},
        f"{_TAG}seq": yaml.SafeLoader.construct_yaml_seq,
        f"{_TAG}map": yaml.SafeLoader.construct_yaml_map,
        None: yaml.SafeLoader.construct_undefined,
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._sizes: dict[yaml.Node, int] = {}
        self._whole = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, and count what it means where each alias (*) in it is written out."""
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if node is not None and not is_alias:
            self._sizes[node] = self._size(node)
            if parent is None:
                self._whole += self._sizes[node]
            if max(self._whole, self._sizes[node]) > _SIZE:
                raise UsageError(
                    f"{_place(node)}: with its aliases (*) written out this is longer than {_SIZE:,} "
                    "characters; write out what is meant"
                )
        return node

    def _size(self, node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1 + len(node.value)
        pairs = isinstance(node, yaml.MappingNode)
        held = [each for pair in node.value for each in pair] if pairs else node.value
        # One that is not known yet holds itself, which is told of later.
        return 1 + sum(self._sizes.get(each, 1) for each in held)

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode and implicit[0]:
            return f"{_TAG}merge" if value == "<<" else f"{_TAG}{_KINDS[type(_plain(value))]}"
        tag: str = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        return tag

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        own = [(key, self._key(key)) for key, _ in node.value if key.tag != f"{_TAG}merge"]
        _unlike(own)
        self.flatten_mapping(node)
        return {self._key(key): self.construct_object(value, deep=deep) for key, value in node.value}

    def _key(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode):
            value = self.construct_object(node)
            # Kubernetes' tools make texts of numbers and truths.
            said = value if isinstance(value, str) else json.dumps(value)
            if value is not None and said == node.value:
                return said
        why = "a list or a mapping is no text as a key"
        if isinstance(node, yaml.ScalarNode):
            read = json.dumps(self.construct_object(node), default=str)
            why = f"{node.value!r} is no text as a key: YAML 1.1 reads it as {read}"
        raise UsageError(f"{_place(node)}: {why}; put it in quotes")


def _unlike(keys: list[tuple[yaml.Node, str]]) -> None:
    seen: set[str] = set()
    for node, key in keys:
        if key in seen:
            raise UsageError(f"{_place(node)}: the key {key!r} stands twice in one mapping; leave one out")
        seen.add(key)


def _place(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"

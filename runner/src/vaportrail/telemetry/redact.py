"""Secrets stay out: in values before they are encoded, by structure and not as text.

A finished line is searched first, which costs next to nothing; only where it may hold a secret are
its values gone through, one by one. What holds a record together is never touched.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from vaportrail.errors import RecordError
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.json_attributes import JSON_ATTRIBUTES, decode_attribute, encode_attribute
from vaportrail.telemetry.log_types import VALUE_TYPES
from vaportrail.telemetry.secret_texts import escaped, forms, process_secrets

__all__ = ["Finder", "Redactor", "cut_outside", "redactor"]

# What holds a record together. A secret that is also a task's name is no secret.
_STRUCTURE: Final = frozenset(
    {
        c.TASK_RUN_ID, c.TASK_NAME, c.TASK_KIND, c.TASK_UPSTREAM, c.OUTCOME, c.SPAN_PARENT, c.SCHEMA,
        c.PIPELINE_NAME, c.ARTIFACT_SHA256, c.ARTIFACT_KIND, c.ARTIFACT_MEDIA_TYPE, c.LOG_IOSTREAM, c.NODE_ID,
        c.TASK_RUN_RESULT, c.PIPELINE_RESULT, c.PIPELINE_ACTION_NAME, c.LEDGER_WRITER, c.LEDGER_STATE,
        c.TASK_CAUSE, c.RECEIPT_UID,
    }
)  # fmt: skip
_OURS: Final = frozenset(row.name for row in c.ATTRIBUTES)
"""Their names and numbers are the engine's, never a user's."""
_OUR_TREES: Final = frozenset({c.TASK_OPTIONS, c.TASK_EDGES, c.RUN_ENVIRONMENT})
"""Trees whose keys are the engine's."""
_NUMBERS: Final = frozenset(each.event for each in VALUE_TYPES if each.numbers)
_TEXT_KEYS: Final = frozenset({"stringValue", "name", "message"})
_TASK_ID: Final = re.compile(r"[A-Za-z0-9_.-]+-[0-9]+")
_NOTEBOOK_KEYS: Final = frozenset(
    {
        "cells", "metadata", "nbformat", "nbformat_minor", "cell_type", "output_type", "source", "outputs",
        "execution_count", "id", "data", "text", "name", "ename", "evalue", "traceback", "attachments",
        "tags", "kernelspec", "language_info", "display_name", "language", "version", "mimetype",
        "file_extension", "codemirror_mode", "pygments_lexer", "nbconvert_exporter", "text/plain",
        "text/html", "text/markdown", "text/latex", "image/png", "image/jpeg", "image/svg+xml",
        "application/json",
    }
)  # fmt: skip
_NOTEBOOK_VALUES: Final = frozenset({"cell_type", "output_type", "nbformat", "nbformat_minor", "id"})


class Finder(Protocol):
    """Knows where in a text secrets stand."""

    @property
    def longest(self) -> int:
        """How many bytes the longest secret has."""

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where secrets begin and end, from left to right."""

    def suspects(self, text: str) -> bool:
        """Return whether a text may hold a secret, which costs less than to look where."""

    def __call__(self, text: str) -> str:
        """Return text without secrets."""


def cut_outside(finder: Finder, raw: bytes, at: int) -> int:
    """Return where to cut `raw` at `at` or before it, so that no secret is cut in two.

    A secret that begins at the start of `raw` and goes beyond `at` is kept whole: the cut is after it.
    """
    while around := _around(finder, raw, at):
        if not around[0]:
            return _end_of_all(finder, raw, around[1])
        # Where it begins another may be cut, which overlaps it.
        at = around[0]
    return at


def _end_of_all(finder: Finder, raw: bytes, at: int) -> int:
    while around := _around(finder, raw, at):
        at = around[1]
    return at


def _around(finder: Finder, raw: bytes, at: int) -> tuple[int, int] | None:
    """Return where the secret begins and ends within which `at` is."""
    first = max(0, at - finder.longest)
    text = raw[first : at + finder.longest].decode("utf-8", "surrogateescape")
    for begin, end in finder.find(text):
        start = first + len(text[:begin].encode("utf-8", "surrogateescape"))
        stop = first + len(text[:end].encode("utf-8", "surrogateescape"))
        if start < at < stop:
            return start, stop
    return None


class Redactor:
    """Replaces secret values in text and in OTLP records.

    Args:
        secrets: what stands for each secret, by the secret.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.replacements: dict[str, str] = {}
        lookouts: set[str] = set()
        for secret, name in secrets.items():
            for form in forms(secret):
                self.replacements.setdefault(form, name)
        for form in self.replacements:
            # In the finished line a text is escaped once more, one that is JSON itself twice.
            once = escaped(form)
            lookouts |= {form, *once, *(twice for each in once for twice in escaped(each))}
        # What contains another is found with it.
        self._lookouts = _shortest(lookouts)
        self._pattern = _either([*set(secrets.values()), *self.replacements])
        self._longest = max(map(len, self.replacements))
        self.longest = max(len(form.encode("utf-8", "surrogateescape")) for form in self.replacements)

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where secrets begin and end, from left to right; those that overlap are one."""
        for begin, end, _ in self._found(text):
            yield begin, end

    def _found(self, text: str) -> Iterator[tuple[int, int, str]]:
        at = 0
        while found := self._pattern.search(text, at):
            begin, at = found.span()
            name = self.replacements.get(found.group())
            # What stands for a secret already stays, though a secret may be a word of it.
            if name is None:
                continue
            inner = begin + 1
            while (more := self._pattern.search(text, inner, at + self._longest)) and more.start() < at:
                inner = more.start() + 1
                at = max(at, more.end())
            yield begin, at, name

    def __call__(self, text: str) -> str:
        """Return text without secrets, also where they are escaped as in JSON, HTML or a `repr`."""
        if not self.suspects(text):
            return text
        done, parts = 0, []
        for begin, end, name in self._found(text):
            parts += [text[done:begin], name]
            done = end
        return "".join([*parts, text[done:]])

    def suspects(self, text: str) -> bool:
        """Return whether a text, or a finished line, may hold a secret."""
        return any(map(text.__contains__, self._lookouts))

    def number(self, value: float) -> str | None:
        """Return what stands for a number that is a secret, sign aside; else None."""
        texts = {str(value)} | (
            {str(int(value))} if isinstance(value, float) and value.is_integer() else set()
        )
        for text in texts:
            name = self.replacements.get(text.removeprefix("-"))
            if name is not None:
                return name
        return None

    def everywhere(
        self,
        value: Any,
        *,
        is_ours: Callable[[str], bool] = lambda key: False,
        stays: Callable[[str, Any], bool] = lambda key, item: False,
    ) -> Any:
        """Return JSON-like data without secrets: texts, keys, and numbers, which become texts.

        Args:
            value: the data.
            is_ours: whether a key is a format's and no user's.
            stays: whether the value of a key is left as it is.
        """
        if isinstance(value, str):
            return self(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | float):
            name = self.number(value)
            return value if name is None else name
        if isinstance(value, Mapping):
            named: dict[str, Any] = {}
            for key, item in value.items():
                free = key if is_ours(key) else _unused(self(key), named)
                named[free] = (
                    item if stays(key, item) else self.everywhere(item, is_ours=is_ours, stays=stays)
                )
            return named
        if isinstance(value, list | tuple):
            return [self.everywhere(item, is_ours=is_ours, stays=stays) for item in value]
        return value

    def tree(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return described arguments or parameters without secrets; the ids of tasks in them stay."""
        found: dict[str, Any] = self.everywhere(arguments, stays=_is_task_id)
        return found

    def notebook(self, notebook: Mapping[str, Any]) -> dict[str, Any]:
        """Return a notebook without secrets; what its format says itself stays."""
        found: dict[str, Any] = self.everywhere(
            notebook,
            is_ours=lambda key: key in _NOTEBOOK_KEYS,
            stays=lambda key, item: key in _NOTEBOOK_VALUES and not isinstance(item, list | dict),
        )
        return found

    def record(self, value: Any, key: str = "") -> Any:
        """Return an OTLP record without secrets; what holds the record together stays as it is."""
        if isinstance(value, str):
            return self(value) if key in _TEXT_KEYS else value
        if isinstance(value, Mapping):
            if key == "body":
                return self._value(value)
            if isinstance(value.get("key"), str):
                return self._attribute(value["key"], value)
            said = {name: self.record(item, name) for name, item in value.items()}
            return _number_kept(value, said) if value.get("eventName") in _NUMBERS else said
        return [self.record(item, key) for item in value] if isinstance(value, list) else value

    def _attribute(self, key: str, pair: Mapping[str, Any]) -> Mapping[str, Any]:
        if key in _STRUCTURE:
            return pair
        value = pair.get("value", {})
        if key == c.TASK_RUN_URL:
            address, mark, task = str(value.get("stringValue", "")).rpartition("#")
            return {"key": key, "value": {"stringValue": f"{self(address)}{mark}{task}"}}
        if key in JSON_ATTRIBUTES:
            tree = self._tree(key, value.get("stringValue"))
            if tree is not None:
                return {"key": key, "value": {"stringValue": tree}}
        if key in _OURS:
            return {"key": key, "value": self.record(value)}
        return {"key": self(key), "value": self._value(value)}

    def _tree(self, key: str, text: Any) -> str | None:
        try:
            found: Any = (
                decode_attribute({key: text}, key, list)
                if key == c.TASK_EDGES
                else decode_attribute({key: text}, key, dict)
            )
        except RecordError:  # written by somebody else: a text like any other
            return None
        ours = key in _OUR_TREES
        return encode_attribute(self.everywhere(found, is_ours=lambda _key: ours, stays=_is_task_id))

    def _value(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return a user's `AnyValue` without secrets."""
        said: dict[str, Any] = {}
        for kind, content in value.items():
            if kind == "stringValue":
                said[kind] = self(content)
            elif kind in ("intValue", "doubleValue") and not isinstance(content, bool):
                name = self.number(int(content) if kind == "intValue" else content)
                said |= {kind: content} if name is None else {"stringValue": name}
            elif kind == "arrayValue":
                said[kind] = {"values": [self._value(item) for item in content.get("values", [])]}
            elif kind == "kvlistValue":
                pairs = content.get("values", [])
                used: dict[str, Any] = {}
                for pair in pairs:
                    used[_unused(self(pair["key"]), used)] = self._value(pair.get("value", {}))
                said[kind] = {"values": [{"key": name, "value": item} for name, item in used.items()]}
            else:
                said[kind] = content
        return said


def _number_kept(before: Mapping[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Return a metric's record whose body is a number still: for one that is a secret stands NaN."""
    body = said.get("body", {})
    if "stringValue" in body and "stringValue" not in before.get("body", {}):
        said["body"] = {"doubleValue": "NaN"}
        why = {"key": c.REDACTED, "value": {"stringValue": body["stringValue"]}}
        said["attributes"] = [*said.get("attributes", []), why]
    return said


def _is_task_id(key: str, value: Any) -> bool:
    # Where another than the engine wrote such a key, its value is a text like any other.
    return key in ("$task", "task") and isinstance(value, str) and _TASK_ID.fullmatch(value) is not None


def _unused(name: str, used: Mapping[str, Any]) -> str:
    """Return a name that is not in `used`: two keys may be the same without their secrets."""
    free, number = name, 1
    while free in used:
        number += 1
        free = f"{name} ({number})"
    return free


def _shortest(texts: Iterable[str]) -> list[str]:
    """Return the texts that contain none of the others."""
    ordered = sorted(texts, key=len)
    size = len(ordered[0]) if ordered else 0
    kept: dict[str, None] = {}
    lengths: defaultdict[str, set[int]] = defaultdict(set)
    for text in ordered:
        parts = (
            text[at : at + length]
            for at in range(len(text) - size + 1)
            for length in lengths.get(text[at : at + size], ())
        )
        if not any(part in kept for part in parts):
            kept[text] = None
            lengths[text[:size]].add(len(text))
    return list(kept)


def _either(texts: Iterable[str]) -> re.Pattern[str]:
    # Longest first: a secret may contain another.
    return re.compile("|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True)))


def redactor(environ: Mapping[str, str]) -> Redactor | None:
    """Return what replaces the secrets among environment variables, or None where there are none.

    A variable counts as secret when its name says so (see `secret_names`) and its value has at least
    8 characters; so does the password within a URL, whatever the variable. It is replaced by
    ``[redacted:NAME]``. Where the keys of a run's store are mounted they count as well.

    >>> redactor({"DB_PASSWORD": "hunter2hunter2"})("login hunter2hunter2")
    'login [redacted:DB_PASSWORD]'
    """
    secrets = process_secrets(environ)
    return Redactor(secrets) if secrets else None

"""What is public: every type that a public signature names, and what `import vaportrail` costs."""

from __future__ import annotations

import builtins
import inspect
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest

import vaportrail
from vaportrail.authoring.options import Options, TaskOptions, resolve_options

INTERNAL = {"TaskOptions", "RunSettings", "Record", "OlderRecord", "RowTable"}
"""What a signature names that is no one's to use: it is written so in its docstring or has no underscore."""


def own_types(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and annotation.__module__.startswith("vaportrail."):
        yield annotation
    for part in typing.get_args(annotation):
        yield from own_types(part)


def members(kind: type) -> Iterator[Any]:
    for name, member in inspect.getmembers(kind):
        owner = str(getattr(member, "__module__", None) or "vaportrail")
        public = not name.startswith("_") and owner.startswith("vaportrail")
        if public and isinstance(member, property):
            yield member.fget
        elif public and inspect.isfunction(member):
            yield member


def test_every_type_that_a_public_signature_names_is_public() -> None:
    names = {**vars(vaportrail), **{name: getattr(vaportrail, name) for name in dir(vaportrail)}}
    public = [value for name, value in names.items() if not name.startswith("_")]
    functions = [value for value in public if inspect.isfunction(value)]
    for kind in [*filter(inspect.isclass, public), type(vaportrail.log)]:
        functions += members(kind)
    named: set[type] = set()
    for function in functions:
        scope = {**vars(sys.modules[function.__module__]), **names}
        for annotation in typing.get_type_hints(function, globalns=scope).values():
            named |= set(own_types(annotation))
    assert {"Run", "TaskRun", "LogLine", "MetricPoint", "AttemptInfo"} <= {kind.__name__ for kind in named}
    missing = {kind.__name__ for kind in named if names.get(kind.__name__) is not kind}
    assert missing - INTERNAL == set()


def test_what_is_no_name_of_ours_is_told_as_python_does() -> None:
    with pytest.raises(AttributeError, match="module 'vaportrail' has no attribute 'Rnu'"):
        vaportrail.Rnu  # type: ignore[attr-defined]


def test_a_star_import_leaves_pythons_own_names_alone() -> None:
    scope: dict[str, Any] = {}
    exec("from vaportrail import *", scope)
    assert {"task", "pipeline", "result", "log"} <= set(scope)
    assert {name for name in scope if not name.startswith("__") and hasattr(builtins, name)} == set()


def test_importing_us_imports_nothing_that_workers_do_without() -> None:
    code = (
        "import sys, vaportrail; from vaportrail import *; "
        "print([m for m in ('pydantic', 'ray', 'numpy', 'nbclient', 'yaml') if m in sys.modules]); "
        "vaportrail.Run; print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True"]


EXAMPLES: dict[type, Any] = {int: 3, float: 0.5, bool: True, type(None): None}


def test_an_option_takes_each_plain_type_that_its_annotation_names() -> None:
    tried = 0
    for name, annotation in typing.get_type_hints(Options).items():
        several = typing.get_origin(annotation) in (typing.Union, types.UnionType)
        for kind in typing.get_args(annotation) if several else (annotation,):
            if kind in EXAMPLES:
                resolve_options(TaskOptions(), {name: EXAMPLES[kind]}, "task 'x'")
                tried += 1
    assert tried > 8

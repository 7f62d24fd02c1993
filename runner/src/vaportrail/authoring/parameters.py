"""Pipeline parameters: validated and coerced by the signature before anything starts."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pydantic

from vaportrail.authoring.annotations import AnnotationError, adapter_of, resolved_annotation, takes_none
from vaportrail.authoring.hidden_parameters import hidden_names
from vaportrail.errors import ParameterError, UsageError
from vaportrail.telemetry.described import describe
from vaportrail.telemetry.hidden import HIDDEN_TEXT
from vaportrail.telemetry.object_fields import hides_a_field

__all__ = ["Parameters", "parse_assignments", "read_parameter_file"]


class Parameters:
    """The parameters of one pipeline, from its function's signature."""

    def __init__(self, pipeline: str, fn: Callable[..., Any]) -> None:
        self._pipeline = pipeline
        self._hidden = hidden_names(fn)
        self._adapters: dict[str, pydantic.TypeAdapter[Any]] = {}
        self._defaults: dict[str, Any] = {}
        self._open: set[str] = set()
        for parameter in inspect.signature(fn).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise ParameterError(
                    f"pipeline {pipeline!r}: parameter {parameter.name!r} cannot be given by name; "
                    "pipelines take plain named parameters"
                )
            try:
                annotation = resolved_annotation(fn, parameter.name)
                adapter = adapter_of(annotation)
            except AnnotationError as error:
                raise ParameterError(
                    f"pipeline {pipeline!r}: parameter {parameter.name!r}: {error}"
                ) from None
            if annotation is Any:
                self._open.add(parameter.name)
            self._adapters[parameter.name] = adapter
            if parameter.default is not parameter.empty:
                self._defaults[parameter.name] = parameter.default

    def validate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters, coerced to their annotations, defaults filled in.

        Raises:
            ParameterError: one is unknown, missing or ill-typed; the message names all of them.
        """
        problems: list[str] = []
        values: dict[str, Any] = {}
        for name in given:
            if name not in self._adapters:
                problems.append(self._unknown(name))
        for name, adapter in self._adapters.items():
            if name in given:
                try:
                    values[name] = self._coerce(name, adapter, given[name])
                except pydantic.ValidationError as error:
                    problems.append(self._ill_typed(name, given[name], error))
                except UsageError as error:
                    words = f"{HIDDEN_TEXT} cannot be read" if name in self._hidden else error
                    problems.append(f"parameter {name!r}: {words}")
            elif name in self._defaults:
                default = self._defaults[name]
                try:
                    # None says "not given", whatever the annotation: Python's own habit.
                    values[name] = None if default is None else adapter.validate_python(default)
                except pydantic.ValidationError as error:
                    problems.append(f"the default of {self._ill_typed(name, default, error)}")
            else:
                problems.append(f"parameter {name!r} is missing: give it with -p {name}=VALUE")
        if problems:
            raise ParameterError(f"pipeline {self._pipeline!r}: " + "; ".join(problems))
        return values

    def describe(
        self, values: Mapping[str, Any], plain: Callable[[str], str] = lambda text: text
    ) -> dict[str, Any]:
        """Return what the record says of validated values; hidden ones read ``"<hidden>"``.

        Args:
            values: as `validate` returned them.
            plain: takes the secrets out of a text.
        """
        described = {}
        for name, value in values.items():
            if name in self._hidden:
                described[name] = HIDDEN_TEXT
                continue
            try:
                dumped = (
                    value if hides_a_field(value)
                    else self._adapters[name].dump_python(value, mode="json", warnings=False)
                )  # fmt: skip
                described[name] = describe(dumped, plain=plain)
            except Exception:
                described[name] = describe(value, plain=plain)
        return described

    def _coerce(self, name: str, adapter: pydantic.TypeAdapter[Any], raw: Any) -> Any:
        if not isinstance(raw, Assignment):
            return adapter.validate_python(raw)
        # Loaded when it is asked for: workers read no assignments.
        from vaportrail.crd.documents import load_value

        if name in self._open or raw.lstrip().startswith(("'", '"')):
            return adapter.validate_python(load_value(raw))
        if raw == "null" and takes_none(adapter):
            return None
        try:
            return adapter.validate_python(str(raw))
        except pydantic.ValidationError:
            return adapter.validate_python(load_value(raw))

    def _unknown(self, name: str) -> str:
        known = list(self._adapters)
        close = difflib.get_close_matches(name, known, n=1)
        if close:
            return f"unknown parameter {name!r}; did you mean {close[0]!r}?"
        return f"unknown parameter {name!r}; it takes {', '.join(known) if known else 'none'}"

    def _ill_typed(self, name: str, raw: Any, error: pydantic.ValidationError) -> str:
        if name in self._hidden:
            return f"parameter {name!r} does not take {HIDDEN_TEXT}: it is not what its annotation asks for"
        first = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f"[{step!r}]" for step in first["loc"])
        # Inside something larger there may be secrets of its own: only what is plain is shown.
        plain = isinstance(raw, str | int | float | bool | None)
        shown = (
            repr(str(raw) if isinstance(raw, Assignment) else raw) if plain else f"this {type(raw).__name__}"
        )
        return f"parameter {name!r}{place} does not take {shown}: {first['msg']}"


class Assignment(str):
    """The text of one `-p name=value`, whose type only the annotation knows."""

    __slots__ = ()


def parse_assignments(assignments: tuple[str, ...]) -> dict[str, Assignment]:
    """Return `-p name=value` arguments as a mapping.

    Raises:
        ParameterError: one has no `=`, or a name is given twice.
    """
    parsed: dict[str, Assignment] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise ParameterError(f"-p {assignment!r} is not NAME=VALUE, such as -p epochs=3")
        if name in parsed:
            raise ParameterError(f"parameter {name!r} is given twice with -p")
        parsed[name] = Assignment(value)
    return parsed


def read_parameter_file(path: Path) -> dict[str, Any]:
    """Return the parameters in a YAML or JSON file, a mapping of names to values.

    Raises:
        ParameterError: the file cannot be read, or is no such mapping.
    """
    from vaportrail.crd.documents import load_documents

    try:
        contents = load_documents(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"parameter file {str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ParameterError(f"parameter file {str(path)!r} is neither YAML nor JSON: {error}") from None
    except UsageError as error:
        raise ParameterError(f"parameter file {str(path)!r}: {error}") from None
    if len(contents) != 1 or not isinstance(contents[0], dict):
        raise ParameterError(f"parameter file {str(path)!r} does not hold a mapping of names to values")
    return contents[0]

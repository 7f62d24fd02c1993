"""Task options: what a user may ask of the machine and of the executor, checked as it is written."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypedDict

from vaportrail.errors import OptionError

__all__ = ["Options", "TaskOptions", "parse_duration", "parse_memory", "resolve_options"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*(Ki|Mi|Gi|Ti|k|M|G|T)?B?")
_BYTES: Final = {
    None: 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip


class Options(TypedDict, total=False):
    """The options of `task(...)`, `notebook(...)` and `.options(...)`.

    Attributes:
        name: the task's name; the function's name unless given.
        cpus: CPUs it needs, fractions allowed; 1 unless given.
        gpus: GPUs it needs, fractions allowed.
        memory: memory it needs, such as ``"2Gi"``, or a number of bytes.
        resources: Ray's custom resources by name.
        timeout: how long an attempt may *run* (not queue), such as ``"90s"`` or ``"1h 30m"``, or a
            number of seconds; None for as long as it takes.
        retries: how many further attempts a failure may have; 0 unless given.
        backoff: wait before the first retry, doubled for each further one, at most 5 minutes;
            ``"1s"`` unless given.
        retry_on: an exception type worth a retry, or several; all unless given. Lost workers and
            time-outs are retried either way.
        env: environment variables for its attempts.
        runtime_env: Ray's runtime environment.
        isolate: give each attempt a fresh process of its own.
        after: handles of tasks that must succeed first, though their values are not used.
        allow_failure: its failure does not fail the run.
    """

    name: str
    cpus: float
    gpus: float
    memory: str | int
    resources: Mapping[str, float]
    timeout: str | float | None
    retries: int
    backoff: str | float
    retry_on: type[BaseException] | tuple[type[BaseException], ...] | list[type[BaseException]]
    env: Mapping[str, str]
    runtime_env: Mapping[str, Any]
    isolate: bool
    after: Sequence[object]
    allow_failure: bool


def parse_duration(text: str | float, option: str = "duration") -> float:
    """Return a duration in seconds.

    >>> parse_duration("1h 30m")
    5400.0
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        seconds = float(text)
    else:
        compact = str(text).replace(" ", "")
        parts = _DURATION.findall(compact)
        if not parts or "".join(n + u for n, u in parts) != compact:
            raise OptionError(
                f"{option}={text!r} is not a duration: write numbers with ms, s, m, h or d, "
                'such as "90s" or "1h 30m"'
            )
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if not 0 < seconds < math.inf:
        raise OptionError(f"{option}={text!r} is not more than zero")
    return seconds


def parse_memory(text: str | int, option: str = "memory") -> int:
    """Return an amount of memory in bytes; the suffixes are Kubernetes'.

    >>> parse_memory("2Gi")
    2147483648
    """
    found = _MEMORY.fullmatch(str(text).strip())
    if found is None or int(float(found[1]) * _BYTES[found[2]]) <= 0:
        raise OptionError(
            f"{option}={text!r} is not an amount of memory: write a number with Ki, Mi, Gi, Ti, "
            'k, M, G or T, such as "2Gi"'
        )
    return int(float(found[1]) * _BYTES[found[2]])


_Check = Callable[[Any, str], Any]
_Describe = Callable[[Any], Any]


def _itself(value: Any) -> Any:
    return value


def _type_names(types: tuple[type[BaseException], ...]) -> list[str]:
    return [f"{each.__module__}.{each.__qualname__}" for each in types]


def _amount(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise OptionError(f"{key}={value!r} is not a number of at least 0")
    return float(value)


def _count(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise OptionError(f"{key}={value!r} is not a whole number of at least 0")
    return value


def _flag(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise OptionError(f"{key}={value!r} is not True or False")
    return value


def _name(value: Any, key: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", value):
        raise OptionError(
            f"{key}={value!r} is not a task name: use 1 to 100 letters, digits, '_', '.' or '-'"
        )
    return value


def _mapping(kind: type | tuple[type, ...], words: str) -> Any:
    def check(value: Any, key: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise OptionError(f"{key} is of type {type(value).__name__}, not a mapping of names to {words}")
        # What is wrong is told, and no value: one of its neighbours may be a secret.
        for name, item in value.items():
            if not isinstance(name, str):
                raise OptionError(f"{key} has a key of type {type(name).__name__}; names are strings")
            if not isinstance(item, kind):
                raise OptionError(
                    f"{key}[{name!r}] is of type {type(item).__name__}; it maps names to {words}"
                )
        return dict(value)

    return check


def _exceptions(value: Any, key: str) -> tuple[type[BaseException], ...]:
    listed = value if isinstance(value, tuple | list) else (value,)
    if not all(isinstance(item, type) and issubclass(item, BaseException) for item in listed):
        raise OptionError(f"{key}={value!r} is not exception types, such as (ConnectionError,)")
    return tuple(listed)


def _handles(value: Any, key: str) -> tuple[object, ...]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise OptionError(f"{key}={value!r} is not a list of what tasks returned")
    return tuple(value)


def _amounts(value: Any, key: str) -> dict[str, float]:
    given = _mapping((int, float), "numbers")(value, key)
    return {name: _amount(amount, f"{key}[{name!r}]") for name, amount in given.items()}


def _option(default: Any, check: _Check, describe: _Describe | None = _itself) -> Any:
    """Declare an option: its default, what checks a given value, and what a record says of it.

    Args:
        default: a value, or a type that makes an empty one.
        check: takes the value and the option's name; returns the value as it is carried out.
        describe: takes the checked value; None for what a record says in another place, or must not say.
    """
    metadata = {"check": check, "describe": describe}
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """Checked options; durations are seconds, memory is bytes. Each row declares one."""

    name: str = _option("", _name, describe=None)
    cpus: float = _option(1.0, _amount)
    gpus: float = _option(0.0, _amount)
    memory: int = _option(0, parse_memory)
    resources: Mapping[str, float] = _option(dict, _amounts, describe=dict)
    timeout: float | None = _option(None, parse_duration)
    retries: int = _option(0, _count)
    backoff: float = _option(1.0, parse_duration)
    retry_on: tuple[type[BaseException], ...] = _option((BaseException,), _exceptions, describe=_type_names)
    env: Mapping[str, str] = _option(dict, _mapping(str, "strings"), describe=sorted)
    runtime_env: Mapping[str, Any] = _option(dict, _mapping(object, "values"), describe=sorted)
    isolate: bool = _option(False, _flag)
    after: Sequence[object] = _option((), _handles, describe=None)
    allow_failure: bool = _option(False, _flag)

    @property
    def variables(self) -> dict[str, str]:
        """All environment variables that attempts get, by whichever option."""
        given = self.runtime_env.get("env_vars")
        return {**(given if isinstance(given, Mapping) else {}), **self.env}

    def describe(self) -> dict[str, Any]:
        """Return what the record says of them: those that were set, environment values left out."""
        plain = TaskOptions()
        return {
            each.name: each.metadata["describe"](getattr(self, each.name))
            for each in fields(self)
            if each.metadata["describe"] and getattr(self, each.name) != getattr(plain, each.name)
        }


def resolve_options(base: TaskOptions, given: Mapping[str, Any], where: str) -> TaskOptions:
    """Return `base` with `given` on top, checked.

    Raises:
        OptionError: names the option, the value and what would be right.
    """
    known, plain = {each.name: each.metadata["check"] for each in fields(TaskOptions)}, TaskOptions()
    checked: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}"
            raise OptionError(f"{where}: unknown option {key!r}; {hint}")
        if value is None:  # as if it had not been given
            checked[key] = getattr(plain, key)
            continue
        try:
            checked[key] = known[key](value, key)
        except OptionError as error:
            raise OptionError(f"{where}: {error}") from None
    return replace(base, **checked)

"""Pipeline parameters: checked and coerced by the signature before anything starts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import pytest
from pydantic import BaseModel, SecretStr

from vaportrail import Hidden
from vaportrail.authoring.hidden_parameters import hidden_names
from vaportrail.authoring.parameters import Parameters, parse_assignments, read_parameter_file
from vaportrail.errors import ParameterError
from vaportrail.telemetry.hidden import HIDDEN_TEXT, is_hidden


class Model(BaseModel):
    depth: int
    name: str = "m"


class Account(BaseModel):
    user: str
    password: SecretStr


MODEL = Model(depth=1)


def takes(  # type: ignore[no-untyped-def]
    i: int = 0,
    f: float = 0.0,
    b: bool = False,
    s: str = "",
    li: list[int] = [],
    d: dict[str, float] = {},
    o: int | None = None,
    os: str | None = "set",
    op: Path | None = Path("set"),
    lit: Literal["a", "b", 3] = "a",
    m: Model = MODEL,
    day: date = date(2020, 1, 1),
    path: Path = Path(),
    free=None,
) -> None: ...


def from_text(fn: Callable[..., Any], *assignments: str) -> dict[str, Any]:
    return Parameters("p", fn).validate(parse_assignments(assignments))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("i=3", 3),
        ("i=-3", -3),
        ("f=1e-3", 0.001),
        ("f=2", 2.0),
        ("f=inf", float("inf")),
        ("b=true", True),
        ("b=no", False),
        ("b=0", False),
        ("s=3", "3"),
        ("s=null", "null"),
        ("s=a=b", "a=b"),
        ("s=", ""),
        ("li=[1, 2]", [1, 2]),
        ('li=["1", "2"]', [1, 2]),
        ("li=[]", []),
        ('d={"x": 1.5}', {"x": 1.5}),
        ("d={x: 1.5}", {"x": 1.5}),
        ("o=4", 4),
        ("o=null", None),
        ("os=null", None),
        ('os="null"', "null"),
        ("os=None", "None"),
        ("os=~", "~"),
        ("op=null", None),
        ("op=a", Path("a")),
        ("lit=b", "b"),
        ("lit=3", 3),
        ("m={depth: 4}", Model(depth=4)),
        ("day=2024-02-29", date(2024, 2, 29)),
        ("path=/tmp/x", Path("/tmp/x")),
        ("free=3", 3),
        ("free=[1, a]", [1, "a"]),
        ("free=word", "word"),
        ("free={", "{"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_text_becomes_what_the_annotation_says(text: str, value: object) -> None:
    name = text.partition("=")[0]
    found = from_text(takes, text)[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("given", "value"), [({"li": ["1"]}, [1]), ({"m": {"depth": 2}}, Model(depth=2)), ({"f": 1}, 1.0)]
)
def test_values_from_python_are_coerced_too(given: dict[str, Any], value: object) -> None:
    assert Parameters("p", takes).validate(given)[next(iter(given))] == value


def test_defaults_are_filled_in() -> None:
    def fn(a: int, b: str = "x") -> None: ...

    assert from_text(fn, "a=1") == {"a": 1, "b": "x"}


def text_of_a_path(p: Path = "data") -> None: ...  # type: ignore[assignment]
def text_of_a_date(p: date = "2026-01-01") -> None: ...  # type: ignore[assignment]
def text_of_a_number(p: int = "7") -> None: ...  # type: ignore[assignment]
def none_for_a_number(p: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013
def mapping_of_a_model(p: Model = {"depth": "3"}) -> None: ...  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("fn", "value"),
    [
        (text_of_a_path, Path("data")),
        (text_of_a_date, date(2026, 1, 1)),
        (text_of_a_number, 7),
        (none_for_a_number, None),
        (mapping_of_a_model, Model(depth=3)),
    ],
)
def test_a_default_is_converted_like_a_given_value_and_described_without_a_warning(
    fn: Callable[..., Any], value: object
) -> None:
    parameters = Parameters("p", fn)
    values = parameters.validate({})
    assert values == {"p": value}
    assert type(values["p"]) is type(value)
    json.dumps(parameters.describe(values))


def wrong_default(n: int = "many", pin: Annotated[int, Hidden] = "hunter2") -> None: ...  # type: ignore[assignment]


def test_a_default_that_does_not_fit_is_refused_before_anything_starts() -> None:
    with pytest.raises(ParameterError) as caught:
        Parameters("p", wrong_default).validate({})
    assert "the default of parameter 'n' does not take 'many'" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    given = Parameters("p", wrong_default).validate({"n": 3, "pin": 4})
    assert given == {"n": 3, "pin": 4}


def test_a_default_is_a_copy_that_a_run_may_change() -> None:
    def fn(sizes: list[int] = [1]) -> None: ...

    parameters = Parameters("p", fn)
    parameters.validate({})["sizes"].append(2)
    assert parameters.validate({}) == {"sizes": [1]}


class Typed(TypedDict):
    x: int


def note(v: "the number of things") -> None: ...  # type: ignore[valid-type]  # noqa: F722
def unknown(v: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def half_known(v: list[Nowhere]) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def attribute(v: date.nothing) -> None: ...  # type: ignore[name-defined]
def typed_dictionary(v: Typed) -> None: ...


@dataclass
class Unready:
    other: Nowhere  # type: ignore[name-defined]  # noqa: F821


def unready(v: Unready) -> None: ...


UNREADABLE = [note, unknown, half_known, attribute, unready]
if sys.version_info < (3, 12):
    UNREADABLE.append(typed_dictionary)


@pytest.mark.parametrize("fn", UNREADABLE)
def test_an_annotation_that_cannot_be_used_is_told_with_its_pipeline_and_parameter(
    fn: Callable[..., Any],
) -> None:
    with pytest.raises(ParameterError, match=r"^pipeline 'p': parameter 'v': its annotation .*") as caught:
        Parameters("p", fn).validate({"v": 1})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("annotation", [any, callable, 5, (int, str), [int]], ids=repr)
def test_an_annotation_that_is_no_type_takes_anything(annotation: Any) -> None:
    def fn(v) -> None: ...  # type: ignore[no-untyped-def]

    fn.__annotations__["v"] = annotation
    assert Parameters("p", fn).validate({"v": 1}) == {"v": 1}


def test_every_problem_is_named_at_once() -> None:
    def fn(size: int, rate: float, name: str) -> None: ...

    with pytest.raises(ParameterError) as caught:
        from_text(fn, "size=big", "raet=1", "name=x")
    message = str(caught.value)
    assert message.startswith("pipeline 'p': ")
    assert "unknown parameter 'raet'; did you mean 'rate'?" in message
    assert "parameter 'size' does not take 'big'" in message
    assert "parameter 'rate' is missing: give it with -p rate=VALUE" in message
    assert "'name'" not in message


def test_an_unknown_parameter_like_no_other_lists_what_there_is() -> None:
    def fn(alpha: int = 1, beta: int = 2) -> None: ...

    with pytest.raises(ParameterError, match="unknown parameter 'zzz'; it takes alpha, beta"):
        from_text(fn, "zzz=1")


def test_a_pipeline_without_parameters_says_so() -> None:
    def fn() -> None: ...

    with pytest.raises(ParameterError, match="it takes none"):
        from_text(fn, "x=1")


def test_the_place_inside_a_value_is_named() -> None:
    with pytest.raises(ParameterError, match=r"parameter 'li'\[1\] does not take"):
        Parameters("p", takes).validate({"li": [1, "x"]})


def test_an_unknown_literal_says_what_is_taken() -> None:
    with pytest.raises(ParameterError, match="'a', 'b' or 3"):
        from_text(takes, "lit=c")


def star_args(*values: int) -> None: ...
def star_kwargs(**values: int) -> None: ...
def positional(value: int, /) -> None: ...


@pytest.mark.parametrize("fn", [star_args, star_kwargs, positional])
def test_a_parameter_that_has_no_name_to_give_it_by_is_refused(fn: Callable[..., Any]) -> None:
    with pytest.raises(ParameterError, match=r"'values?' cannot be given by name"):
        Parameters("p", fn)


# Hidden values.

SECRET = "hunter2-the-secret"

NO_KEY = SecretStr("d")


def hides(
    token: Annotated[str, Hidden] = "d",
    pin: Annotated[int, Hidden()] = 0,
    key: SecretStr = NO_KEY,
    open_: str = "seen",
) -> None: ...


def test_hidden_parameters_are_found_by_mark_and_by_type() -> None:
    assert hidden_names(hides) == {"token", "pin", "key"}


@pytest.mark.parametrize("annotation", [str, Annotated[str, "a note"], list[str], None, Any], ids=repr)
def test_other_annotations_hide_nothing(annotation: Any) -> None:
    assert not is_hidden(annotation)


def test_hidden_values_reach_the_pipeline_and_not_the_description() -> None:
    parameters = Parameters("p", hides)
    values = parameters.validate(parse_assignments((f"token={SECRET}", f"key={SECRET}", "pin=7")))
    assert values["token"] == SECRET
    assert values["key"].get_secret_value() == SECRET
    described = parameters.describe(values)
    assert described == {"token": HIDDEN_TEXT, "pin": HIDDEN_TEXT, "key": HIDDEN_TEXT, "open_": "seen"}


@pytest.mark.parametrize("raw", [SECRET, [SECRET], {"x": SECRET}], ids=["text", "list", "mapping"])
def test_an_ill_typed_hidden_value_is_not_told(raw: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        Parameters("p", hides).validate({"pin": raw})
    assert "parameter 'pin' does not take <hidden>" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_secret_inside_a_model_is_not_described() -> None:
    def fn(account: Account) -> None: ...

    fn.__annotations__["account"] = Account
    parameters = Parameters("p", fn)
    values = parameters.validate({"account": {"user": "u", "password": SECRET}})
    assert SECRET not in json.dumps(parameters.describe(values))


@dataclass
class Login:
    user: str
    key: Annotated[str, Hidden]
    when: date = date(2026, 1, 2)


@pytest.mark.parametrize(
    "wrap", [lambda v: v, lambda v: [v], lambda v: {"a": [v]}], ids=["bare", "list", "dict"]
)
def test_a_field_that_is_marked_is_hidden_wherever_its_object_stands(wrap: Callable[[Any], Any]) -> None:
    def fn(login: Any) -> None: ...

    fn.__annotations__["login"] = type(wrap(Login("u", SECRET))) if wrap(1) != 1 else Login
    parameters = Parameters("p", fn)
    described = parameters.describe({"login": wrap(Login("u", SECRET))})["login"]
    assert described == wrap({"user": "u", "key": HIDDEN_TEXT, "when": "2026-01-02"})


def test_validated_values_are_described_as_json() -> None:
    parameters = Parameters("p", takes)
    described = parameters.describe(parameters.validate({"day": "2024-01-02", "m": {"depth": 3}}))
    assert json.loads(json.dumps(described)) == described
    assert (described["day"], described["m"]) == ("2024-01-02", {"depth": 3, "name": "m"})


# -p and -P.


@pytest.mark.parametrize("text", ["size", "=3", ""], ids=repr)
def test_an_assignment_without_name_or_equals_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ParameterError, match=r"is not NAME=VALUE, such as -p epochs=3"):
        parse_assignments((text,))


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ParameterError, match="'a' is given twice"):
        parse_assignments(("a=1", "a=2"))


@pytest.mark.parametrize(
    ("name", "text"),
    [("p.yaml", "li: [1, 2]\nf: 0.5\n"), ("p.json", '{"li": [1, 2], "f": 0.5}')],
    ids=["yaml", "json"],
)
def test_a_file_holds_parameters_in_yaml_or_json(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert read_parameter_file(path) == {"li": [1, 2], "f": 0.5}


def test_a_file_of_json_is_read_as_json(tmp_path: Path) -> None:
    value = {"x": {"lr": 1e-05, "name": "😀"}}
    path = tmp_path / "p.json"
    path.write_text(json.dumps(value))
    assert read_parameter_file(path) == value


def test_a_file_is_read_as_a_runs_file_is(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("x: [1e-3, 12:30, 2026-11-23]\n")
    assert read_parameter_file(path) == {"x": [0.001, "12:30", "2026-11-23"]}


def test_a_name_that_stands_twice_in_a_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("x: 1\nx: 2\n")
    with pytest.raises(ParameterError, match=r"p\.yaml': line 2: the key 'x' stands twice"):
        read_parameter_file(path)


def test_a_value_that_says_a_key_twice_is_told_with_its_parameter() -> None:
    with pytest.raises(ParameterError, match=r"parameter 'd': line 1: the key 'a' stands twice"):
        from_text(takes, "d={a: 1, a: 2}")


def test_a_hidden_value_that_cannot_be_read_is_not_told() -> None:
    with pytest.raises(ParameterError, match=r"parameter 'pin': <hidden> cannot be read") as caught:
        Parameters("p", hides).validate(parse_assignments((f"pin={{{SECRET}: 1, {SECRET}: 2}}",)))
    assert SECRET not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"gone\.yaml' cannot be read: No such file"):
        read_parameter_file(tmp_path / "gone.yaml")


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe\x00", b"a: !!python/object:os.system x"], ids=repr)
def test_a_file_that_is_neither_yaml_nor_json_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match=r"broken\.yaml'.* is neither YAML nor JSON"):
        read_parameter_file(path)


@pytest.mark.parametrize("text", ["", "[1, 2]", "word", "a: 1\n---\nb: 2"], ids=repr)
def test_a_file_without_a_mapping_of_names_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(text)
    with pytest.raises(ParameterError, match="does not hold a mapping of names to values"):
        read_parameter_file(path)

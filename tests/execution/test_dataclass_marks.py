"""A dataclass that travels by value, as one of a script does, is afterwards what it was."""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Iterator
from typing import Any

import cloudpickle
import pytest
from ray import cloudpickle as ray_cloudpickle

import vaportrail  # noqa: F401
from vaportrail.authoring.parameters import Parameters

SOURCE = """
import dataclasses
@dataclasses.dataclass
class Cfg:
    n: int
    rate: float = 0.5
    tags: list = dataclasses.field(default_factory=list)
    _: dataclasses.KW_ONLY
    deep: bool = False
"""


@pytest.fixture
def script() -> Iterator[Any]:
    """A module that nobody else can import: its classes travel by value."""
    module = types.ModuleType("a_script")
    sys.modules["a_script"] = module
    exec(SOURCE, module.__dict__)
    ray_cloudpickle.register_pickle_by_value(module)
    cloudpickle.register_pickle_by_value(module)
    yield module
    ray_cloudpickle.unregister_pickle_by_value(module)
    cloudpickle.unregister_pickle_by_value(module)
    del sys.modules["a_script"]


@pytest.mark.parametrize("pickler", [ray_cloudpickle, cloudpickle], ids=["ray's", "a notebook's"])
def test_a_class_that_came_back_still_knows_its_defaults(script: Any, pickler: Any) -> None:
    assert pickler.loads(pickler.dumps(script.Cfg(3))) == script.Cfg(3)

    fields = {field.name: field for field in dataclasses.fields(script.Cfg)}
    assert fields["n"].default is fields["n"].default_factory is dataclasses.MISSING
    assert fields["rate"].default_factory is fields["tags"].default is dataclasses.MISSING


def test_a_class_that_came_back_can_be_a_parameter_and_a_base_again(script: Any) -> None:
    ray_cloudpickle.loads(ray_cloudpickle.dumps(script.Cfg(3)))

    def flow(c: Any = None) -> None: ...

    flow.__annotations__["c"] = script.Cfg
    assert Parameters("flow", flow).validate({"c": {"n": 1}})["c"] == script.Cfg(1)
    assert (
        dataclasses.make_dataclass("More", [("k", int, 1)], bases=(script.Cfg,), kw_only=True)(2).tags == []
    )


@pytest.mark.parametrize("name", ["MISSING", "KW_ONLY", "_HAS_DEFAULT_FACTORY"])
def test_the_marks_of_dataclasses_stay_themselves(name: str) -> None:
    mark = getattr(dataclasses, name)

    assert ray_cloudpickle.loads(ray_cloudpickle.dumps(mark)) is mark

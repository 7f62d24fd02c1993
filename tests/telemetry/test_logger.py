"""`log` outside a run: arguments are checked, one warning says that nothing is recorded.

Inside a run it is tested with a recorder of its own, without Ray.
"""

from __future__ import annotations

import csv
import io
import json
import math
import pickle
import sqlite3
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from pydantic import BaseModel

from vaportrail import Artifact, Hidden, log
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import UsageError
from vaportrail.telemetry.active_recorder import install, uninstall
from vaportrail.telemetry.spool import read_spool
from vaportrail.telemetry.values import from_any_value, read_attributes


class Digit(Enum):
    THREE = 3


@dataclass
class Config:
    depth: int
    key: Annotated[str, Hidden]


LOOP: list[Any] = []
LOOP.append(LOOP)

CALLS: dict[str, Callable[[str], Any]] = {
    "param": lambda name: log.param(name, 1),
    "params": lambda name: log.params({name: 1}),
    "metric": lambda name: log.metric(name, 1),
    "metrics": lambda name: log.metrics({name: 1}),
    "tag": lambda name: log.tag(name, "v"),
    "text": lambda name: log.text(name, "v"),
    "json": lambda name: log.json(name, {}),
    "table": lambda name: log.table(name, [{"a": 1}]),
    "image": lambda name: log.image(name, b"\x89PNG"),
    "artifact": lambda name: log.artifact(name, b"v"),
}


class Settings:
    """A run's settings, and what its spool says."""

    def __init__(self, root: Path) -> None:
        identity = RunIdentity("uid-1", "p", "n", 0)
        self.settings = RunSettings(identity, str(root / "spool"), str(root), "runs/p/n")

    def events(self) -> list[tuple[str, Any, dict[str, Any]]]:
        found = []
        for path in Path(self.settings.spool).glob("*.spool"):
            for line in read_spool(iter(path.read_bytes().splitlines(keepends=True)[1:])):
                body = from_any_value(line.record.get("body", {}))
                found.append(
                    (line.record.get("eventName", ""), body, read_attributes(line.record["attributes"]))
                )
        return found


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Settings]:
    made = Settings(tmp_path)
    install(made.settings, "runner")
    yield made
    uninstall()


@pytest.mark.parametrize("method", CALLS)
def test_outside_a_run_a_call_says_that_nothing_is_recorded(method: str) -> None:
    with pytest.warns(UserWarning, match="outside a run: nothing is recorded"):
        CALLS[method]("name")


def test_a_call_in_a_loop_outside_a_run_warns_once() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for step in range(5):
            log.metric("loss", 1.0, step=step)
    assert len(caught) == 1


def test_the_warning_points_at_the_line_that_called() -> None:
    with pytest.warns(UserWarning, match="outside a run") as caught:
        log.metric("loss", 1.0)
    assert caught[0].filename == __file__


def test_outside_a_run_an_artifact_can_be_read_all_the_same() -> None:
    with pytest.warns(UserWarning, match="outside a run"):
        stored = log.artifact("a.bin", b"content")
    assert stored.read() == b"content"


@pytest.mark.parametrize(
    "name", ["", "/abs", "a//b", "a/../b", ".", "a/", "a\\b", "new\nline", "x" * 251, 3, None], ids=repr
)
@pytest.mark.parametrize("method", CALLS)
def test_a_bad_name_is_refused_in_and_outside_a_run(method: str, name: Any) -> None:
    with pytest.raises(UsageError, match="logged value"):
        CALLS[method](name)


@pytest.mark.parametrize(
    "value", ["3", None, [1.0, 2.0], {}, pytest.param(object(), id="object"), 1j], ids=repr
)
def test_a_metric_that_is_no_number_is_refused_with_its_type(value: Any) -> None:
    with pytest.raises(UsageError, match=rf"metric 'm': {type(value).__name__} is not a number"):
        log.metric("m", value)


@pytest.mark.parametrize("step", [1.0, "1", 1.5], ids=repr)
def test_a_step_that_is_no_integer_is_refused(step: Any) -> None:
    with pytest.raises(UsageError, match=rf"metric 'm': step={step!r} is not an integer"):
        log.metric("m", 1.0, step=step)


@pytest.mark.parametrize("step", [2**63, -(2**63) - 1, 10**5000], ids=["above", "below", "long"])
def test_a_step_that_has_no_room_is_refused(step: int) -> None:
    with pytest.raises(UsageError, match="metric 'm': its step has no room in 64 bits"):
        log.metric("m", 1.0, step=step)


def test_a_tag_that_is_no_text_is_refused() -> None:
    with pytest.raises(UsageError, match=r"tag 't': 3 is not a str; give str\(value\)"):
        log.tag("t", 3)  # type: ignore[arg-type]


def test_json_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match=r"json 'j': object has no JSON form; convert"):
        log.json("j", [object()])


def test_json_in_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(UsageError, match="json 'j': Circular reference"):
        log.json("j", loop)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (3, "int is not a DataFrame"),
        ("abc", "str is not a DataFrame"),
        ([1, 2], r"every row is a mapping, .* not int; a single column is \{'name': values\}"),
        ({"a": [1], "b": [1, 2]}, "different lengths: 'a' 1, 'b' 2"),
        ({"name": "abc", "kind": "xyz"}, r"'name' is str; a single row is \[\{...\}\]"),
        ({"a": 1}, "every column is a list of values, and 'a' is int"),
        ({"a": {"x": 1}}, "every column is a list of values, and 'a' is dict"),
        ({"a": {1, 2}}, "every column is a list of values, and 'a' is set"),
        ({(1, 2)}, "a set has no order"),
        (np.arange(3), r"an array of shape \(3,\) is no table"),
        (np.zeros((2, 2, 2)), r"an array of shape \(2, 2, 2\) is no table"),
    ],
    ids=[
        "number",
        "text",
        "list",
        "columns",
        "row",
        "plain row",
        "mappings",
        "sets",
        "set",
        "vector",
        "cube",
    ],
)
def test_a_table_that_is_none_is_refused(rows: Any, words: str) -> None:
    with pytest.raises(UsageError, match=f"table 't': .*{words}"):
        log.table("t", rows)


@pytest.mark.parametrize(
    ("call", "words"), [(log.figure, "neither a Matplotlib"), (log.image, "is not bytes, a path")]
)
def test_a_picture_that_is_none_is_refused(call: Callable[..., Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        call("p", 3)


def test_the_logger_is_the_same_one_after_a_pickle() -> None:
    assert pickle.loads(pickle.dumps(log)) is log


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        (1, 1),
        (0.5, 0.5),
        (True, 1),
        (np.float32(0.25), 0.25),
        (np.int64(3), 3),
        (np.array([2.0]), 2.0),
        (float("inf"), float("inf")),
    ],
    ids=repr,
)
def test_a_metric_is_recorded_with_its_step(run: Settings, value: Any, recorded: float) -> None:
    log.metric("m", value, step=np.int64(7))  # type: ignore[arg-type]
    event, body, named = run.events()[0]
    assert (event, body) == ("vaportrail.metric", recorded)
    assert (named["vaportrail.value.name"], named["vaportrail.metric.step"]) == ("m", 7)


def test_a_metric_without_a_step_has_none(run: Settings) -> None:
    log.metric("m", 1)
    assert "vaportrail.metric.step" not in run.events()[0][2]


@pytest.mark.parametrize(
    ("arguments", "recorded"),
    [
        (({"loss": 0.5, "acc": 1},), {"loss": 0.5, "acc": 1}),
        (("auc", {0: 0.5, "micro": 0.25}), {"auc/0": 0.5, "auc/micro": 0.25}),
        (("auc", [0.5, 0.25]), {"auc/0": 0.5, "auc/1": 0.25}),
        (("auc", (0.5, np.float32(0.25))), {"auc/0": 0.5, "auc/1": 0.25}),
        (("auc", np.array([0.5, 0.25])), {"auc/0": 0.5, "auc/1": 0.25}),
        (("m", np.eye(2)), {"m/0/0": 1.0, "m/0/1": 0.0, "m/1/0": 0.0, "m/1/1": 1.0}),
        (({"auc": [0.5], "f1": {"a": 1}},), {"auc/0": 0.5, "f1/a": 1}),
        (("auc", {Digit.THREE: 0.5}), {"auc/3": 0.5}),
        (("auc", {}), {}),
    ],
    ids=["mapping", "named", "list", "tuple", "array", "matrix", "nested", "enum", "empty"],
)
def test_each_number_in_a_container_is_a_metric_of_its_own_name(
    run: Settings, arguments: tuple[Any, ...], recorded: dict[str, float]
) -> None:
    log.metrics(*arguments, step=4)
    events = run.events()
    assert {named["vaportrail.value.name"]: body for _, body, named in events} == recorded
    assert {named["vaportrail.metric.step"] for _, _, named in events} <= {4}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("auc", {"a": 1.0, "b": "high"}), "metric 'auc/b': str is not a number"),
        (("auc", {1: 1.0, "1": 2.0}), "two numbers would have the name 'auc/1'"),
        (("auc", {"": 1.0}), "'auc/' cannot name a logged value"),
        (("auc", [0.0] * 1001), r"metrics 'auc': more than 1000 names .* log.metric\(..., step=n\)"),
        (("auc", LOOP), "metrics 'auc/0': it holds itself"),
        (("auc", {0.5}), "metrics 'auc': set is not a mapping, a list or an array"),
        (("auc", 0.5), "one number is a log.metric"),
        (("auc",), "NoneType is not a mapping"),
    ],
    ids=["word", "twice", "empty", "many", "loop", "set", "number", "nothing"],
)
def test_metrics_of_which_one_is_wrong_are_refused_and_none_is_recorded(
    run: Settings, arguments: tuple[Any, ...], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        log.metrics(*arguments)
    assert run.events() == []


def test_a_metric_that_is_several_says_which_method_records_them() -> None:
    with pytest.raises(UsageError, match=r"list is not a number; log.metrics\('auc', ...\) records each"):
        log.metric("auc", [0.5, 0.25])  # type: ignore[arg-type]


def test_many_metrics_and_parameters_are_recorded_one_by_one(run: Settings) -> None:
    log.metrics({"a": 1, "b": 2}, step=3)
    log.params({"c": 3, "d": None})
    log.tag("e", "word")
    assert [
        (event.rpartition(".")[2], named["vaportrail.value.name"], body)
        for event, body, named in run.events()
    ] == [
        ("metric", "a", 1),
        ("metric", "b", 2),
        ("param", "c", 3),
        ("param", "d", None),
        ("tag", "e", "word"),
    ]


def test_a_parameter_of_an_unknown_type_is_described_by_its_type(run: Settings) -> None:
    log.param("p", object())
    assert run.events()[0][1] == {"$type": "builtins.object"}


@pytest.mark.parametrize(
    "given",
    [{"depth": 3, "key": "<hidden>"}, Config(3, "s3cret"), Namespace(depth=3, key="<hidden>")],
    ids=["mapping", "dataclass", "namespace"],
)
def test_parameters_may_be_the_fields_of_an_object(run: Settings, given: Any) -> None:
    log.params(given)
    assert {named["vaportrail.value.name"]: body for _, body, named in run.events()} == {
        "depth": 3,
        "key": "<hidden>",
    }


@pytest.mark.parametrize("given", [3, "abc", [1], Config], ids=repr)
def test_parameters_that_have_no_names_are_refused(given: Any) -> None:
    with pytest.raises(UsageError, match=f"params: {type(given).__name__} is not a mapping, a dataclass"):
        log.params(given)


def stored(artifact: Artifact | None) -> bytes:
    assert artifact is not None
    return artifact.read()


def test_a_file_is_stored_and_its_event_names_it(run: Settings) -> None:
    artifact = log.artifact("folder/a.csv", b"a,b\n")
    assert artifact.read() == b"a,b\n"
    event, _, named = run.events()[0]
    assert event == "vaportrail.artifact"
    assert (
        named.items()
        >= {
            "vaportrail.value.name": "folder/a.csv",
            "vaportrail.artifact.kind": "file",
            "vaportrail.artifact.sha256": artifact.sha256,
            "vaportrail.artifact.size": 4,
            "vaportrail.artifact.media_type": "text/csv",
        }.items()
    )


def test_text_is_stored_as_utf_8_even_with_lone_surrogates(run: Settings) -> None:
    assert stored(log.text("t.txt", "é \udcff")) == "é \\udcff".encode()


def test_json_takes_arrays_and_scalars_of_numpy(run: Settings) -> None:
    assert json.loads(stored(log.json("j", {"a": np.arange(2), "b": np.float64(0.5)}))) == {
        "a": [0, 1],
        "b": 0.5,
    }


class RangeIndex:
    """Like the index of a DataFrame that only counts the rows, unless it has a name."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name


class Index(RangeIndex):
    """Like any other index."""


class Frame:
    """Like a DataFrame of pandas."""

    def __init__(self, index: object) -> None:
        self.index = index

    def to_csv(self, *, index: bool) -> str:
        return "i,a\nx,1\n" if index else "a\n1\n"


class PolarsFrame:
    """Like a DataFrame of Polars."""

    def write_csv(self) -> str:
        return "a\n1\n"


class PolarsSeries:
    """Like a Series of Polars."""

    def to_list(self) -> list[int]:
        return [1]

    def to_frame(self) -> PolarsFrame:
        return PolarsFrame()


class Arrow:
    """Like a table of Arrow."""

    column_names = ("a", "b")

    def to_pylist(self) -> list[dict[str, Any]]:
        return [{"a": 1, "b": None}]


class SeriesGroupBy:
    """Like what pandas groups: it can be gone through, by pairs of a key and a table."""

    def __iter__(self) -> Iterator[tuple[str, Frame]]:
        return iter([("x", Frame(None))])


class Rolling(SeriesGroupBy):
    """Like other things that give tables one after the other."""


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (SeriesGroupBy(), r"a SeriesGroupBy is several tables; make one of them, such as by .mean\(\)"),
        (Rolling(), "column 1 holds a Frame"),
        ([{"a": 1, "b": Frame(None)}], "column 'b' holds a Frame, .* give that to log.table"),
        ({"a": [1, PolarsFrame()]}, "column 'a' holds a PolarsFrame"),
        ([[PolarsSeries()]], "column 0 holds a PolarsSeries"),
        ([[Arrow()]], "column 0 holds a Arrow"),
        ([[np.zeros((2, 2))]], "column 0 holds a ndarray"),
    ],
    ids=["groups", "windows", "row", "column", "series", "arrow", "array"],
)
def test_tables_inside_a_table_are_refused(rows: Any, words: str) -> None:
    with pytest.raises(UsageError, match=f"table 't': .*{words}"):
        log.table("t", rows)


class Point(NamedTuple):
    x: int
    y: int


class Measured(BaseModel):
    auc: float


class Row(BaseModel):
    x: int
    key: Annotated[str, Hidden] = "s3cret"


def rows_of_a_database() -> list[sqlite3.Row]:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute("select 1 as a, 'x' as b").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"a": 1, "b": 2}, {"b": 3, "c": 4}], [["a", "b", "c"], ["1", "2", ""], ["", "3", "4"]]),
        ({"a": [1, 2], "b": ("x", "y")}, [["a", "b"], ["1", "x"], ["2", "y"]]),
        ({"a": np.arange(2), "b": range(2)}, [["a", "b"], ["0", "0"], ["1", "1"]]),
        (({"a": i} for i in range(2)), [["a"], ["0"], ["1"]]),
        ([{"a": 'quoted "x", y\nz'}], [["a"], ['quoted "x", y\nz']]),
        (Frame(RangeIndex()), [["a"], ["1"]]),
        (Frame(RangeIndex("day")), [["i", "a"], ["x", "1"]]),
        (Frame(Index()), [["i", "a"], ["x", "1"]]),
        (PolarsFrame(), [["a"], ["1"]]),
        (PolarsSeries(), [["a"], ["1"]]),
        (Arrow(), [["a", "b"], ["1", ""]]),
        ([[1, 2], [3]], [["0", "1"], ["1", "2"], ["3", ""]]),
        ([(1, 2)], [["0", "1"], ["1", "2"]]),
        ([[1], [3, 4]], [["0", "1"], ["1", ""], ["3", "4"]]),
        ([Point(1, 2)], [["x", "y"], ["1", "2"]]),
        ([Config(3, "s3cret")], [["depth", "key"], ["3", "<hidden>"]]),
        ([Row(x=1)], [["x", "key"], ["1", "<hidden>"]]),
        (np.array([[1, 2], [3, 4]]), [["0", "1"], ["1", "2"], ["3", "4"]]),
        (np.array([(1, 0.5)], dtype=[("n", int), ("f", float)]), [["n", "f"], ["1", "0.5"]]),
        (rows_of_a_database(), [["a", "b"], ["1", "x"]]),
    ],
    ids=[
        "rows", "columns", "arrays", "generator", "quoting", "frame", "named range", "index", "polars",
        "polars series", "arrow", "lists", "tuples", "longer", "named tuples", "dataclasses", "models",
        "matrix", "structured", "database",
    ],
)  # fmt: skip
def test_a_table_is_stored_as_csv(run: Settings, rows: Any, expected: list[list[str]]) -> None:
    assert list(csv.reader(io.StringIO(stored(log.table("t", rows)).decode()))) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            {"day": date(2026, 1, 2), "at": datetime(2026, 1, 2, 3)},
            {"day": "2026-01-02", "at": "2026-01-02T03:00:00"},
        ),
        (
            [Path("a/b"), Digit.THREE, Decimal("1.5"), UUID(int=1), timedelta(seconds=2)],
            ["a/b", 3, "1.5", "00000000-0000-0000-0000-000000000001", 2.0],
        ),
        ({2, 1}, [1, 2]),
        (Config(3, "s3cret"), {"depth": 3, "key": "<hidden>"}),
        ([Row(x=1)], [{"x": 1, "key": "<hidden>"}]),
        (
            {np.int64(3): np.float32(0.5), Digit.THREE.name: np.datetime64("2026-01-02")},
            {"3": 0.5, "THREE": "2026-01-02"},
        ),
        ({True: 1, None: 2, 1.5: 3}, {"true": 1, "null": 2, "1.5": 3}),
        ({date(2026, 1, 2): range(2)}, {"2026-01-02": [0, 1]}),
        (np.array([[1, None]], dtype=object), [[1, None]]),
        (
            {"auc": math.nan, "all": np.array([math.inf, 1.0]), -math.inf: np.float32("-inf")},
            {"auc": "NaN", "all": ["Infinity", 1.0], "-Infinity": "-Infinity"},
        ),
        (Measured(auc=math.nan), {"auc": "NaN"}),
    ],
    ids=[
        "times", "exact", "set", "dataclass", "model", "numpy keys", "plain keys", "date key", "objects",
        "no numbers", "model of no number",
    ],
)  # fmt: skip
def test_json_takes_what_a_parameter_takes(run: Settings, value: Any, expected: Any) -> None:
    def no_json(word: str) -> None:
        raise AssertionError(f"{word} is Python's and not JSON")

    assert json.loads(stored(log.json("j", value)), parse_constant=no_json) == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [({(1, 2): 3}, "a tuple has no JSON form as a key"), ({1: 2, "1": 3}, "two keys of a mapping are '1'")],
    ids=["tuple", "twice"],
)
def test_json_whose_keys_are_none_is_refused(value: Any, words: str) -> None:
    with pytest.raises(UsageError, match=f"json 'j': {words}"):
        log.json("j", value)


MODES = [
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "I;16",
    "La",
    "RGBa",
]


@pytest.mark.parametrize("mode", MODES)
def test_an_image_of_any_mode_becomes_a_png(run: Settings, mode: str) -> None:
    raw = stored(log.image("i.png", Image.new(mode, (3, 2))))
    assert Image.open(io.BytesIO(raw)).size == (3, 2)


def test_a_converted_image_keeps_its_colours(run: Settings) -> None:
    print_shop = Image.new("CMYK", (1, 1), (0, 255, 255, 0))
    raw = stored(log.image("i.png", print_shop))
    assert Image.open(io.BytesIO(raw)).convert("RGB").getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(("mode", "colour"), [("F", 0.5), ("I", -1), ("I", 70000)])
def test_an_image_whose_numbers_a_png_cannot_hold_is_refused(mode: str, colour: float) -> None:
    with pytest.raises(UsageError, match=f"image 'i.png': its mode is {mode}, .* scale it first"):
        log.image("i.png", Image.new(mode, (1, 1), colour))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3, 1)),
        np.zeros((2, 3)),
        np.zeros((2, 3, 4)),
        np.zeros((2, 3), int),
        np.zeros((2, 3), bool),
    ],
    ids=["one channel", "grey", "alpha", "integers", "truths"],
)
def test_an_array_is_an_image(run: Settings, array: Any) -> None:
    assert Image.open(io.BytesIO(stored(log.image("i.png", array)))).size == (3, 2)


@pytest.mark.parametrize("pick", [
    lambda figure, axes: figure, lambda figure, axes: axes[0], lambda figure, axes: axes,
    lambda figure, axes: axes[0].plot([1, 2]), lambda figure, axes: figure.subfigures(),
], ids=["figure", "axes", "several", "lines", "subfigure"])  # fmt: skip
def test_a_figure_may_be_what_a_plot_returned(run: Settings, pick: Any) -> None:
    figure = Figure()
    artifact = log.figure("f.png", pick(figure, figure.subplots(2)))
    assert (stored(artifact)[:4], artifact and artifact.media_type) == (b"\x89PNG", "image/png")


@pytest.mark.parametrize("method", [log.artifact, log.image], ids=["artifact", "image"])
def test_a_folder_says_how_to_make_one_file_of_it(method: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'model': .* is a folder; make one file of it: .*model.zip"):
        method("model", tmp_path)


def test_the_last_file_of_a_name_is_the_artifact_and_the_earlier_one_stays(run: Settings) -> None:
    first, last = log.artifact("a.txt", b"one"), log.artifact("a.txt", b"two")
    assert (first.read(), last.read()) == (b"one", b"two")
    assert [named["vaportrail.artifact.sha256"] for _, _, named in run.events()] == [
        first.sha256,
        last.sha256,
    ]


@pytest.mark.parametrize("name", ["👩\u200d🔬", "می\u200cخواهم", "a\u00a0b", "a\u3000b", "naïve café"])
def test_a_name_may_have_joined_letters_and_any_space(run: Settings, name: str) -> None:
    log.metric(name, 1)
    assert run.events()[0][2]["vaportrail.value.name"] == name


@pytest.mark.parametrize("letter", list("\u202e\u2066\x1b\u2028\u200e\ufeff\x7f\n\t"), ids=ascii)
def test_a_name_that_shows_as_another_is_refused(letter: str) -> None:
    with pytest.raises(UsageError, match="cannot name a logged value"):
        log.metric(f"a{letter}b", 1)


class Plotly:
    def to_plotly_json(self) -> dict[str, Any]:
        raise AssertionError("to_json is enough")

    def to_json(self) -> str:
        return '{"data": []}'


class Matplotlib:
    def savefig(self, file: io.BytesIO, *, format: str, facecolor: str, transparent: bool) -> None:
        assert format == "png"
        file.write(b"\x89PNG")


@pytest.mark.parametrize(
    ("figure", "media_type"),
    [(Plotly(), "application/vnd.plotly.v1+json"), (Matplotlib(), "image/png")],
    ids=["plotly", "matplotlib"],
)
def test_a_figure_is_stored_with_its_media_type(run: Settings, figure: Any, media_type: str) -> None:
    artifact = log.figure("f", figure)
    assert artifact is not None
    assert (artifact.kind, artifact.media_type) == ("figure", media_type)


def test_an_image_may_be_an_image_of_pillow(run: Settings) -> None:
    class Picture:
        def save(self, file: io.BytesIO, *, format: str) -> None:
            file.write(b"\x89PNG " + format.encode())

    assert stored(log.image("i.png", Picture())) == b"\x89PNG PNG"


def test_an_image_may_be_a_path(run: Settings, tmp_path: Path) -> None:
    path = tmp_path / "i.jpg"
    path.write_bytes(b"jpeg")
    artifact = log.image("i.jpg", path)
    assert (stored(artifact), artifact and artifact.media_type) == (b"jpeg", "image/jpeg")


def test_a_value_that_a_worker_logs_outside_its_tasks_is_told_as_not_recorded(run: Settings) -> None:
    uninstall()
    install(run.settings, "worker")

    with pytest.warns(UserWarning, match="in work of Ray's that is not one of the run's tasks"):
        log.metric("loss", 0.5)
    assert [event for event, _, _ in run.events()] == ["vaportrail.not_captured"]

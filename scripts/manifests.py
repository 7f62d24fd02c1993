"""What follows from the chart: the plain manifests, and the table of its values.

The chart is rendered by Helm's own library, without a cluster and without the network.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

__all__ = ["NAMESPACE", "RELEASE", "manifest_texts", "objects_of", "with_values_table"]

CHART = "charts/vaportrail"
RELEASE = "vaportrail"
NAMESPACE = "vaportrail-system"
_HEAD = "# Rendered from {chart} by `make generate`, with its default values. Change it there.\n"
_HELMS = re.compile(r"^helm\.sh/|^app\.kubernetes\.io/managed-by$")
_TABLE = re.compile(r"(<!-- values: .*?-->\n).*?(<!-- values end -->)", re.DOTALL)

Object = dict[str, Any]


def manifest_texts(root: Path, generated: Mapping[str, str]) -> dict[str, str]:
    """Return the manifests that are rendered from the chart, by their path below `root`.

    Args:
        root: of the checkout.
        generated: files that are about to be written, by path; those in the chart count as written.
    """
    with tempfile.TemporaryDirectory() as folder:
        chart = Path(shutil.copytree(root / CHART, Path(folder, "chart")))
        for path, text in generated.items():
            if path.startswith(f"{CHART}/"):
                target = chart / path.removeprefix(f"{CHART}/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
        with helm_python.Chart.load(chart) as loaded:
            rendered = loaded.render(name=RELEASE, namespace=NAMESPACE)
    objects = [_plain(each) for each in objects_of(rendered) if not _is_hook(each)]
    definitions = [each for each in objects if each["kind"] == "CustomResourceDefinition"]
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    rest = [namespace, *(each for each in objects if each not in definitions)]
    return {
        "manifests/crds.yaml": _text(definitions),
        "manifests/install.yaml": _text(rest),
    }


def objects_of(rendered: Mapping[str, str]) -> list[Object]:
    """Return the objects in what a chart's templates gave, in the order of the templates' names."""
    texts = [text for path, text in sorted(rendered.items()) if path.endswith((".yaml", ".yml"))]
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


def with_values_table(page: str, root: Path) -> str:
    """Return a page with the table of the chart's values between its two marks.

    Raises:
        ValueError: the page does not have the marks.
    """
    if not _TABLE.search(page):
        raise ValueError("the page has no `<!-- values: … -->` and `<!-- values end -->` around a table")
    schema = json.loads((root / CHART / "values.schema.json").read_text(encoding="utf-8"))
    defaults = yaml.safe_load((root / CHART / "values.yaml").read_text(encoding="utf-8"))
    lines = ["| Value | Default | Meaning |", "| --- | --- | --- |"]
    for name, default, meaning in _rows(schema, schema, defaults):
        lines.append(f"| `{name}` | {default} | {meaning} |")
    table = "\n".join(lines) + "\n"
    return _TABLE.sub(lambda found: f"{found[1]}{table}{found[2]}", page)


def _rows(schema: Object, at: Object, defaults: Object, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield name, default and meaning of each value, and of each group of them."""
    for name, told in at["properties"].items():
        if name not in defaults:
            continue  # Helm's own
        known = {**_resolved(schema, told), **told}
        inner = "properties" in known and "requests" not in known["properties"]
        shown = "" if inner else f"`{json.dumps(defaults[name], separators=(', ', ': '))}`"
        yield prefix + name, shown, known["description"]
        if inner:
            yield from _rows(schema, known, defaults[name], f"{prefix}{name}.")


def _resolved(schema: Object, told: Object) -> Object:
    reference = told.get("$ref", "")
    return dict(schema["definitions"][reference.removeprefix("#/definitions/")]) if reference else {}


def _is_hook(each: Object) -> bool:
    return "helm.sh/hook" in each["metadata"].get("annotations", {})


def _plain(each: Any) -> Any:
    """Return an object without what only Helm reads."""
    if isinstance(each, dict):
        inner = {key: _plain(value) for key, value in each.items() if not _HELMS.search(key)}
        return {key: value for key, value in inner.items() if value != {} or each[key] == {}}
    return [_plain(value) for value in each] if isinstance(each, list) else each


def _text(objects: list[Object]) -> str:
    dumped = yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True, width=110)
    return _HEAD.format(chart=CHART) + dumped

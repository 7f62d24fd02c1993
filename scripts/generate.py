#!/usr/bin/env python3
"""`make generate`: write the files that follow from the source; `--check` only compares them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from manifests import manifest_texts, with_values_table
from reference import with_field_tables

from vaportrail.contract.otlp_signals import IN_LEDGERS
from vaportrail.contract.outcome import TRAITS
from vaportrail.record.manifest import manifest_schema
from vaportrail.telemetry.conventions import ATTRIBUTES, EVENT_ARTIFACT, EVENTS
from vaportrail.telemetry.log_types import FILE_TYPES, VALUE_TYPES, FileType
from vaportrail_operator.api.crd import pipelinerun_definition, pipelineschedule_definition, to_yaml
from vaportrail_operator.api.rights import rights, rules_text

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = "runner/src/vaportrail/record/manifest.schema.json"
ATTRIBUTE_TABLE = "docs/attributes.md"
DEFINITIONS = "charts/vaportrail/files"
SDK_PAGE = "docs/sdk.md"
FORMAT_PAGE = "docs/record-format.md"
KUBERNETES_PAGE = "docs/kubernetes.md"
RULES = "charts/vaportrail/templates/_rules.tpl"
ALERTS, CHARTS_ALERTS = "manifests/alerts.yaml", "charts/vaportrail/files/alerts.yaml"
"""For a Prometheus without an operator, and for the chart's PrometheusRule."""

_HEAD = """\
# Attributes and events

<!-- Written by `make generate` from vaportrail/telemetry/conventions.py. Change it there. -->

Every name that Vaportrail itself puts into a record. Names from OpenTelemetry's semantic conventions
come first; what they have no word for begins with `vaportrail.`. Spans and log records that your own
code makes with OpenTelemetry keep the attributes you give them.

The types are OTLP's value types; `string (JSON)` is a string that holds JSON.
[The record's format](record-format.md) says which file holds what.
"""


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    if given not in ([], ["--check"]):
        print("usage: generate.py [--check]", file=sys.stderr)
        return 2
    definitions = (pipelinerun_definition(), pipelineschedule_definition())
    made = {SCHEMA: schema_text(), ATTRIBUTE_TABLE: attribute_text()}
    made |= {f"{DEFINITIONS}/{each['metadata']['name']}.yaml": to_yaml(each) for each in definitions}
    made[RULES] = rules_text()
    # The manifests hold what stands above.
    made |= manifest_texts(root, made)
    made[ALERTS] = (root / CHARTS_ALERTS).read_text(encoding="utf-8")
    page = with_values_table((root / KUBERNETES_PAGE).read_text(encoding="utf-8"), root)
    made[KUBERNETES_PAGE] = with_table(page, "rights", operator_rights())
    for definition in definitions:
        name = f"docs/{definition['spec']['names']['singular']}.md"
        page = (root / name).read_text(encoding="utf-8")
        made[name] = with_field_tables(page, definition)
    made[SDK_PAGE] = with_table((root / SDK_PAGE).read_text(encoding="utf-8"), "outcomes", outcomes())
    page = with_table((root / FORMAT_PAGE).read_text(encoding="utf-8"), "signals", signals())
    made[FORMAT_PAGE] = with_table(page, "log types", log_types())
    stale = [name for name, text in made.items() if not stands(root / name, text)]
    if given:
        for name in stale:
            print(f"{name} is not up to date; write it with: make generate", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[name], encoding="utf-8")
        print(f"wrote {name}")
    return 0


def stands(path: Path, text: str) -> bool:
    """Return whether a file holds exactly `text`."""
    return path.is_file() and path.read_text(encoding="utf-8") == text


def schema_text() -> str:
    """Return the manifest's JSON Schema as a file."""
    return json.dumps(manifest_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def attribute_text() -> str:
    """Return the page of attributes and events."""
    attributes = table(
        ("Attribute", "Type", "Where", "Meaning"),
        ((f"`{row.name}`", row.type, row.where, row.meaning) for row in ATTRIBUTES),
    )
    return "\n".join([_HEAD, "## Attributes", "", *attributes, "", "## Events", "", *events(EVENTS), ""])


def with_table(page: str, name: str, lines: Iterable[str]) -> str:
    """Return a page with a table between the two marks of that name.

    Raises:
        ValueError: the page does not have the marks.
    """
    marks = re.compile(rf"(<!-- {name}: .*?-->\n).*?(<!-- {name} end -->)", re.DOTALL)
    text = "\n".join(lines)
    page, found = marks.subn(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page)
    if not found:
        raise ValueError(
            f"the page has no `<!-- {name}: … -->` and `<!-- {name} end -->` around the table of {name}"
        )
    return page


def outcomes() -> list[str]:
    """Return the lines of the table of outcomes."""
    rows = ((f"`{outcome}`", traits.meaning, traits.retried) for outcome, traits in TRAITS.items())
    return table(("Outcome", "Means", "Retried"), rows)


def operator_rights() -> list[str]:
    """Return the lines of the table of what the operator may do."""
    rows = []
    for right in rights():
        group = f" of `{right.group}`" if "." in right.group and not right.group.startswith("vaport") else ""
        names = f", only {', '.join(f'`{name}`' for name in right.names)}" if right.names else ""
        on = ", ".join(f"`{each}`" for each in right.resources)
        rows.append((", ".join(right.verbs), f"{on}{group}{names}", right.why))
    return table(("The operator may", "on", "for"), rows)


def signals() -> list[str]:
    """Return the lines of the table of signals, in the order of a ledger's counters."""
    rows = (
        (
            f"`{signal.file}`", f"`{signal.resources}[].{signal.scopes}[].{signal.records}`",
            f"`{signal.kind}`",
            f"`counts.{signal.many}`" if signal.counted else "not: this version makes none",
        )
        for signal in IN_LEDGERS
    )  # fmt: skip
    return table(("Signal", "A line holds", "Letter", "Counted as"), rows)


def log_types() -> list[str]:
    """Return the lines of the table of what `log` records."""
    values = (
        (
            f"`log.{each.method}`", f"`{each.kind}`", f"`{each.event}`",
            "each in the logs; in the line how many, the last, the least, the greatest"
            if each.numbers
            else "the last value of a name",
        )
        for each in VALUE_TYPES
    )  # fmt: skip
    files = (
        (
            f"`log.{each.method}`" if each.method else "a notebook that ends",
            f"`artifact`, its `kind` is `{each.kind}`", f"`{EVENT_ARTIFACT}`",
            _file(each),
        )
        for each in FILE_TYPES
    )  # fmt: skip
    return table(("Logged by", "`line`", "Event", "Holds"), (*values, *files))


def _file(logged: FileType) -> str:
    made = " or ".join(f"`{media_type}`" for media_type in logged.endings)
    return f"a file; what is made of another value is {made}" if made else "a file"


def events(known: Mapping[str, str]) -> list[str]:
    """Return the lines about events."""
    return [
        "An event is a log record with an `eventName`.",
        "",
        *table(("Event", "Meaning"), ((f"`{name}`", meaning) for name, meaning in known.items())),
    ]


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table."""
    return [line(head), line(("---",) * len(head)), *(line(row) for row in rows)]


def line(cells: Iterable[str]) -> str:
    """Return one row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main())

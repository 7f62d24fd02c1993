"""Mermaid diagrams of a run: what needs what, and when it ran.

Labels come from untrusted records, so nothing of them reaches the diagram but characters that
Mermaid takes as text.
"""

from __future__ import annotations

import re

from vaportrail.record.label import call_label, id_label
from vaportrail.record.run_facts import Facts
from vaportrail.record.times import from_rfc3339

__all__ = ["flowchart", "gantt_chart"]

_STYLES = """\
  classDef succeeded fill:#dff6e3,stroke:#2c8a43,color:#0d3317
  classDef failed fill:#fde0de,stroke:#c0342b,color:#4a0d0a
  classDef skipped fill:#f3f0df,stroke:#9a8a2c,color:#3b3510
  classDef running fill:#dfeefb,stroke:#2c6f9a,color:#0d2c3b
"""


def _text(value: str) -> str:
    """Return text in which every character that Mermaid or HTML could act on is an entity."""
    return re.sub(r"[^\w \-.,=/]", lambda found: f"#{ord(found.group())};", value)


def flowchart(facts: Facts) -> str:
    """Return a Mermaid flowchart of the tasks and their edges; dashed edges only order.

    Example:
        >>> print(flowchart(vaportrail.open(uri).facts))   # doctest: +SKIP
    """
    lines = ["flowchart LR\n"]
    number: dict[str, str] = {}
    arrows: list[str] = []
    for task in facts.tasks:
        number[task.id] = f"t{len(number)}"
        open_, close = ("[[", "]]") if task.kind == "notebook" else ("[", "]")
        style = task.outcome.traits.shown_as
        lines.append(
            f'  {number[task.id]}{open_}"{_text(call_label(task.name, task.arguments))}"{close}:::{style}\n'
        )
        for edge in task.upstream:
            if edge.task in number:  # what a task needs was called before it
                arrow = "-->" if edge.kind == "value" else "-.->"
                arrows.append(f"  {number[edge.task]} {arrow} {number[task.id]}\n")
    return "".join([*lines, *arrows]) + _STYLES


def gantt_chart(facts: Facts) -> str:
    """Return a Mermaid Gantt chart of the attempts, queueing left out."""
    lines = ["gantt\n", "  dateFormat x\n", "  axisFormat %H:%M:%S\n"]
    label = {task.id: id_label(task.id, task.arguments) for task in facts.tasks}
    section = ""
    for attempt in facts.attempts:
        if not (attempt.started and attempt.ended):
            continue
        if attempt.task != section:
            section = attempt.task
            # A colon ends a name in this kind of diagram, entity or not.
            lines.append(f"  section {_text(label.get(section, section).replace(':', ' '))}\n")
        start, end = from_rfc3339(attempt.started) // 10**6, from_rfc3339(attempt.ended) // 10**6
        mark = "" if attempt.outcome.ok else "crit, "
        lines.append(f"  {attempt.outcome.value} {attempt.attempt} :{mark}{start}, {max(end, start + 1)}\n")
    return "".join(lines)

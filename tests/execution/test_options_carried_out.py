"""Every task option is read where attempts are run: one that is only declared would do nothing."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import vaportrail
from vaportrail.authoring.options import TaskOptions

PACKAGE = Path(vaportrail.__file__).parent
RECEIVERS = {"options", "task_options"}
"""What a task's options are called there."""


def test_every_option_is_read_by_what_runs_tasks() -> None:
    read = {
        node.attr
        for room in ("execution", "authoring/task.py")
        for path in ([PACKAGE / room] if room.endswith(".py") else (PACKAGE / room).glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name | ast.Attribute)
        and (node.value.id if isinstance(node.value, ast.Name) else node.value.attr) in RECEIVERS
    }
    assert {each.name for each in fields(TaskOptions)} - {"env"} <= read
    assert "variables" in read  # `env` and what `runtime_env` says of it

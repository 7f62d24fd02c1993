"""The draft of format 1.0: a manifest that holds every task, attempt and file, and says no layout.

Version 0.1 wrote it. Reading it stays for one version after the one that has lines.
"""

from __future__ import annotations

from typing import Any

from vaportrail.record.bounded_manifest import bounded
from vaportrail.record.manifest import Manifest, OlderRecord, StoredFiles
from vaportrail.record.rows import OWNED, ROWS, FileInfo, rows_in_order
from vaportrail.storage.layout import ARTIFACT_FILE

__all__ = ["upgraded"]


def upgraded(content: dict[str, Any]) -> Manifest:
    """Return a draft's manifest as one of today, which holds its rows and files beside it.

    Raises:
        ValueError: it is none.
    """
    missing = [name for name in (*OWNED.values(), "files") if type(content.get(name)) is not list]
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}")
    rows = {kind: [model.model_validate(row) for row in content[OWNED[kind]]] for kind, model in ROWS.items()}
    files = [FileInfo.model_validate(file) for file in content["files"]]
    stored = [file for file in files if ARTIFACT_FILE.fullmatch(file.path)]
    damaged = content.get("damaged_artifacts", [])
    if type(damaged) is not list or not all(type(path) is str for path in damaged):
        raise ValueError("damaged_artifacts are no list of paths")
    totals = StoredFiles(count=len(stored), size=sum(file.size for file in stored), damaged=len(damaged))
    own = {
        "files": [file for file in files if not ARTIFACT_FILE.fullmatch(file.path)],
        "totals": {OWNED[kind]: len(found) for kind, found in rows.items()},
        "metrics": rows["metric"],
        "stored": totals,
    }
    whole = Manifest.model_validate({**content, **own, "layout": "lines"})
    lines = list(rows_in_order(rows))
    manifest, sections = bounded(whole)
    manifest._older = OlderRecord([*sections, *lines], stored, damaged)
    return manifest

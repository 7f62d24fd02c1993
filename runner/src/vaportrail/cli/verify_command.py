"""`vaportrail verify`"""

from __future__ import annotations

import click

from vaportrail.cli.locate import locate, root_option, run_argument
from vaportrail.cli.screen import say, say_json, style
from vaportrail.errors import RecordError, UsageError
from vaportrail.export import formatting
from vaportrail.record.verify import Problem, unfounded, verify
from vaportrail.storage.store import normalise_root, open_store

__all__ = ["command"]


@click.command("verify")
@run_argument
@root_option
@click.option("--rebuild", is_flag=True, help="Also rebuild the manifest from the OTLP files and compare.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(run: str, root: str, rebuild: bool, as_json: bool) -> int:
    """Check that a record is whole: every file there, none added, every byte as it was sealed.

    RUN is a record's folder or URI, a run's name, the start of its id, or `latest` (the default).
    Exits with 0 only if the record is whole; otherwise each line names a file.
    """
    place = _place(run, root)
    store = open_store(place)
    found = verify(store, place)
    if rebuild and found.ok and found.manifest is not None:
        found.problems.extend(
            Problem("manifest.json", f"{part!r} does not follow from the OTLP files")
            for part in unfounded(store, found.manifest)
        )
    if as_json:
        problems = [{"path": each.path, "message": each.message} for each in found.problems]
        say_json({"uri": place, "ok": found.ok, "sha256": found.sha256, "problems": problems})
    elif found.ok:
        sealed = style("verified", fg="green")
        say(f"{sealed}  {found.files} files, {formatting.size(found.size)}  sha256:{found.sha256}")
        for reason in found.manifest.counts.loss_reasons if found.manifest is not None else ():
            say(f"not all is in it: {reason}")
        for path in found.damaged:
            say(f"not part of it: {path} was gone or damaged at the seal")
        unnamed = found.manifest.stored.damaged - len(found.damaged) if found.manifest is not None else 0
        if unnamed > 0:
            say(f"not part of it: {unnamed} more that were gone or damaged at the seal")
    else:
        for problem in found.problems:
            say(f"{style('BROKEN', fg='red', bold=True)}  {problem.path}: {problem.message}")
    return 0 if found.ok else 1


def _place(run: str, root: str) -> str:
    """Return the record's folder or URI, also of one whose manifest is damaged."""
    try:
        found = locate(run, root)
        if not found.sealed:
            uid = found.facts.run.uid[:8]
            state = "it seals itself when it ends" if found.alive else f"seal it with: vaportrail seal {uid}"
            raise UsageError(f"{found.uri} is not sealed yet, so there is nothing to verify; {state}")
        return found.uri
    except RecordError:
        place = normalise_root(run)
        try:
            if open_store(place).entries(""):
                return place
        except RecordError:
            pass
        raise

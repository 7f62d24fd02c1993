"""`vaportrail seal`"""

from __future__ import annotations

import json

import click

from vaportrail.cli.locate import root_option
from vaportrail.cli.show_command import verdict_line
from vaportrail.errors import UsageError
from vaportrail.record.local_seal import find_spool, is_alive, read_settings, seal_spool, spools
from vaportrail.record.read import open_run
from vaportrail.storage import layout
from vaportrail.storage.store import is_remote

__all__ = ["command"]


@click.command("seal")
@click.argument("uid", required=False)
@root_option
@click.option("--all", "every", is_flag=True, help="Seal every run whose runner is gone.")
@click.option(
    "--keep-spool", is_flag=True, help="Leave the spool where it is; sealing again gives the same bytes."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a record.")
def command(uid: str | None, root: str, every: bool, keep_spool: bool, as_json: bool) -> int:
    """Seal a run whose runner died: its spool becomes a record that says so.

    UID is the start of the run's id. Without it the runs that wait for a seal are listed. The
    record goes where the run's record was to go, which the spool knows.
    """
    local = layout.DEFAULT_ROOT if is_remote(root) else root
    if uid is not None and every:
        raise UsageError("give a UID or --all, not both")
    if uid is not None:
        chosen = [find_spool(local, uid)]
    elif every:
        chosen = [spool for spool in spools(local) if not is_alive(spool)]
    else:
        return _list(local)
    for spool in chosen:
        settings = read_settings(spool)
        result = seal_spool(spool, keep_spool=keep_spool, progress=lambda line: click.echo(line, err=True))
        if as_json:
            click.echo(json.dumps({"uri": settings.record_uri, "sha256": result.sha256}))
        else:
            click.echo(verdict_line(open_run(settings.record_uri)))
            click.echo(f"record      {settings.record_uri}\nsha256      {result.sha256}")
    return 0


def _list(root: str) -> int:
    waiting = spools(root)
    if not waiting:
        click.echo(f"no run below {root} waits for a seal", err=True)
    for spool in waiting:
        identity = read_settings(spool).identity
        state = "its runner is alive" if is_alive(spool) else "its runner is gone"
        click.echo(f"{identity.uid}  {identity.pipeline}/{identity.name}  {state}")
    return 0

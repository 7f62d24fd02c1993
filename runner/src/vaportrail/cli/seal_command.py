"""`vaportrail seal`"""

from __future__ import annotations

import json
from pathlib import Path

import click

from vaportrail.cli.locate import root_option
from vaportrail.cli.show_command import verdict_line
from vaportrail.contract import RunSettings
from vaportrail.errors import UsageError
from vaportrail.record.cluster_seal import seal_run, unsealed_runs
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
    record goes where the run's record was to go, which the spool knows. A run of a cluster waits in
    its record root: seal it only when its pods are gone.
    """
    local = layout.DEFAULT_ROOT if is_remote(root) else root
    if uid is not None and every:
        raise UsageError("give a UID or --all, not both")
    shipped = [settings for settings in unsealed_runs(root) if settings.identity.uid.startswith(uid or "")]
    if uid is not None and len(shipped) == 1:
        return _seal_shipped(shipped[0], as_json=as_json)
    if uid is not None:
        chosen = [find_spool(local, uid)]
    elif every:
        chosen = [spool for spool in spools(local) if not is_alive(spool) and not _is_shipped(spool, shipped)]
    else:
        return _list(local, shipped)
    for spool in chosen:
        settings = read_settings(spool)
        result = seal_spool(spool, keep_spool=keep_spool, progress=lambda line: click.echo(line, err=True))
        _say(settings.record_uri, result.sha256, as_json=as_json)
    return 0


def _seal_shipped(settings: RunSettings, *, as_json: bool) -> int:
    """Seal a run of a cluster from the parts that its collector stored."""
    from vaportrail.handover import SealRequest

    request = SealRequest(identity=settings.identity, root=settings.root, path=settings.path)
    answer = seal_run(request, progress=lambda line: click.echo(line, err=True))
    _say(answer.uri, answer.sha256, as_json=as_json)
    return 0


def _say(uri: str, sha256: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"uri": uri, "sha256": sha256}))
    else:
        click.echo(verdict_line(open_run(uri)))
        click.echo(f"record      {uri}\nsha256      {sha256}")


def _is_shipped(spool: Path, shipped: list[RunSettings]) -> bool:
    return any(settings.identity.uid == spool.name for settings in shipped)


def _list(root: str, shipped: list[RunSettings]) -> int:
    waiting = [spool for spool in spools(root) if not _is_shipped(spool, shipped)]
    if not waiting and not shipped:
        click.echo(f"no run below {root} waits for a seal", err=True)
    for spool in waiting:
        state = "its runner is alive" if is_alive(spool) else "its runner is gone"
        click.echo(_line(read_settings(spool), state))
    for settings in shipped:
        click.echo(_line(settings, f"its parts are in {settings.root}"))
    return 0


def _line(settings: RunSettings, state: str) -> str:
    identity = settings.identity
    return f"{identity.uid}  {identity.pipeline}/{identity.name}  {state}"

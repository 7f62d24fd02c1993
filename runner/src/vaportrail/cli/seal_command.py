"""`vaportrail seal`"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from vaportrail.cli.locate import root_option
from vaportrail.cli.show_command import verdict_line
from vaportrail.contract import RunSettings
from vaportrail.errors import RecordNotFound, RunActive, UsageError
from vaportrail.record.cluster_seal import seal_run
from vaportrail.record.local_seal import find_spool, is_alive, read_settings, seal_spool, spools
from vaportrail.record.read import open_run
from vaportrail.record.waiting import check_quiet, is_sealed, unsealed_runs
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
@click.option("--force", is_flag=True, help="Seal a run of a cluster although it may still be alive.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a record.")
def command(uid: str | None, root: str, every: bool, keep_spool: bool, force: bool, as_json: bool) -> int:
    """Seal a run whose runner died: its spool becomes a record that says so.

    UID is the start of the run's id. Without it the runs that wait for a seal are listed. The
    record goes where the run's record was to go, which the spool knows. A run of a cluster waits in
    its record root: seal it only when its pods are gone.
    """
    local = layout.DEFAULT_ROOT if is_remote(root) else root
    if uid is not None and every:
        raise UsageError("give a UID or --all, not both")
    shipped = unsealed_runs(root)
    if uid is not None:
        found = _find(uid, local, shipped)
        if isinstance(found, Path):
            _seal_spool(found, keep_spool=keep_spool, as_json=as_json)
        else:
            _check_over(found, force=force)
            _seal_shipped(found, keep_spool=keep_spool, as_json=as_json)
    elif every:
        for spool in _spools(local, shipped):
            if not is_alive(spool):
                _seal_spool(spool, keep_spool=keep_spool, as_json=as_json)
        for settings in shipped:
            try:
                _check_over(settings, force=force)
            except RunActive as error:
                click.echo(f"left out: {error}", err=True)
            else:
                _seal_shipped(settings, keep_spool=keep_spool, as_json=as_json)
    else:
        _list(local, shipped)
    return 0


def _find(uid: str, local: str, shipped: list[RunSettings]) -> Path | RunSettings:
    """Return the spool, or the run of a cluster, whose UUID begins with `uid`."""
    matches = [settings for settings in shipped if settings.identity.uid.startswith(uid)]
    here = [spool for spool in _spools(local, shipped) if spool.name.startswith(uid)]
    if len(matches) + len(here) > 1:
        found = [settings.identity.uid for settings in matches] + [spool.name for spool in here]
        raise RecordNotFound(
            f"{uid!r} is the start of {len(found)} runs: {', '.join(sorted(found))}; give more of it"
        )
    return matches[0] if matches else find_spool(local, uid)


def _check_over(settings: RunSettings, *, force: bool) -> None:
    if not force and not is_sealed(settings):
        check_quiet(settings, time.time_ns())


def _seal_spool(spool: Path, *, keep_spool: bool, as_json: bool) -> None:
    settings = read_settings(spool)
    result = seal_spool(spool, keep_spool=keep_spool, progress=lambda line: click.echo(line, err=True))
    _say(settings.record_uri, result.sha256, as_json=as_json)


def _seal_shipped(settings: RunSettings, *, keep_spool: bool, as_json: bool) -> None:
    """Seal a run of a cluster from the parts that its collector stored."""
    from vaportrail.handover import SealRequest

    request = SealRequest(identity=settings.identity, root=settings.root, path=settings.path)
    answer = seal_run(request, keep_spool=keep_spool, progress=lambda line: click.echo(line, err=True))
    _say(answer.uri, answer.sha256, as_json=as_json)


def _say(uri: str, sha256: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"uri": uri, "sha256": sha256}))
    else:
        click.echo(verdict_line(open_run(uri)))
        click.echo(f"record      {uri}\nsha256      {sha256}")


def _spools(local: str, shipped: list[RunSettings]) -> list[Path]:
    """Return the spools below a local root that are not those of a cluster's run."""
    uids = {settings.identity.uid for settings in shipped}
    return [spool for spool in spools(local) if spool.name not in uids]


def _list(local: str, shipped: list[RunSettings]) -> None:
    waiting = _spools(local, shipped)
    if not waiting and not shipped:
        click.echo(f"no run below {local} waits for a seal", err=True)
    for spool in waiting:
        state = "its runner is alive" if is_alive(spool) else "its runner is gone"
        click.echo(_line(read_settings(spool), state))
    for settings in shipped:
        sealed = "sealed, " if is_sealed(settings) else ""
        click.echo(_line(settings, f"{sealed}its parts are in {settings.root}"))


def _line(settings: RunSettings, state: str) -> str:
    identity = settings.identity
    return f"{identity.uid}  {identity.pipeline}/{identity.name}  {state}"

"""`vaportrail seal`"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import click

from vaportrail.cli.exit_codes import EXIT_FAILED
from vaportrail.cli.locate import root_option
from vaportrail.cli.screen import say, say_json, style_outcome
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import RecordError, RecordNotFound, RunActive, UsageError
from vaportrail.export.page import verdict_line
from vaportrail.record.reading.read import open_run
from vaportrail.record.seal.cluster_seal import seal_run
from vaportrail.record.seal.local_seal import find_spool, is_alive, seal_spool, spools
from vaportrail.record.seal.unsealed_runs import check_quiet, is_sealed, unsealed_runs
from vaportrail.record.settings import spool_settings
from vaportrail.storage import layout
from vaportrail.storage.store import is_remote

__all__ = ["command"]


@click.command("seal")
@click.argument("uid", required=False)
@root_option
@click.option("--all", "every", is_flag=True, help="Seal every run whose runner is gone.")
@click.option(
    "--into",
    metavar="ROOT",
    help="The record root that the record goes to, where the spool lies in another: as its run was told.",
)
@click.option(
    "--keep-spool", is_flag=True, help="Leave the spool where it is; sealing again gives the same bytes."
)
@click.option("--force", is_flag=True, help="Seal a run of a cluster although it may still be alive.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a record.")
def command(
    uid: str | None, root: str, every: bool, into: str | None, keep_spool: bool, force: bool, as_json: bool
) -> int:
    """Seal a run whose runner died: its spool becomes a record that says so.

    UID is the start of the run's id. Without it the runs that wait for a seal are listed. The record
    goes into the record root; where the run was told another one, --into has to say the same. A run of
    a cluster waits in its record root: seal it only when its pods are gone. With --all, a run that
    cannot be sealed is told and stops no other; the exit code is 1 then.
    """
    if uid is not None and every:
        raise UsageError("give a UID or --all, not both")
    local = layout.DEFAULT_ROOT if is_remote(root) else root
    seal = _Seal(into if into is not None else root, keep_spool=keep_spool, force=force, as_json=as_json)
    # What lies in a folder is told where that is looked through.
    shipped = unsealed_runs(root, _left_out) if is_remote(root) else unsealed_runs(root)
    if uid is not None:
        found = _find(uid, local, shipped)
        seal.spool(found) if isinstance(found, Path) else seal.shipped(found)
        return 0
    if not every:
        _list(local, shipped)
        return 0
    failed = 0
    dead: list[Path | RunSettings] = [spool for spool in _spools(local, shipped) if not is_alive(spool)]
    for waiting in [*dead, *shipped]:
        try:
            seal.spool(waiting) if isinstance(waiting, Path) else seal.shipped(waiting)
        except RunActive as error:
            _left_out(error)
        except RecordNotFound as error:
            if isinstance(waiting, Path) and not waiting.exists():
                continue  # somebody has just sealed it
            failed += 1
            _left_out(error)
        except (RecordError, UsageError) as error:
            failed += 1
            _left_out(error)
        except Exception as error:  # whatever lies there: it stops no other
            failed += 1
            place = waiting if isinstance(waiting, Path) else waiting.identity.uid
            _left_out(f"{place}: {type(error).__name__}: {error}")
    return EXIT_FAILED if failed else 0


def _left_out(why: object) -> None:
    say(f"left out: {why}", err=True)


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


@dataclass(frozen=True, slots=True)
class _Seal:
    """How runs are sealed, and where to."""

    root: str
    keep_spool: bool
    force: bool
    as_json: bool

    def spool(self, spool: Path) -> None:
        settings = spool_settings(spool)
        result = seal_spool(
            spool, root=self.root, keep_spool=self.keep_spool, progress=_progress, warn=_progress
        )
        self._say(settings.record_uri, result.sha256)

    def shipped(self, settings: RunSettings) -> None:
        """Seal a run of a cluster from the parts that its collector stored."""
        from vaportrail.contract.pod_messages import SealRequest

        if not self.force and not is_sealed(settings):
            check_quiet(settings, time.time_ns())
        request = SealRequest(identity=settings.identity, root=settings.root, path=settings.path)
        answer = seal_run(request, by_hand=True, keep_spool=self.keep_spool, progress=_progress)
        self._say(answer.uri, answer.sha256)

    def _say(self, uri: str, sha256: str) -> None:
        if self.as_json:
            say_json({"uri": uri, "sha256": sha256})
        else:
            say(verdict_line(open_run(uri), style_outcome))
            say(f"record      {uri}")
            say(f"sha256      {sha256}")


def _progress(line: str) -> None:
    say(line, err=True)


def _spools(local: str, shipped: list[RunSettings]) -> list[Path]:
    """Return the spools below a local root that are not those of a cluster's run."""
    uids = {settings.identity.uid for settings in shipped}
    return [spool for spool in spools(local) if spool.name not in uids]


def _list(local: str, shipped: list[RunSettings]) -> None:
    waiting = _spools(local, shipped)
    if not waiting and not shipped:
        say(f"no run below {local} waits for a seal", err=True)
    for spool in waiting:
        state = "its runner is alive" if is_alive(spool) else "its runner is gone"
        try:
            say(_line(spool_settings(spool), state))
        except RecordError as error:
            _left_out(error)
    for settings in shipped:
        sealed = "sealed, " if is_sealed(settings) else ""
        say(_line(settings, f"{sealed}its parts are in {settings.root}"))


def _line(settings: RunSettings, state: str) -> str:
    identity = settings.identity
    return f"{identity.uid}  {identity.pipeline}/{identity.name}  {state}"

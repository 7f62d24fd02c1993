"""`vaportrail`: the entry point; loads only the command that is called, so that help is quick."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from vaportrail.cli.exit_codes import EXIT_CANCELLED, EXIT_FAILED, EXIT_USAGE
from vaportrail.cli.screen import say, say_text, show_usage
from vaportrail.errors import UsageError, VaportrailError
from vaportrail.version import __version__, revision

__all__ = ["main"]

# One line each here, so that `vaportrail --help` need not import the commands.
COMMANDS = {
    "run": "Run a pipeline here and seal its record.",
    "ls": "List the runs below a record root.",
    "show": "Show one run: the verdict first.",
    "logs": "Print a run's log lines and output.",
    "verify": "Check every byte of a record.",
    "watch": "Follow a run of a cluster as it goes.",
    "seal": "Seal a run whose runner died.",
    "export": "Turn a record into a diagram or a folder.",
    "submit": "Create a PipelineRun in a Kubernetes cluster.",
    "cancel": "Cancel a PipelineRun in a Kubernetes cluster.",
    "schedule": "Show when a PipelineSchedule's runs are due.",
}

# Started in the pods of a run, not by people.
HIDDEN = ("runner", "seal-run")


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS and cmd_name not in HIDDEN:
            return None
        module = importlib.import_module(f"vaportrail.cli.{cmd_name.replace('-', '_')}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _tell_version(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        known = revision()
        say(f"vaportrail, version {__version__}{f', revision {known}' if known else ''}")
        context.exit()


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: vaportrail run hello.py:hello",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version,
              help="Show the version and exit.")  # fmt: skip
def group() -> None:
    """Run Python and notebook workflows on Ray; keep one sealed record of each run."""


def main(args: list[str] | None = None) -> Any:
    """Run the command line; exits with 0 on success, 1 on a failed run or record, 2 on bad input."""
    try:
        code = group.main(args=args, prog_name="vaportrail", standalone_mode=False)
    except click.ClickException as error:
        show_usage(error)
        sys.exit(EXIT_USAGE)
    except (click.Abort, KeyboardInterrupt):
        say("interrupted", err=True)
        sys.exit(EXIT_CANCELLED)
    except UsageError as error:
        _say(error)
        sys.exit(EXIT_USAGE)
    except VaportrailError as error:
        _say(error)
        sys.exit(EXIT_FAILED)
    except BrokenPipeError:
        # Whoever read our output has gone, as in `vaportrail logs … | head`.
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


def _say(error: VaportrailError) -> None:
    say_text(f"error: {error}", err=True)

"""`serinus reset`: stops an instance and deletes all its data."""

from __future__ import annotations

import os
import sys

import click

from serinus.local.cannot_run import CannotRun
from serinus.local.instance import instance_at, remove

SHORT = "Stop Serinus and delete all its data"


@click.command("reset", short_help="Stop Serinus and delete all its data.")
@click.option("--data", metavar="DIR", help="The instance's directory.  [default: ~/.serinus]")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, even on a terminal.")
def command(data: str | None, yes: bool) -> None:
    """Stop Serinus on this machine and delete all its data: objects, logs, certificates.

    Only a directory that Serinus made is deleted.
    """
    from serinus.local.down import stop

    instance = instance_at(data)
    try:
        if not os.path.lexists(instance.directory):
            click.echo(f"Nothing to reset: {instance.directory} does not exist.")
            return
        ours = instance.is_ours
    except CannotRun as error:
        click.echo(f"serinus reset: {error}", err=True)
        sys.exit(1)
    if not ours:
        click.echo(
            f"serinus reset: {instance.directory} is not a data directory of Serinus; nothing was deleted. "
            "Name the right one with --data DIR.",
            err=True,
        )
        sys.exit(1)
    if not yes and sys.stdin.isatty():
        click.confirm(f"Stop everything and delete {instance.directory}?", abort=True)
    try:
        stop(instance)
        remove(instance)
    except CannotRun as error:
        click.echo(f"serinus reset: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"serinus reset: {error.filename or instance.directory}: {error.strerror}", err=True)
        sys.exit(1)
    click.echo(f"{instance.directory} is gone. Start afresh with: serinus up{f' --data {data}' if data else ''}")

"""`serinus down`: stops all processes that `serinus up` started, also after a crash."""

from __future__ import annotations

import sys

import click

from serinus.local.cannot_run import CannotRun
from serinus.local.instance import instance_at

SHORT = "Stop Serinus on this machine"


@click.command("down", short_help="Stop Serinus on this machine.")
@click.option("--data", metavar="DIR", help="The instance's directory.  [default: ~/.serinus]")
def command(data: str | None) -> None:
    """Stop Serinus on this machine: its pods, its gateway and itself.

    The objects stay: the next `serinus up` uses them again. Also stops the pods and the gateway that a crash left.
    """
    from serinus.local.down import stop

    instance = instance_at(data)
    try:
        click.echo(stop(instance))
    except CannotRun as error:
        click.echo(f"serinus down: {error}", err=True)
        sys.exit(1)

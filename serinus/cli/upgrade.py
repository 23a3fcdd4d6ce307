"""`serinus upgrade --check`: the changes if this version took over the Rollouts of a cluster. It only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from serinus.cli.controller_options import CONNECTION

if TYPE_CHECKING:
    from serinus.cli.upgrade_report import Report
    from serinus.kube.configuration.config import Connection

SHORT = "List what a new version would change on a cluster"


_REPEATED = ("kubeconfig", "context", "cluster", "user", "server", "as_user")


@click.command(
    "upgrade",
    params=[
        click.Option(["--check"], is_flag=True, help="List the changes; write nothing."),
        click.Option(["--namespaced"], is_flag=True, help="For a controller of one namespace (-n) only."),
        click.Option(["--instance-id"], default="", metavar="ID", help="For a controller with this instance id."),
        click.Option(
            ["-o", "--output"], type=click.Choice(["text", "json"]), default="text", help="json for programs."
        ),
        *CONNECTION,
    ],
)
def command(check: bool, namespaced: bool, instance_id: str, output: str, **given: object) -> None:
    """List what a new version would change before it is installed over an older one or over Argo Rollouts.

    \b
    serinus upgrade --check
    serinus upgrade --check -n shop --namespaced -o json

    For each Rollout: what the controller of this version would write next, if it started now. It needs the right to read
    what the controller reads, and writes nothing. -n is the controller's own namespace (argo-rollouts otherwise).

    Exit code 0: no pod and no traffic would change, every Rollout that is managed now stays managed, the definitions have all
    fields of this version, and no other controller would continue to run.
    1: at least one of these does not hold, or could not be checked.
    """
    import asyncio
    import sys

    from serinus.cli.framework.errors import Problem
    from serinus.cli.upgrade_report import as_json, as_text

    if not check:
        raise click.UsageError(
            "nothing is upgraded from here: look with --check, then serinus install | kubectl apply "
            "--server-side --force-conflicts -f -"
        )
    connection, home = _connection(given)
    try:
        report = asyncio.run(_report(connection, home, home if namespaced else "", instance_id))
    except Problem as problem:
        raise click.ClickException(problem.message + (f"\n{problem.hint}" if problem.hint else "")) from None
    sys.stdout.write(as_json(report) if output == "json" else as_text(report, _flags(given)))
    raise SystemExit(0 if report.safe else 1)


def _connection(given: dict[str, object]) -> tuple[Connection, str]:
    """The API server, and the namespace of the controller."""
    from serinus.install.installation import NAME
    from serinus.kube.configuration.config import ConfigError, Flags, load

    names = {str(option.name) for option in CONNECTION}
    try:
        connection = load(Flags(**{name: value for name, value in given.items() if name in names}))  # type: ignore[arg-type]
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    return connection, str(given["namespace"]) or NAME


def _flags(given: dict[str, object]) -> str:
    """The given flags that name the API server, with a blank in front."""
    from shlex import quote

    names = {str(option.name): option.opts[0] for option in CONNECTION}
    kept = ((names[name], str(value)) for name, value in given.items() if value and name in names and name in _REPEATED)
    return "".join(f" {option} {quote(value)}" for option, value in kept)


async def _report(connection: Connection, home: str, scope: str, instance_id: str) -> Report:
    from serinus.cli.upgrade_report import examined
    from serinus.kube.client import Client
    from serinus.kube.clock import SystemClock
    from serinus.kube.http.https import HttpsHandler

    handler = HttpsHandler(connection)
    try:
        return await examined(Client(handler, user_agent="serinus-upgrade"), SystemClock(), home, scope, instance_id)
    finally:
        await handler.close()

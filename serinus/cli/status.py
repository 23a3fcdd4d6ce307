"""`serinus status`: whether Serinus runs on this machine, and its addresses."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from serinus.api.messages.visible import visible_json
from serinus.local.cannot_run import CannotRun
from serinus.local.data_directory import check_owner
from serinus.local.instance import Instance, instance_at

SHORT = "Whether Serinus runs here, and where"


@click.command("status", short_help="Whether Serinus runs here, and where.")
@click.option("--data", metavar="DIR", help="The instance's directory.  [default: ~/.serinus]")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(data: str | None, output: str) -> None:
    """Whether Serinus runs on this machine, and where its parts are.

    With a name it follows that Rollout instead, as `kubectl argo rollouts status NAME` does.

    As text it ends with code 0 when it is ready and 3 when it is not; as JSON always with 0, `ready` says it.
    """
    try:
        check_owner(instance_at(data).directory)
    except CannotRun as error:
        click.echo(f"serinus status: {error}", err=True)
        sys.exit(1)
    found = observe(instance_at(data))
    if output == "json":
        click.echo(visible_json(json.dumps(found, indent=2)))
        return
    option = f" --data {data}" if data else ""
    if found["pid"] is None:
        click.echo(f"Serinus does not run in {found['data']}. Start it with: serinus up{option}")
    elif not found["ready"]:
        click.echo(f"Serinus is starting or stopping in {found['data']} (process {found['pid']}).")
    else:
        click.echo(
            f"Serinus is ready (process {found['pid']}).\n"
            f"  Kubernetes API  {found['api']}\n  Gateway         {found['gateway']}\n"
            f"  Dashboard       {found['dashboard'] or 'not started'}\n  Data and logs   {found['data']}\n"
            f"  export KUBECONFIG={found['kubeconfig']}\nStop it with: serinus down{option}"
        )
    sys.exit(0 if found["ready"] else 3)


def observe(instance: Instance) -> dict[str, Any]:
    """The current `ready`, `pid`, `kubeconfig`, `gateway`, `dashboard`, `api` (URLs or null) and `data`."""
    pid = instance.holder()
    state = instance.state() if pid is not None else {}
    ready = bool(state.get("ready")) and state.get("pid") == pid
    keys = ("kubeconfig", "gateway", "dashboard", "api")
    return {
        "ready": ready,
        "pid": pid,
        **{key: state.get(key) if ready else None for key in keys},
        "data": str(instance.directory),
    }

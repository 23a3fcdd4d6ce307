"""`serinus up`: a Kubernetes-compatible API, a node and a gateway on this machine."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path
from typing import Any

import click

from serinus.cli.image_map import HELP, image_map_of
from serinus.local.cannot_run import CannotRun
from serinus.local.extras import require
from serinus.local.instance import instance_at, prepare

SHORT = "Start Serinus on this machine"


@click.command("up", short_help="Start Serinus on this machine.")
@click.option("-d", "--detach", is_flag=True, help="Return when it is ready; stop it with `serinus down`.")
@click.option("--data", metavar="DIR", help="Where everything is kept.  [default: ~/.serinus]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    metavar="N",
    help="The gateway's port on 127.0.0.1; 0 is any free one, the same again next time.",
)
@click.option(
    "--api-port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="The API server's port; 0 is any free one, the same again next time.  [default: 0]",
)
@click.option(
    "--dashboard-port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="The dashboard's port; 0 is any free one.  [default: 3100, or any free one]",
)
@click.option(
    "--kubeconfig",
    metavar="FILE",
    help="A kubeconfig that gets an entry for this instance, until `down`; the rest of the file stays.  [default: DIR/kubeconfig]",
)
@click.option(
    "--runtime",
    type=click.Choice(["process", "docker", "podman"]),
    default="process",
    show_default=True,
    help="Run pods as local processes, or as containers of docker or podman. Not remembered for the next start.",
)
@click.option("--image-map", metavar="FILE", help=HELP)
@click.option("--gateway-api", is_flag=True, hidden=True, expose_value=False, help="Without effect: it is served.")
@click.option("--ready-fd", type=int, hidden=True)
@click.option("--with-parent", type=int, default=0, hidden=True, help="Stop when this process ends.")
def command(
    detach: bool,
    data: str | None,
    port: int,
    api_port: int,
    dashboard_port: int | None,
    kubeconfig: str | None,
    runtime: str,
    image_map: str | None,
    ready_fd: int | None,
    with_parent: int,
) -> None:
    """Start Serinus on this machine.

    Brings a Kubernetes-compatible API, a node that runs pods as local processes (or, with --runtime docker or podman,
    as containers), a gateway for Ingresses, Gateway API routes and Traefik's own resources, and the Rollout controller.
    Runs until Ctrl-C, or in the background with -d.
    Nothing is listening anywhere but on 127.0.0.1.

    Local processes have all rights of the user that runs Serinus: the `command` of a pod can read and change that
    user's files. Apply only manifests that you would run as a script.
    """
    from serinus.local import daemon
    from serinus.local.processes import seconds_running

    rules = image_map_of(image_map, runtime)
    instance = instance_at(data)
    try:
        require("local")
        if detach:
            prepare(instance)
            arguments = ["--data", str(instance.directory), "--port", str(port), "--api-port", str(api_port)]
            arguments += ["--runtime", runtime, *(["--image-map", str(rules)] if rules else [])]
            arguments += ["--dashboard-port", str(dashboard_port)] if dashboard_port is not None else []
            state = daemon.start(instance, [*arguments, *(["--kubeconfig", kubeconfig] if kubeconfig else [])])
            # The startup time for the user: this process, and the one that it started.
            state |= {"seconds": seconds_running()}
            option = _data_option(data)
            click.echo(welcome(state, f"serinus down{option}", told=sys.stdout.isatty(), option=option))
            return
        from serinus.local.up import UpSettings, run

        def ready(state: dict[str, Any]) -> None:
            if ready_fd is not None:
                daemon.tell(ready_fd, state)  # which prints it; here it would appear in the log, with the token
            else:
                click.echo(welcome(state, "Ctrl-C", told=sys.stdout.isatty(), option=_data_option(data)))

        file = Path(os.path.abspath(os.path.expanduser(kubeconfig))) if kubeconfig else None
        run(UpSettings(instance, port, api_port, file, dashboard_port, with_parent, runtime, rules), ready)
    except CannotRun as error:
        if ready_fd is not None:
            daemon.tell(ready_fd, {"error": str(error)})
        click.echo(f"serinus up: {error}", err=True)
        sys.exit(1)


def welcome(state: dict[str, Any], stop: str, *, told: bool, option: str = "") -> str:
    """The addresses and the next command; at the first start also a note about pods.

    `told`: the text goes to a user, so the dashboard's address has its token. A log, which others may read, has none.
    `option`: of commands for this data directory, such as ` --data DIR`.
    """
    gateway, dashboard = state["gateway"], str(state["dashboard"])
    if not told:
        dashboard = f"{dashboard.partition('?')[0]}   its token, for changes: serinus status{option}"
    pods = f"\n{_PODS.format(user=_user())}\n" if state.get("first") and state.get("runtime") == "process" else ""
    return f"""\
Serinus is up, {state["seconds"]:.1f} s after it was started.

  Kubernetes API  {state["api"]}
  Gateway         {gateway}   every Ingress, by its host: curl -H 'Host: NAME' {gateway}/
  Dashboard       {dashboard}
  Data and logs   {state["data"]}
  Stop            {stop}

Use it from another shell:

  export KUBECONFIG={state["kubeconfig"]}
  kubectl get nodes
{pods}"""


_PODS = (
    "Pods run as local processes of user {user}, with all rights of that user: their commands write on this machine."
)


def _user() -> str:
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _data_option(data: str | None) -> str:
    return f" --data {data}" if data else ""

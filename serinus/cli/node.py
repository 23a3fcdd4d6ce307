"""`serinus node`: runs the pods of any Kubernetes API on this machine, as a node of it."""

from __future__ import annotations

import os
import socket
import sys

import click

from serinus.cli.controller_options import CONNECTION
from serinus.cli.image_map import HELP, image_map_of

SHORT = "Run the pods of any Kubernetes API on this machine"

_OWN = (
    click.Option(["--name"], default="", help="Name of the Node.  [default: this machine's]"),
    click.Option(
        ["--data"], default="", metavar="DIR", help="Where pods keep their files.  [default: ~/.serinus-node]"
    ),
    click.Option(
        ["--pool"],
        default="10.200.0.0/16",
        show_default=True,
        metavar="CIDR",
        help="Addresses for pods; they must be this machine's.",
    ),
    click.Option(["--host-ip"], default="127.0.0.1", show_default=True, help="The node's own address."),
    click.Option(
        ["--runtime"],
        type=click.Choice(["process", "docker", "podman"]),
        default="process",
        show_default=True,
        help="Run pods as local processes, or as containers of docker or podman.",
    ),
    click.Option(["--image-map"], metavar="FILE", help=HELP),
)


@click.command("node", params=[*_OWN, *CONNECTION])
def command(**given: object) -> None:
    """Be a node of the cluster of a kubeconfig: pods without a node become processes of this machine.

    For tests and try-outs beside a control plane of your own: every pod that is not bound to a node is taken, whatever
    its nodeSelector or requests say. It runs until SIGTERM or SIGINT and then ends its pods.

    Local processes have all rights of the user that runs this command: use it only with a cluster whose users you
    trust with this machine.
    """
    from serinus.kube.configuration.config import ConfigError, Flags, load
    from serinus.local.cannot_run import CannotRun
    from serinus.local.instance import instance_at
    from serinus.local.node.node_process import AgentSettings, run

    image_map = given["image_map"]
    rules = image_map_of(None if image_map is None else str(image_map), str(given["runtime"]))
    names = {str(option.name) for option in CONNECTION}
    name = str(given["name"]) or socket.gethostname().lower()
    settings = AgentSettings(
        name,
        instance_at(str(given["data"]) or os.path.expanduser("~/.serinus-node")),
        str(given["pool"]),
        str(given["host_ip"]),
        str(given["runtime"]),
        rules,
    )
    try:
        connection = load(Flags(**{key: value for key, value in given.items() if key in names}))  # type: ignore[arg-type]
        run(connection, settings, lambda: click.echo(f"Node {name} runs the pods of {connection.server}."))
    except (CannotRun, ConfigError) as error:
        click.echo(f"serinus node: {error}", err=True)
        sys.exit(1)

"""`serinus node`: runs the pods of any Kubernetes API on this machine, as a node of it."""

from __future__ import annotations

import os
import socket
import sys

from serinus.cli.controller_options import CONNECTION
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.flags import Flag
from serinus.cli.image_map import IMAGE_MAP, RUNTIMES, image_map_of

SHORT = "Run the pods of any Kubernetes API on this machine"


def run(call: Call) -> int:
    from serinus.cli.cluster.session import connection_flags
    from serinus.kube.configuration.config import ConfigError, load
    from serinus.local.cannot_run import CannotRun
    from serinus.local.instance import instance_at
    from serinus.local.node.node_process import AgentSettings
    from serinus.local.node.node_process import run as serve

    rules = image_map_of(call)
    name = call.text("name") or socket.gethostname().lower()
    settings = AgentSettings(
        name,
        instance_at(call.text("data") or os.path.expanduser("~/.serinus-node")),
        call.text("pool"),
        call.text("host-ip"),
        call.text("runtime"),
        rules,
    )
    try:
        connection = load(connection_flags(call))
        serve(connection, settings, lambda: print(f"Node {name} runs the pods of {connection.server}.", flush=True))
    except (CannotRun, ConfigError) as error:
        sys.stderr.write(f"serinus node: {error}\n")
        return 1
    return 0


COMMAND = Command(
    run,
    "Be a node of the cluster of a kubeconfig: pods without a node become processes of this machine.\n\n"
    "For tests and try-outs beside a control plane of your own: every pod that is not bound to a node is taken, whatever\n"
    "its nodeSelector or requests say. It runs until SIGTERM or SIGINT and then ends its pods.\n\n"
    "Local processes have all rights of the user that runs this command: use it only with a cluster whose users you\n"
    "trust with this machine.",
    flags=(
        Flag("name", "Name of the Node (default this machine's)", metavar="NAME"),
        Flag("data", "Where pods keep their files (default ~/.serinus-node)", metavar="DIR"),
        Flag("pool", "Addresses for pods; they must be this machine's", default="10.200.0.0/16", metavar="CIDR"),
        Flag("host-ip", "The node's own address", default="127.0.0.1", metavar="IP"),
        Flag(
            "runtime",
            "Run pods as local processes, or as containers of docker or podman",
            default="process",
            choices=RUNTIMES,
        ),
        IMAGE_MAP,
        *CONNECTION,
    ),
)

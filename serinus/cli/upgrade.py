"""`serinus upgrade --check`: the changes if this version took over the Rollouts of a cluster. It only reads."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from serinus.cli.controller_options import CONNECTION
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag

if TYPE_CHECKING:
    from serinus.cli.upgrade_report import Report
    from serinus.kube.configuration.config import Connection

SHORT = "List what a new version would change on a cluster"


_REPEATED = ("kubeconfig", "context", "cluster", "user", "server", "as")


def run(call: Call) -> int:
    import asyncio

    from serinus.cli.upgrade_report import as_json, as_text

    if not call.truth("check"):
        raise call.usage_problem(
            "nothing is upgraded from here: look with --check, then serinus install | kubectl apply "
            "--server-side --force-conflicts -f -"
        )
    connection, home = _connection(call)
    scope = home if call.truth("namespaced") else ""
    report = asyncio.run(_report(connection, home, scope, call.text("instance-id")))
    sys.stdout.write(as_json(report) if call.text("output") == "json" else as_text(report, _flags(call)))
    return 0 if report.safe else 1


def _connection(call: Call) -> tuple[Connection, str]:
    """The API server, and the namespace of the controller."""
    from serinus.cli.cluster.session import connection_flags
    from serinus.install.installation import NAME
    from serinus.kube.configuration.config import ConfigError, load

    try:
        connection = load(connection_flags(call))
    except ConfigError as error:
        raise Problem(str(error)) from None
    return connection, call.text("namespace") or NAME


def _flags(call: Call) -> str:
    """The given flags that name the API server, with a blank in front."""
    from shlex import quote

    repeated = ((name, call.text(name)) for name in _REPEATED)
    return "".join(f" --{name} {quote(value)}" for name, value in repeated if value)


async def _report(connection: Connection, home: str, scope: str, instance_id: str) -> Report:
    from contextlib import AsyncExitStack

    from msgspec.structs import replace

    from serinus.cli.upgrade_report import examined
    from serinus.controller.istio_cluster import IstioClusterHandler
    from serinus.kube.client import Client
    from serinus.kube.clock import SystemClock
    from serinus.kube.http.https import HttpsHandler

    async with AsyncExitStack() as opened:

        def connected(server: Connection) -> HttpsHandler:
            handler = HttpsHandler(server)
            opened.push_async_callback(handler.close)
            return handler

        divided = IstioClusterHandler(connected(connection), home, connected)
        client = Client(divided, user_agent="serinus-upgrade")
        report = await examined(client, SystemClock(), home, scope, instance_id)
    if not divided.doubt:
        return report
    told = f"whether Istio's objects are in another cluster: {divided.doubt}"
    return replace(report, safe=False, unknown=(*report.unknown, told))


COMMAND = Command(
    run,
    "List what a new version would change before it is installed over an older one or over Argo Rollouts.\n\n"
    "For each Rollout: what the controller of this version would write next, if it started now. It needs the right to read\n"
    "what the controller reads, and writes nothing. -n is the controller's own namespace (argo-rollouts otherwise).\n\n"
    "Exit code 0: no pod and no traffic would change, every Rollout that is managed now stays managed, the definitions have\n"
    "all fields of this version, and no other controller would continue to run.\n"
    "1: at least one of these does not hold, or could not be checked.",
    "",
    ("serinus upgrade --check", "serinus upgrade --check -n shop --namespaced -o json"),
    flags=(
        Flag("check", "List the changes; write nothing", default=False),
        Flag("namespaced", "For a controller of one namespace (-n) only", default=False),
        Flag("instance-id", "For a controller with this instance id", metavar="ID"),
        Flag("output", "json for programs", short="o", default="text", choices=("text", "json")),
        *CONNECTION,
    ),
)

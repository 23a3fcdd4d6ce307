"""`dashboard`: a web page that shows and controls Rollouts, on this machine only."""

from __future__ import annotations

import os
import sys
from typing import Any

from serinus.cli.cluster.session import connection_of
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import USAGE, Problem
from serinus.cli.framework.flags import Flag

SHORT = "Show Rollouts in a browser, and steer them there"


def run(call: Call) -> int:
    import asyncio
    import logging

    from serinus.dashboard.process import PortTaken, bound, new_token, run_dashboard
    from serinus.dashboard.server import Server
    from serinus.dashboard.settings import Settings, checked_root
    from serinus.kube.sparse_log import Sparse

    connection = connection_of(call)
    port = call.number("port")
    try:
        root = checked_root(call.text("root-path"))
    except ValueError as error:
        raise Problem(f"--root-path: {error}", code=USAGE) from None
    settings = Settings(
        token=new_token(),
        root_path=root,
        read_only=call.truth("read-only"),
        private=call.truth("private"),
        hosts=tuple(call.texts("allow-host")),
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(Sparse())

    def ready(server: Server) -> None:
        known = f"http://localhost:{server.port}{settings.root}"
        sys.stderr.write(f"INFO[0000] Argo Rollouts Dashboard is now available at {known}\n")
        sys.stderr.write(
            "It is read-only, for everybody.\n"
            if settings.read_only
            else "To change something, open it with its token (Ctrl-C ends it):\n"
        )
        print(server.url(tokened=not settings.read_only or settings.private), flush=True)

    try:
        listening = bound(port)
    except PortTaken as error:
        running = state_of_up(call, connection.server)
        if not running:
            raise Problem(str(error)) from None
        if running["dashboardPort"] != port or settings != Settings(settings.token):
            raise Problem(str(error), f"serinus up shows the same Rollouts at {running['dashboard']}") from None
        sys.stderr.write(f"serinus up (process {running['pid']}) shows these Rollouts already:\n")
        print(running["dashboard"], flush=True)
        return 0
    asyncio.run(run_dashboard(connection, settings, listening, ready))
    return 0


def state_of_up(call: Call, server: str) -> dict[str, Any]:
    """The state of the `serinus up` that serves this API from this machine; {} if none runs."""
    from pathlib import Path

    from serinus.local.cannot_run import CannotRun
    from serinus.local.data_directory import check_owner
    from serinus.local.instance import Instance, instance_at

    given = call.text("kubeconfig") or os.environ.get("KUBECONFIG") or ""
    beside = [Instance(Path(os.path.abspath(file)).parent) for file in given.split(os.pathsep) if file]
    for instance in (*beside, instance_at(None)):
        try:
            check_owner(instance.directory)
        except (CannotRun, OSError):
            continue  # another user controls its content
        pid = instance.holder()
        state = instance.state() if pid is not None else {}
        if state.get("ready") and state.get("pid") == pid and state.get("api") == server:
            return state
    return {}


COMMAND = Command(
    run,
    "Show Rollouts in a browser, and steer them there with your own rights.\n"
    "It listens on 127.0.0.1 only. Changing something takes the token of the address that it prints.",
    "",
    ("kubectl argo rollouts dashboard", "kubectl argo rollouts dashboard --port 0 --read-only"),
    flags=(
        Flag("port", "Port on 127.0.0.1; 0 for any free one", short="p", default=3100, metavar="N"),
        Flag("root-path", "Path of the dashboard's address", default="rollouts", metavar="PATH"),
        Flag("read-only", "Refuse all changes", default=False),
        Flag("private", "Looking takes the token as well", default=False),
        Flag("allow-host", "Further name it is reached by, with the port; may be repeated", default=(), metavar="HOST"),
    ),
)

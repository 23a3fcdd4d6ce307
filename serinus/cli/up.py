"""`serinus up`: a Kubernetes-compatible API, a node and a gateway on this machine."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path
from typing import Any

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.flags import Flag, whole
from serinus.cli.image_map import IMAGE_MAP, RUNTIMES, image_map_of
from serinus.local.cannot_run import CannotRun
from serinus.local.extras import require
from serinus.local.instance import instance_at, prepare

SHORT = "Start Serinus on this machine"


def run(call: Call) -> int:
    from serinus.local import daemon

    rules, ready_fd = image_map_of(call), call.value("ready-fd")
    try:
        require("local")
        if call.truth("detach"):
            _detached(call, rules)
        else:
            _followed(call, rules)
    except CannotRun as error:
        if ready_fd is not None:
            daemon.tell(ready_fd, {"error": str(error)})
        sys.stderr.write(f"serinus up: {error}\n")
        return 1
    return 0


def _detached(call: Call, rules: Path | None) -> None:
    """Start it in the background, and return when it is ready."""
    from serinus.local import daemon
    from serinus.local.processes import seconds_running

    data, dashboard_port, kubeconfig = call.text("data"), call.value("dashboard-port"), call.text("kubeconfig")
    instance = instance_at(data or None)
    prepare(instance)
    ports = [str(call.number(name)) for name in ("port", "api-port")]
    arguments = ["--data", str(instance.directory), "--port", ports[0], "--api-port", ports[1]]
    arguments += ["--runtime", call.text("runtime"), *(["--image-map", str(rules)] if rules else [])]
    arguments += ["--dashboard-port", str(dashboard_port)] if dashboard_port is not None else []
    state = daemon.start(instance, [*arguments, *(["--kubeconfig", kubeconfig] if kubeconfig else [])])
    # The startup time for the user: this process, and the one that it started.
    state |= {"seconds": seconds_running()}
    option = _data_option(data)
    print(welcome(state, f"serinus down{option}", told=sys.stdout.isatty(), option=option), flush=True)


def _followed(call: Call, rules: Path | None) -> None:
    """Run it until a signal arrives."""
    from serinus.local import daemon
    from serinus.local.up import UpSettings
    from serinus.local.up import run as serve

    data, ready_fd, kubeconfig = call.text("data"), call.value("ready-fd"), call.text("kubeconfig")

    def ready(state: dict[str, Any]) -> None:
        if ready_fd is not None:
            daemon.tell(ready_fd, state)  # which prints it; here it would appear in the log, with the token
        else:
            print(welcome(state, "Ctrl-C", told=sys.stdout.isatty(), option=_data_option(data)), flush=True)

    settings = UpSettings(
        instance_at(data or None),
        call.number("port"),
        call.number("api-port"),
        Path(os.path.abspath(os.path.expanduser(kubeconfig))) if kubeconfig else None,
        call.value("dashboard-port"),
        call.number("with-parent"),
        call.text("runtime"),
        rules,
    )
    serve(settings, ready)


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
    "Pods run as local processes of user {user}, with all rights of that user: their commands write on this machine.\n"
    "With --runtime podman or docker they run as containers of the engine."
)


def _user() -> str:
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _data_option(data: str) -> str:
    return f" --data {data}" if data else ""


_PORT = whole(0, 65535)
COMMAND = Command(
    run,
    "Start Serinus on this machine.\n\n"
    "Brings a Kubernetes-compatible API, a node that runs pods as local processes (or, with --runtime docker or podman,\n"
    "as containers), a gateway for Ingresses, Gateway API routes and Traefik's own resources, and the Rollout controller.\n"
    "Runs until Ctrl-C, or in the background with -d.\n"
    "Nothing is listening anywhere but on 127.0.0.1.\n\n"
    "Local processes have all rights of the user that runs Serinus: the `command` of a pod can read and change that\n"
    "user's files. Apply only manifests that you would run as a script.",
    flags=(
        Flag("detach", "Return when it is ready; stop it with `serinus down`", short="d", default=False),
        Flag("data", "Where everything is kept (default ~/.serinus)", metavar="DIR"),
        Flag(
            "port",
            "The gateway's port on 127.0.0.1; 0 is any free one, the same again next time",
            default=8080,
            parse=_PORT,
        ),
        Flag(
            "api-port",
            "The API server's port; 0 is any free one, the same again next time (default 0)",
            default=0,
            parse=_PORT,
        ),
        Flag(
            "dashboard-port",
            "The dashboard's port; 0 is any free one (default 3100, or any free one)",
            default=None,
            parse=_PORT,
        ),
        Flag(
            "kubeconfig",
            "A kubeconfig that gets an entry for this instance, until `down`; the rest of the file stays (default DIR/kubeconfig)",
            metavar="FILE",
        ),
        Flag(
            "runtime",
            "Run pods as local processes, or as containers of docker or podman. Not remembered for the next start",
            default="process",
            choices=RUNTIMES,
        ),
        IMAGE_MAP,
        Flag("gateway-api", "Without effect: it is served", default=False, hidden=True),
        Flag("ready-fd", "The file descriptor that gets the state", default=None, parse=whole(0), hidden=True),
        Flag("with-parent", "Stop when this process ends", default=0, hidden=True),
    ),
)

"""`serinus status`: whether Serinus runs on this machine, and its addresses."""

from __future__ import annotations

import json
import sys
from typing import Any

from serinus.api.messages.visible import visible_json
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.flags import Flag
from serinus.local.cannot_run import CannotRun
from serinus.local.data_directory import check_owner
from serinus.local.instance import Instance, instance_at

SHORT = "Whether Serinus runs here, and where"


def run(call: Call) -> int:
    data = call.text("data")
    instance = instance_at(data or None)
    try:
        check_owner(instance.directory)
    except CannotRun as error:
        sys.stderr.write(f"serinus status: {error}\n")
        return 1
    state = observe(instance)
    if call.text("output") == "json":
        print(visible_json(json.dumps(state, indent=2)))
        return 0
    option = f" --data {data}" if data else ""
    if state["pid"] is None:
        print(f"Serinus does not run in {state['data']}. Start it with: serinus up{option}")
    elif not state["ready"]:
        print(f"Serinus is starting or stopping in {state['data']} (process {state['pid']}).")
    else:
        print(
            f"Serinus is ready (process {state['pid']}).\n"
            f"  Kubernetes API  {state['api']}\n  Gateway         {state['gateway']}\n"
            f"  Dashboard       {state['dashboard'] or 'not started'}\n  Data and logs   {state['data']}\n"
            f"  export KUBECONFIG={state['kubeconfig']}\nStop it with: serinus down{option}"
        )
    return 0 if state["ready"] else 3


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


COMMAND = Command(
    run,
    "Whether Serinus runs on this machine, and where its parts are.\n\n"
    "With a name it follows that Rollout instead, as `kubectl argo rollouts status NAME` does.\n\n"
    "As text it ends with code 0 when it is ready and 3 when it is not; as JSON always with 0, `ready` says it.",
    flags=(
        Flag("data", "The instance's directory (default ~/.serinus)", metavar="DIR"),
        Flag("output", "json for programs", short="o", default="text", choices=("text", "json")),
    ),
)

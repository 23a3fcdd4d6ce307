"""`serinus down`: stops all processes that `serinus up` started, also after a crash."""

from __future__ import annotations

import sys

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.flags import Flag
from serinus.local.cannot_run import CannotRun
from serinus.local.instance import instance_at

SHORT = "Stop Serinus on this machine"


def run(call: Call) -> int:
    from serinus.local.down import stop

    instance = instance_at(call.text("data") or None)
    try:
        print(stop(instance))
    except CannotRun as error:
        sys.stderr.write(f"serinus down: {error}\n")
        return 1
    return 0


COMMAND = Command(
    run,
    "Stop Serinus on this machine: its pods, its gateway and itself.\n\n"
    "The objects stay: the next `serinus up` uses them again. Also stops the pods and the gateway that a crash left.",
    flags=(Flag("data", "The instance's directory (default ~/.serinus)", metavar="DIR"),),
)

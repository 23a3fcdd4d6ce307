"""`restart`: replaces every pod, a few at a time."""

from __future__ import annotations

import time

from serinus.api.values.durations import go_duration
from serinus.api.values.times import format_time
from serinus.cli.cluster.mutate import FLAGS, act
from serinus.cli.cluster.session import open_session
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import USAGE, Problem
from serinus.cli.framework.flags import Flag

SHORT = "Restart the pods of a Rollout"


def run(call: Call) -> int:
    given = call.text("in")
    try:
        seconds = go_duration(given) if given else 0.0
    except ValueError as error:
        raise Problem(f"--in: {error}", code=USAGE) from None
    name = call.args[0]
    session = open_session(call)
    if act(session, call, name, "restart", restart_at=format_time(time.time() + seconds)):
        print(f"rollout '{name}' restarts in {given or '0s'}")
    return 0


COMMAND = Command(
    run,
    "Replace every pod of a Rollout by a fresh one, as many at a time as may be unavailable.",
    "ROLLOUT",
    ("kubectl argo rollouts restart guestbook", "kubectl argo rollouts restart guestbook --in 10m"),
    flags=(Flag("in", "How long from now, such as 10s, 5m or 1h", short="i", metavar="TIME"), *FLAGS),
    least=1,
    most=1,
    completes="rollouts",
)

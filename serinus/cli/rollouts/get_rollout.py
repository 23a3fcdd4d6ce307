"""`get rollout`: a Rollout with the objects that belong to it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from serinus.api.resources import ROLLOUTS, Resource
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.cluster.watch import Scene, Watching, referred, surroundings, workload_of
from serinus.cli.framework.colors import paint
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import NOT_FOUND, Problem
from serinus.cli.framework.flags import Flag
from serinus.cli.framework.output import OUTPUT, line, output_format, versioned, written
from serinus.cli.framework.terminal import own
from serinus.cli.tree import rollout_lines
from serinus.view.rollout_info import Json, Surroundings, rollout_info
from serinus.view.rollout_json import rollout_json

SHORT = "Show a Rollout with its ReplicaSets, pods, experiments and analyses"
ALIASES = "ro rollouts"

CLEAR = own("\x1b[H\x1b[2J\x1b[0;0H")
"""Between two pictures of a watch."""

FASTEST_SECONDS, SLOWEST_SECONDS = 0.2, 1.0

GetObject = Callable[[Resource, str], Json]
Picture = Callable[[Scene], str]


def run(call: Call) -> int:
    session, name = open_session(call), call.args[0]
    colors = paint(call.truth("no-color"))
    rollout, how = rollout_named(session.get, name), output_format(call)
    if how == "name":
        print(f"rollout.argoproj.io/{name}")
        return 0
    if not call.truth("watch"):
        around = surroundings(session, workload_of(session, rollout))
        if how in ("json", "yaml"):
            sys.stdout.write(written(_json(rollout, around), how))
            return 0
        print("\n".join(rollout_lines(rollout_info(rollout, around), time.time(), colors)))
        return 0

    if how in ("json", "yaml"):
        return _lines(session, rollout, call.number("timeout-seconds"))

    def picture(scene: Scene) -> str:
        if scene.main is None:
            return f'rollout.argoproj.io "{name}" not found'
        return "\n".join(rollout_lines(rollout_info(scene.main, scene.around), time.time(), colors))

    seconds = call.number("timeout-seconds")
    watching = Watching(session, ROLLOUTS, name, wide=True, workload=referred(rollout))
    until = time.monotonic() + seconds if seconds > 0 else None
    return show(watching, picture, until, f"rollout {name}")


def _json(rollout: Json, around: Surroundings) -> Json:
    return versioned("RolloutInfo", rollout_json(rollout, rollout_info(rollout, around), around))


def _lines(session: Session, rollout: Json, seconds: int) -> int:
    """`--watch -o json`: one line with the object for each change."""
    name, before = str(rollout["metadata"]["name"]), ""
    watching = Watching(session, ROLLOUTS, name, wide=True, workload=referred(rollout))
    until = time.monotonic() + seconds if seconds > 0 else None
    try:
        for scene in watching.scenes(until=until, at_most=FASTEST_SECONDS):
            if scene.main is None:
                raise deleted(name)
            now = line(_json(scene.main, scene.around))
            if now != before:
                print(now, flush=True)
                before = now
    except KeyboardInterrupt:
        pass
    finally:
        watching.stop()
    return 0


def rollout_named(get: GetObject, name: str) -> Json:
    """The Rollout. If it does not exist: Problem with the text that clients print."""
    try:
        return get(ROLLOUTS, name)
    except Problem as problem:
        problem.message = problem.message.replace("rollouts.argoproj.io", "rollout.argoproj.io", 1)
        raise


def deleted(name: str) -> Problem:
    """The message for a Rollout that is deleted during the watch."""
    return Problem(f'rollout.argoproj.io "{name}" not found', "It was deleted while it was watched.", code=NOT_FOUND)


def show(watching: Watching, picture: Picture, until: float | None, what: str) -> int:
    """Draw each change until `until` or Ctrl-C. Neither is an error."""
    try:
        for scene in watching.scenes(until=until, at_most=FASTEST_SECONDS, at_least=SLOWEST_SECONDS):
            stale = f"\n\nOut of date: {scene.trouble}. Trying again." if scene.trouble else ""
            sys.stdout.write(f"{CLEAR}{picture(scene)}{stale}\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            sys.stderr.write(f"\nNo longer watching; {what} goes on.\n")
    finally:
        watching.stop()
    return 0


COMMAND = Command(
    run,
    "Show a Rollout: its state, and as a tree its revisions with ReplicaSets, pods, experiments and analyses.",
    "ROLLOUT",
    ("kubectl argo rollouts get rollout guestbook", "kubectl argo rollouts get rollout guestbook --watch"),
    flags=(
        Flag("watch", "Keep showing changes", short="w", default=False),
        Flag("no-color", "No colours", default=False),
        Flag("timeout-seconds", "End --watch after so many seconds", default=0),
        OUTPUT,
    ),
    least=1,
    most=1,
    completes="rollouts",
)

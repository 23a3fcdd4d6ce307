"""`serinus reset`: stops an instance and deletes all its data."""

from __future__ import annotations

import os
import sys

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.flags import Flag
from serinus.local.cannot_run import CannotRun
from serinus.local.instance import Instance, instance_at, remove

SHORT = "Stop Serinus and delete all its data"


def run(call: Call) -> int:
    data = call.text("data")
    instance = instance_at(data or None)
    try:
        if not os.path.lexists(instance.directory):
            print(f"Nothing to reset: {instance.directory} does not exist.")
            return 0
        ours = instance.is_ours
    except CannotRun as error:
        return _failed(str(error))
    if not ours:
        return _failed(
            f"{instance.directory} is not a data directory of Serinus; nothing was deleted. "
            "Name the right one with --data DIR."
        )
    asks = not call.truth("yes") and sys.stdin.isatty()
    if asks and not _confirmed(f"Stop everything and delete {instance.directory}? [y/N]: "):
        sys.stderr.write("Aborted!\n")
        return 1
    return _reset(instance, data)


def _reset(instance: Instance, data: str) -> int:
    from serinus.local.down import stop

    try:
        stop(instance)
        remove(instance)
    except CannotRun as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(f"{error.filename or instance.directory}: {error.strerror}")
    print(f"{instance.directory} is gone. Start afresh with: serinus up{f' --data {data}' if data else ''}")
    return 0


def _failed(sentence: str) -> int:
    sys.stderr.write(f"serinus reset: {sentence}\n")
    return 1


def _confirmed(question: str) -> bool:
    """Ask on the terminal until the answer is yes or no; no answer is no."""
    while True:
        sys.stdout.write(question)
        sys.stdout.flush()
        answer = sys.stdin.readline().strip().lower()
        if answer in ("y", "yes"):
            return True
        if answer in ("n", "no", ""):
            return False
        print("Error: invalid input")


COMMAND = Command(
    run,
    "Stop Serinus on this machine and delete all its data: objects, logs, certificates.\n\n"
    "Only a directory that Serinus made is deleted.",
    flags=(
        Flag("data", "The instance's directory (default ~/.serinus)", metavar="DIR"),
        Flag("yes", "Do not ask, even on a terminal", short="y", default=False),
    ),
)

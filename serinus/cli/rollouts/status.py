"""`status`: follows a Rollout until it is done. Its exit code is what pipelines wait for."""

from __future__ import annotations

import signal
import sys
import time

from serinus.api.durations import go_duration
from serinus.api.resources import ROLLOUTS
from serinus.api.rollout_info import phase_and_message
from serinus.cli.commandline import Call, Command, Flag
from serinus.cli.problems import Problem
from serinus.cli.rollouts.get_rollout import found
from serinus.cli.session import Session, open_session
from serinus.cli.watching import Watching, referred, workload_of

ENDED = ("Healthy", "Degraded")


def run(call: Call) -> int:
    try:
        seconds = go_duration(call.text("timeout"))
    except ValueError as error:
        raise Problem(f'invalid argument "{call.text("timeout")}" for "-t, --timeout" flag: {error}') from None
    session, name = open_session(call), call.args[0]
    rollout = found(session.get, name)
    if not call.truth("watch"):
        phase, message = phase_and_message(rollout, workload_of(session, rollout))
        print(phase if phase in ENDED else _line(phase, message))
        return _verdict(phase, message, watched=False)
    until = time.monotonic() + seconds if seconds > 0 else None
    phase, message = _follow(session, name, referred(rollout), until)
    return _verdict(phase, message, watched=True)


def _follow(session: Session, name: str, workload: str, until: float | None) -> tuple[str, str]:
    """Prints each change until the Rollout is done, `until`, or a signal; the last phase and message."""
    seen, troubled = ("", ""), False
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    watching = Watching(session, ROLLOUTS, name, wide=False, workload=workload)
    try:
        for scene in watching.scenes(until=until):
            if scene.main is None:
                raise Problem(f'rollout.argoproj.io "{name}" not found', "It was deleted while it was watched.")
            if scene.trouble and not troubled:
                sys.stderr.write(f"{scene.trouble}; trying again\n")
            troubled = bool(scene.trouble)
            now = phase_and_message(scene.main, scene.around.workload)
            if now != seen:
                print(_line(*now), flush=True)
                seen = now
            if now[0] in ENDED:
                break
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            sys.stderr.write(f"\nNo longer watching; rollout {name} goes on.\n")
    finally:
        watching.stop()
    return seen


def _line(phase: str, message: str) -> str:
    return f"{phase} - {message}" if message else phase


def _verdict(phase: str, message: str, *, watched: bool) -> int:
    if phase == "Degraded":
        raise Problem(f"The rollout is in a degraded state with message: {message}")
    if watched and phase != "Healthy":
        raise Problem("Rollout status watch exceeded timeout")
    return 0


COMMAND = Command(
    run,
    "Follow a Rollout until it is Healthy or Degraded, one line for each change.\n\n"
    "Exit code 0: it is Healthy (with --watch=false: it is not Degraded). 1: it is Degraded, time is up, or an error.",
    "ROLLOUT",
    (
        "kubectl argo rollouts status guestbook --timeout 10m",
        "kubectl argo rollouts status guestbook --watch=false",
    ),
    flags=(
        Flag("watch", "Follow until it is done", short="w", default=True),
        Flag(
            "timeout", "Give up after this time, such as 60s or 1h; 0 for never", short="t", default="0", metavar="TIME"
        ),
    ),
    least=1,
    most=1,
    completes="rollouts",
)

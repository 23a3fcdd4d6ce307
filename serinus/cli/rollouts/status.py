"""`status`: follows a Rollout until it is done. Pipelines use its exit code."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable

from serinus.api.messages.visible import visible
from serinus.api.resources import ROLLOUTS
from serinus.api.values.durations import go_duration
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.cluster.watch import Watching, referred, workload_of
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import DEGRADED, ERROR, INTERRUPTED, PAUSED, TIMED_OUT, USAGE, Problem
from serinus.cli.framework.flags import Flag
from serinus.cli.rollouts.get_rollout import deleted, rollout_named
from serinus.view.rollout_info import Json, phase_and_message

SHORT = "Follow a Rollout until it is done, and say how it ended"

Goal = Callable[[str, Json], bool]
"""(phase, the Rollout) -> whether the Rollout has reached the goal."""

ENDED = ("Healthy", "Degraded")
EXCEEDED = "Rollout status watch exceeded timeout"
"""The message that scripts parse, also after Ctrl-C."""


def run(call: Call) -> int:
    try:
        seconds = go_duration(call.text("timeout"))
    except ValueError as error:
        raise Problem(
            f'invalid argument "{call.text("timeout")}" for "-t, --timeout" flag: {error}', code=USAGE
        ) from None
    goal = _goal(call.text("until"))
    session, name = open_session(call), call.args[0]
    rollout = rollout_named(session.get, name)
    if not call.truth("watch"):
        phase, message = phase_and_message(rollout, workload_of(session, rollout))
        print(phase if phase in ENDED else _line(phase, message))
        return _verdict(phase, message, watched=False)
    until = time.monotonic() + seconds if seconds > 0 else None
    ended, phase, message = _follow(session, name, referred(rollout), until, goal)
    if ended == INTERRUPTED:
        raise Problem(EXCEEDED, code=INTERRUPTED)
    return 0 if ended == 0 else _verdict(phase, message, watched=True)


def _goal(text: str) -> Goal | None:
    """The goal of `--until`, as a test of phase and Rollout. None without the flag."""
    if not text:
        return None
    if text in ("healthy", "paused", "degraded"):
        return lambda phase, _: phase.lower() == text
    word, _, number = text.partition("=")
    if word == "step" and number.isdigit():
        return lambda _, rollout: int((rollout.get("status") or {}).get("currentStepIndex") or 0) >= int(number)
    raise Problem(f"--until {text}: there is no such state", "It is healthy, paused, degraded or step=N.", code=USAGE)


def _follow(session: Session, name: str, workload: str, until: float | None, goal: Goal | None) -> tuple[int, str, str]:
    """Print each change until the goal (without one: the end), `until`, or a signal.

    Returns (0 at the goal, INTERRUPTED after a signal, otherwise ERROR; the last phase; the last message).
    """
    shown, troubled, ended = ("", ""), False, ERROR
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    watching = Watching(session, ROLLOUTS, name, wide=False, workload=workload)
    try:
        for scene in watching.scenes(until=until):
            if scene.main is None:
                raise deleted(name)
            if scene.trouble and not troubled:
                sys.stderr.write(f"{scene.trouble}; trying again\n")
            troubled = bool(scene.trouble)
            now = phase_and_message(scene.main, scene.around.workload)
            if now != shown:
                print(_line(*now), flush=True)
                shown = now
            if goal is not None and goal(now[0], scene.main):
                ended = 0
            if ended == 0 or now[0] == "Degraded" or (goal is None and now[0] in ENDED):
                break
    except KeyboardInterrupt:
        ended = INTERRUPTED
        if sys.stderr.isatty():
            sys.stderr.write(f"\nNo longer watching; rollout {name} goes on.\n")
    finally:
        watching.stop()
    return ended, *shown


def _line(phase: str, message: str) -> str:
    return f"{phase} - {visible(message)}" if message else phase


def _verdict(phase: str, message: str, *, watched: bool) -> int:
    if phase == "Degraded":
        raise Problem(f"The rollout is in a degraded state with message: {message}", code=DEGRADED)
    if watched and phase != "Healthy":
        code = PAUSED if phase == "Paused" else TIMED_OUT
        raise Problem(EXCEEDED, code=code)
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
        Flag("until", "Follow until it is healthy, paused, degraded or at step=N", metavar="STATE"),
    ),
    least=1,
    most=1,
    completes="rollouts",
)

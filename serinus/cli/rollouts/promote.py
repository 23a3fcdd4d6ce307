"""`promote`: ends the pause of an update, skips its current step, or skips all remaining steps.

`requests` decides; the table of the command line's rules (section 1, "promote") is its source.
"""

from __future__ import annotations

from typing import Any

from serinus.cli.cluster.mutate import FLAGS, Patches, act
from serinus.cli.cluster.session import open_session
from serinus.cli.framework.commandline import Call, Command, Flag
from serinus.cli.framework.errors import Problem
from serinus.commands.promotion import following_step, promotion_patches

SHORT = "Promote a rollout: end the current pause, or skip the current step"

Json = dict[str, Any]

SKIP_BOTH = "Cannot use skip-current-step and skip-all-steps flags at the same time"
SKIP_BLUE_GREEN = "Cannot skip steps of a bluegreen rollout. Run without a flags"
SKIP_NOTHING = "Cannot skip steps of a rollout without steps"


def run(call: Call) -> int:
    full, current, every = call.truth("full"), call.truth("skip-current-step"), call.truth("skip-all-steps")
    if current and every:
        raise Problem(SKIP_BOTH)
    name = call.args[0]
    session = open_session(call)

    def decide(rollout: Json) -> Patches:
        return requests(rollout, full=full, skip_current=current, skip_all=every)

    action = "skip-steps" if current or every else "promote-full" if full else "promote"
    if act(session, call, name, "PromoteFull" if full else "Promote", action, decide):
        print(f"rollout '{name}' {'fully promoted' if full and not current and not every else 'promoted'}")
    return 0


def requests(
    rollout: Json, *, full: bool = False, skip_current: bool = False, skip_all: bool = False
) -> tuple[Json | None, Json | None]:
    """(merge patch of the status, merge patch of the spec); None: no request. Problem if promotion is impossible."""
    strategy: Json = (rollout.get("spec") or {}).get("strategy") or {}
    if skip_current or skip_all:
        steps = len((strategy.get("canary") or {}).get("steps") or [])
        if strategy.get("blueGreen") is not None:
            raise Problem(SKIP_BLUE_GREEN)
        if not steps:
            raise Problem(SKIP_NOTHING)
        return {"status": {"currentStepIndex": following_step(rollout) if skip_current else steps}}, None
    return promotion_patches(rollout, full=full)


COMMAND = Command(
    run,
    "Promote a rollout: end the current pause, or skip the current step. --full skips all remaining steps.",
    "ROLLOUT",
    (
        "# End a pause",
        "kubectl argo rollouts promote guestbook",
        "",
        "# All traffic to the new version, without the remaining steps, pauses and analyses",
        "kubectl argo rollouts promote guestbook --full",
    ),
    flags=(
        Flag("full", "Skip all remaining steps, pauses and analyses", default=False),
        Flag(
            "skip-current-step",
            "Skip the current step",
            short="c",
            default=False,
            deprecated="use without the flag instead ex: promote ROLLOUT_NAME",
        ),
        Flag("skip-all-steps", "Skip all steps", short="a", default=False, deprecated="use --full instead"),
        *FLAGS,
    ),
    least=1,
    most=1,
    completes="rollouts",
)

"""`promote`: ends the pause of an update, skips its current step, or skips all remaining steps."""

from __future__ import annotations

from serinus.cli.cluster.mutate import FLAGS, act
from serinus.cli.cluster.session import open_session
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag
from serinus.commands.decision import Refusal
from serinus.commands.promotion import promotion_action

SHORT = "Promote a rollout: end the current pause, or skip the current step"


def run(call: Call) -> int:
    skips = {"skip_current": call.truth("skip-current-step"), "skip_all": call.truth("skip-all-steps")}
    try:
        action = promotion_action(full=call.truth("full"), **skips)
    except Refusal as refusal:
        raise Problem(refusal.sentence, refusal.hint) from None
    name = call.args[0]
    if act(open_session(call), call, name, action):
        print(f"rollout '{name}' {'fully promoted' if action == 'promote-full' else 'promoted'}")
    return 0


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

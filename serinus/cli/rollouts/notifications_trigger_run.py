"""`notifications trigger run`: evaluates a trigger for a Rollout now."""

from __future__ import annotations

import sys
import time

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.rollouts.notifications_configuration import FLAGS, configuration, missing, rollout, table

SHORT = "Say what a trigger's conditions are for a Rollout now"


def run(call: Call) -> int:
    from serinus.analysis.expr.errors import ConditionError
    from serinus.notifications.variables import for_conditions, variables

    name, subject = call.args
    config = configuration(call)
    trigger = config.triggers.get(name)
    if trigger is None:
        broken = next((str(p) for p in config.problems if p.key == f"trigger.{name}" and p.severity == "error"), "")
        raise Problem(broken) if broken else missing("trigger", name, config.triggers)
    now = time.time()
    values = for_conditions(variables(rollout(call, subject), config.secrets), now)
    rows: list[list[str]] = []
    wrong: list[str] = []
    for at, one in enumerate(trigger.conditions):
        result = "true"
        if one.when is not None:
            try:
                result = "true" if one.when.value(values, now) is True else "false"
            except ConditionError as error:
                result = "false"
                wrong.append(f"[{at}].when fails and counts as false: {error}")
        rows.append([name if not at else "", one.when_text or "(each Event of the trigger's name)", result])
    sys.stdout.write(table(["NAME", "CONDITION", "RESULT"], rows))
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 0


COMMAND = Command(
    run,
    "Say what the conditions of a trigger are for a Rollout as it is now.",
    "TRIGGER ROLLOUT|FILE",
    (
        "serinus notifications trigger run on-degraded guestbook",
        "serinus notifications trigger run on-ok rollout.yaml --config-map cm.yaml",
    ),
    flags=FLAGS,
    least=2,
    most=2,
)

"""`notifications trigger get`: the triggers of a configuration."""

from __future__ import annotations

import sys
from typing import Any

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.rollouts.notifications_configuration import FLAGS, OUTPUT, chosen, configuration, shown, table

SHORT = "Show triggers"


def run(call: Call) -> int:
    config = configuration(call)
    names = chosen(config.triggers, call, "trigger")
    if call.text("output") == "name":
        sys.stdout.write("".join(f"{name}\n" for name in names))
    elif call.text("output") == "wide":
        rows: list[list[str]] = []
        for name in names:
            for at, one in enumerate(config.triggers[name].conditions):
                rows.append([name if not at else "", ", ".join(one.send), one.when_text])
        sys.stdout.write(table(["NAME", "TEMPLATE", "CONDITION"], rows))
    else:
        sys.stdout.write(
            shown({name: [_written(one) for one in config.triggers[name].conditions] for name in names}, call)
        )
    return 0


def _written(condition: Any) -> dict[str, Any]:
    pairs = {
        "oncePer": condition.once_per_text,
        "when": condition.when_text,
        "description": condition.description,
        "send": list(condition.send),
    }
    return {key: value for key, value in pairs.items() if value}


COMMAND = Command(
    run,
    "Show the triggers of the configuration: templates and conditions.",
    "[TRIGGER]",
    (
        "serinus notifications trigger get",
        "serinus notifications trigger get on-rollout-paused -o yaml --config-map cm.yaml",
    ),
    flags=(*FLAGS, OUTPUT),
    most=1,
)

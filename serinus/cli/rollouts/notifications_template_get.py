"""`notifications template get`: the templates of a configuration."""

from __future__ import annotations

import json
import sys
from typing import Any

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.rollouts.notifications_configuration import FLAGS, OUTPUT, chosen, configuration, shown, table

SHORT = "Show templates"

WIDEST = 100


def run(call: Call) -> int:
    config = configuration(call)
    names = chosen(config.templates, call, "template")
    if call.text("output") == "name":
        sys.stdout.write("".join(f"{name}\n" for name in names))
    elif call.text("output") == "wide":
        sys.stdout.write(table(["NAME", "PREVIEW"], [[name, _preview(config.templates[name])] for name in names]))
    else:
        sys.stdout.write(shown({name: config.templates[name].source for name in names}, call))
    return 0


def _preview(template: Any) -> str:
    text = template.message.source if template.message is not None else json.dumps(template.source)
    line = text.split("\n")[0]
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}..."


COMMAND = Command(
    run,
    "Show the templates of the configuration.",
    "[TEMPLATE]",
    ("serinus notifications template get", "serinus notifications template get rollout-paused -o yaml"),
    flags=(*FLAGS, OUTPUT),
    most=1,
)

"""`notifications lint`: reports invalid keys of a configuration, with proposals."""

from __future__ import annotations

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.rollouts.notifications_configuration import FLAGS, configuration, rollout, unread_places

SHORT = "Check a configuration of notifications"


def run(call: Call) -> int:
    from serinus.notifications.lint import problems_of, problems_of_object

    config = configuration(call)
    problems = [*problems_of(config)]
    places = unread_places(call)
    for name in call.args:
        about = rollout(call, name)
        problems += problems_of_object(config, about.get("metadata") or {})
    for problem in problems:
        print(f"{problem.severity}: {problem}")
    for place in places:
        print(f"warning: {place.name}: {place.problem}: {place.remedy}")
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        raise Problem(f"{errors} error{'s' if errors > 1 else ''} in the configuration")
    if not problems and not places:
        print("No problems.")
    return 0


COMMAND = Command(
    run,
    "Check a configuration of notifications, and the subscriptions of Rollouts: errors are keys that do not work,\n"
    "warnings are texts that mean nothing or something else than they seem to.",
    "[ROLLOUT|FILE...]",
    ("serinus notifications lint", "serinus notifications lint --config-map cm.yaml --secret :empty rollout.yaml"),
    flags=FLAGS,
    most=None,
)

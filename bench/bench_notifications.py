"""The cost of notifications for the controller: processor time of a status change and a template, and memory of queued messages.

Each is the best of several runs of many calls. Sending is not measured: it is beside the work.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from serinus.notifications.configuration import read_configuration
from serinus.notifications.due import by_condition, subscribed
from serinus.notifications.texts import render
from serinus.notifications.variables import for_templates, variables

RUNS, CALLS = 7, 200
GOALS = {"20 triggers": 1000, "a template of the catalog": 300}
"""Microseconds."""
CATALOG = Path(__file__).parents[1] / "install" / "notifications" / "notifications.yaml"


def best(work: Callable[[], object]) -> float:
    """Microseconds of one call."""
    found: list[float] = []
    for _ in range(RUNS):
        began = time.process_time()
        for _ in range(CALLS):
            work()
        found.append((time.process_time() - began) / CALLS * 1e6)
    return min(found)


def main() -> int:
    data: dict[str, str] = yaml.safe_load(CATALOG.read_text())["data"]
    data["service.slack"] = "token: t"
    for number in range(20):
        data[f"trigger.on-{number}"] = (
            f"- when: rollout.status.phase == 'Degraded' and rollout.status.currentStepIndex > {number}\n  send: [rollout-paused]\n"
        )
    configuration = read_configuration("", data, {})
    annotations = {f"notifications.argoproj.io/subscribe.on-{n}.slack": "ch" for n in range(20)}
    containers = [
        {"name": "web", "image": "registry.example/web:1"},
        {"name": "side", "image": "registry.example/side:1"},
    ]
    rollout: dict[str, Any] = {
        "metadata": {"name": "web", "generation": 1, "annotations": annotations},
        "spec": {
            "strategy": {"canary": {"steps": [{"setWeight": 20}]}},
            "template": {"spec": {"containers": containers}},
        },
        "status": {"phase": "Healthy", "currentStepIndex": 1, "observedGeneration": "1"},
    }
    values = variables(rollout, {})

    def change() -> None:
        found, _ = subscribed(configuration, annotations, {})
        by_condition(configuration, found, values, {}, 1.0)

    definition = [configuration.templates["rollout-step-completed"]]

    def made() -> None:
        render(definition, "slack", "slack", for_templates(values, "slack", "ch", 1.0), 1.0)

    slow = 0
    for name, work in (("20 triggers", change), ("a template of the catalog", made)):
        spent = best(work)
        slow += spent > GOALS[name]
        print(f"{name:28}{spent:8.0f} µs (goal {GOALS[name]})")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())

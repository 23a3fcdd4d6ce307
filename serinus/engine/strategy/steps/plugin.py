"""`plugin`: a program of the user runs the step. Source: canary strategy, section 3."""

from __future__ import annotations

from typing import Any

from serinus.api.rollout import PluginStep
from serinus.engine.core import wait_reasons
from serinus.engine.core.plan import Wait
from serinus.engine.core.step_kinds import StepKind, StepRun, StepStatus
from serinus.engine.judging import step_plugins
from serinus.engine.strategy.steps.route_names import named


class Plugin(StepKind):
    field = "plugin"

    def describe(self, part: PluginStep) -> str:
        return f"plugin: {part.name}"

    def words(self, part: Any) -> str:
        return named("run the plugin", part)

    def complete(self, part: PluginStep, run: StepRun) -> bool:
        return step_plugins.complete(run.builder, run.step, run.index)

    def reason(self, part: PluginStep, known: StepStatus) -> Wait | None:
        return Wait(wait_reasons.PLUGIN.code, f"step {known.index + 1}: plugin {part.name} is not done")


KIND = Plugin()

"""The rules of routers and of steps, for the validation of a spec (`serinus/api/validation/rollout.py`)."""

from __future__ import annotations

from collections.abc import Iterator

from serinus.api.rollout import CanaryStep, TrafficRouting
from serinus.api.validation.findings import Finding, invalid
from serinus.api.validation.routing_rules import Capabilities
from serinus.engine.core.step_kinds import ORDER, StepPlace, kinds, parts_of
from serinus.routing.rules import Rules

_STEP = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause"
_NAMED_FIRST = ("experiment", "pause", "setWeight", "analysis", "setCanaryScale", "setHeaderRoute", "setMirrorRoute")
"""The order of kinds in the messages of Argo Rollouts."""
_NAMES = {"setMirrorRoute": "SetMirrorRoutes"}


class RegistrySpecRules(Rules):
    """Implements `api.spec_rules.SpecRules`."""

    def step(
        self,
        path: str,
        step: CanaryStep,
        routing: TrafficRouting | None,
        capabilities: Capabilities,
        managed: frozenset[str],
    ) -> Iterator[Finding]:
        """All errors in one step: incompatible parts, or an invalid part."""
        parts = list(parts_of(step))
        have = {kind.field for kind, _ in parts}
        if sum(kind.alone for kind, _ in parts) > 1:
            every = ((_name(field), field in have) for field in _ordered() if kinds()[field].alone)
            yield invalid(
                path, " ".join(f"step.{name}: {'true' if is_set else 'false'}" for name, is_set in every), _STEP
            )
        if not parts:
            # Here "true" means "is missing": odd, but scripts expect it.
            yield invalid(path, " ".join(f"step.{_name(field)}: true" for field in _ordered()), _STEP)
        place, findings = StepPlace(path, routing, capabilities, managed), list[Finding]()
        for kind, part in parts:
            for finding in kind.validate(part, place):
                if finding not in findings:  # two routes in one step may lack the same list of names
                    findings.append(finding)
                    yield finding


RULES = RegistrySpecRules()


def _ordered() -> list[str]:
    return sorted(kinds(), key=lambda field: _NAMED_FIRST.index(field) if field in _NAMED_FIRST else len(ORDER))


def _name(field: str) -> str:
    return _NAMES.get(field, field[0].upper() + field[1:])

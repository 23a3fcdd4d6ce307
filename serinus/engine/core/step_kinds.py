"""The kinds of canary steps: each module of `serinus/engine/strategy/steps` with a `KIND`. No list names them.

A kind defines everything about its steps: validity, completion, the reason for waiting, and the description. The walk
over the steps, validation, the status, the command line and the dashboard call the kind. How to add one:
docs/adding-a-step.md.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from serinus.api.meta import Json
from serinus.api.rollout import CanaryStep, RolloutStatus, TrafficRouting
from serinus.api.validation.findings import Finding
from serinus.api.validation.routing_rules import Capabilities
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.plan import Wait

PACKAGE = "serinus.engine.strategy.steps"

ORDER = (
    "setWeight",
    "pause",
    "setCanaryScale",
    "setHeaderRoute",
    "setMirrorRoute",
    "analysis",
    "plugin",
    "experiment",
)
"""Kinds of Argo Rollouts. In a step with several parts, the first of these decides; other kinds come after them."""


@dataclass(frozen=True, slots=True)
class StepRun:
    """The current step in a pass."""

    builder: PlanBuilder
    step: CanaryStep
    index: int
    arrived: Callable[[int], bool]
    """Whether the ReplicaSets have the sizes of the step at an index."""

    @property
    def place(self) -> str:
        """The step in a message, such as `step 2`."""
        return f"step {self.index + 1}"


@dataclass(frozen=True, slots=True)
class StepPlace:
    """A step in a spec, for validation.

    `routing`: None without a router; `capabilities`: of all routers of the Rollout; `managed`: names of
    `managedRoutes`.
    """

    path: str
    routing: TrafficRouting | None
    capabilities: Capabilities
    managed: frozenset[str]


@dataclass(frozen=True, slots=True)
class StepStatus:
    """The current step as the status alone shows it. `begun`: start of its pause, in seconds since the epoch."""

    status: RolloutStatus
    index: int
    count: int
    begun: float | None = None


class StepKind:
    """One kind of step. `part` is the value of `field` in a step, of the type that `CanaryStep` gives it."""

    field: ClassVar[str]
    """The field of a step as users write it, such as `setWeight`."""
    alone: ClassVar[bool] = False
    """A step has at most one part of the kinds with this mark."""
    stops_deadline: ClassVar[bool] = False
    """`progressDeadlineSeconds` does not run during such a step: a user or a verdict decides how long it lasts."""

    def describe(self, part: Any) -> str:
        """The step in the Event RolloutStepCompleted and in `next`. Tools compare the texts of Argo Rollouts' kinds."""
        raise NotImplementedError

    def words(self, part: Any) -> str:
        """The step's effect, as the end of a sentence. `part` is the stored JSON, which may be malformed."""
        raise NotImplementedError

    def validate(self, part: Any, place: StepPlace) -> Iterator[Finding]:
        """All errors in the part."""
        del part, place
        return iter(())

    def complete(self, part: Any, run: StepRun) -> bool:
        """Whether the step is complete. If not, the kind adds a wait and plans the writes that the step needs."""
        raise NotImplementedError

    def reason(self, part: Any, known: StepStatus) -> Wait | None:
        """Why the step waits, from the status alone; None if it waits for pods. The code is that of `complete`."""
        del part, known
        return None


@cache
def kinds() -> dict[str, StepKind]:
    """By field, in the order in which they decide about a step with several parts."""
    package = importlib.import_module(PACKAGE)
    modules = [importlib.import_module(f"{PACKAGE}.{each.name}") for each in pkgutil.iter_modules(package.__path__)]
    known: list[StepKind] = [module.KIND for module in modules if hasattr(module, "KIND")]
    known.sort(key=lambda kind: (ORDER.index(kind.field) if kind.field in ORDER else len(ORDER), kind.field))
    return {kind.field: kind for kind in known}


@cache
def _attributes() -> tuple[tuple[StepKind, str], ...]:
    """Each kind with the attribute of `CanaryStep` that holds its part."""
    names = dict(zip(CanaryStep.__struct_encode_fields__, CanaryStep.__struct_fields__, strict=True))
    return tuple((kind, names[field]) for field, kind in kinds().items())


def parts_of(step: CanaryStep) -> Iterator[tuple[StepKind, Any]]:
    """The parts of a step with their kinds, the deciding one first."""
    for kind, attribute in _attributes():
        part = getattr(step, attribute)
        if part is not None:
            yield kind, part


def deciding(step: CanaryStep) -> tuple[StepKind, Any] | None:
    """The kind that decides about a step, with its part; None for a step without a part, which is not valid."""
    return next(parts_of(step), None)


def describe(step: CanaryStep) -> str:
    """A step as the Event RolloutStepCompleted names it."""
    part = deciding(step)
    return part[0].describe(part[1]) if part else ""


def step_words(step: Json) -> str:
    """The effect of a step, as the end of a sentence: `set the weight to 20 %`. Commands and the dashboard show it."""
    for field, kind in kinds().items():
        if step.get(field) is not None:
            return kind.words(step[field])
    return "unknown step"


def stops_deadline(step: CanaryStep) -> bool:
    """Whether `progressDeadlineSeconds` does not run during the step."""
    return any(kind.stops_deadline for kind, _ in parts_of(step))

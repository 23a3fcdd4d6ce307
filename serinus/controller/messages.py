"""The interface between a pass and the sender of messages: the Events, and the object as the pass writes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

import msgspec
from msgspec import structs

from serinus.api.analysis import AnalysisRun
from serinus.api.decoding.merge_patch import applied
from serinus.api.experiment import Experiment, ExperimentStatus
from serinus.api.meta import Json, ObjectMeta
from serinus.api.rollout import Rollout
from serinus.engine.core.builder import patched, settled
from serinus.engine.core.plan import Event, Plan

Subject = Rollout | Experiment
"""The object of a plan."""
Annotate = Callable[[Json, str], Awaitable[ObjectMeta]]
"""Writes annotations of the object with this uid."""


Told = Rollout | Experiment | AnalysisRun
"""An object with Events that may cause messages."""


class Messages(Protocol):
    """Messages to users about Events. `make` returns the object as it is written."""

    async def prepare(
        self, before: Told, make: Callable[[], Told], events: Sequence[Event], write: Annotate | None = None
    ) -> None:
        """Called before the write of a status, with the Events that this write causes.

        `write`: for a Rollout, in the same pass. Raises the ApiError of a failed write.
        """
        ...

    def happened(self, make: Callable[[], Told], events: Sequence[Event], *, complete: bool) -> None:
        """Called after a pass with its Events. `complete`: no write of the pass failed."""
        ...


def as_written(about: Subject, plan: Plan, acted: Iterable[int], *, status: bool) -> Subject:
    """The object after the executed actions (by index) and, with `status`, after the write of its status."""
    annotations, labels = dict(about.metadata.annotations), dict(about.metadata.labels)
    for index in acted:
        action = plan.actions[index]
        if action.kind == type(about).__name__ and action.name == about.metadata.name and action.verb == "patch":
            change_of: Json = action.body.get("metadata") or {}
            for values, change in ((annotations, change_of.get("annotations")), (labels, change_of.get("labels"))):
                for key, value in (change or {}).items():
                    values.pop(key, None) if value is None else values.update({key: value})
    metadata = structs.replace(about.metadata, annotations=annotations, labels=labels)
    if not status or plan.status is None:
        return structs.replace(about, metadata=metadata)
    if isinstance(about, Rollout):
        return structs.replace(about, metadata=metadata, status=patched(about.status, plan.status))
    return structs.replace(
        about, metadata=metadata, status=msgspec.convert(applied(settled(about.status), plan.status), ExperimentStatus)
    )

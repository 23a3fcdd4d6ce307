"""The interface of metric plugins: questions and answers.

A plugin is a Python object with the methods of `MetricPlugin`, registered as an entry point of the group
`serinus.metric_plugins`, or an executable, which reads one `Question` as a line of JSON and prints one `Answer`.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from serinus.api.analysis import Measurement
from serinus.api.meta import Json

ENTRY_POINTS = "serinus.metric_plugins"
"""The group in which packages register Python plugins, under the name that metrics use."""


class Question(msgspec.Struct, frozen=True, rename="camel"):
    """`config`: the value of the plugin's name. `measurement`: the unfinished one, for Resume and Terminate.

    `metric`, `run`: as in the API, with arguments filled in. `limit`: measurements that stay, for GarbageCollect.
    """

    operation: Literal["Run", "Resume", "Terminate", "GarbageCollect"]
    name: str
    metric: Json
    run: Json
    config: Json | None = None
    measurement: Json | None = None
    limit: int = 0


class Answer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`phase`: Running (Resume follows after `resume_after` seconds), otherwise the verdict; none for GarbageCollect.

    The plugin evaluates the conditions, which are in its metric.
    """

    phase: Literal["Running", "Successful", "Failed", "Inconclusive", "Error", ""] = ""
    message: str = ""
    value: str = ""
    metadata: dict[str, str] = {}
    resume_after: float = 0.0


class MetricPlugin(Protocol):
    """Run starts a measurement. Resume and Terminate get an unfinished one. GarbageCollect removes old ones."""

    async def run(self, question: Question) -> Answer: ...

    async def resume(self, question: Question) -> Answer: ...

    async def terminate(self, question: Question) -> Answer: ...

    async def garbage_collect(self, question: Question) -> Answer: ...


def measured(answer: Answer, before: Measurement, now: str, resume_at: str) -> Measurement:
    """The measurement `before`, updated from an answer. `now`, `resume_at`: RFC 3339."""
    running = answer.phase == "Running"
    return msgspec.structs.replace(
        before,
        phase=answer.phase,
        message=answer.message,
        value=answer.value or before.value,
        metadata={**before.metadata, **answer.metadata},
        finished_at=None if running else now,
        resume_at=resume_at if running else before.resume_at,
    )

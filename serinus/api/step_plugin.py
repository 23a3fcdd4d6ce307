"""The interface of step plugins: questions and answers.

A plugin is a Python object with the methods of `StepPlugin`, registered as an entry point of the group
`serinus.step_plugins`. Or it is an executable, which reads one `Question` as a line of JSON and prints one `Answer` as
a line.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from serinus.api.meta import Json

ENTRY_POINTS = "serinus.step_plugins"
"""The group in which packages register Python plugins, under the name that steps use."""

Phase = Literal["Running", "Successful", "Failed", "Error"]
Operation = Literal["Run", "Terminate", "Abort"]


class Question(msgspec.Struct, frozen=True, rename="camel"):
    """`config`: the step's. `status`: the notes of the plugin's last answer for this step, None at first."""

    operation: Operation
    name: str
    index: int
    rollout: Json
    config: Json | None = None
    status: Json | None = None


class Answer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Running: call again after `requeue_after` seconds (30 if it is 10 or less). Failed aborts the update; Error is
    retried after 30 s. `status`: notes for the plugin's next call, stored in the Rollout's status."""

    phase: Phase
    message: str = ""
    requeue_after: float = 0.0
    status: Json | None = None
    disabled: bool = False
    """The step is skipped."""


class StepPlugin(Protocol):
    """Called at least once for each step; again after an Error, a restart of the controller, or while it is Running."""

    async def run(self, question: Question) -> Answer: ...

    async def terminate(self, question: Question) -> Answer:
        """The update continues without this step."""
        ...

    async def abort(self, question: Question) -> Answer:
        """The update is aborted: undo the step's effects."""
        ...

"""The object that a message is about, and the Rollout that stores the message."""

from __future__ import annotations

from dataclasses import dataclass

from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.rollout import Rollout
from serinus.controller.notifications.pending import Pending
from serinus.kube.informer import Key
from serinus.notifications.due import Due, Happening

Subject = Rollout | Experiment | AnalysisRun


@dataclass(frozen=True, slots=True)
class MessageSubject:
    """`root`: key of the Rollout that stores the message; None for an object without a Rollout."""

    subject: Subject
    kind: str
    root: Key | None
    due: Due
    event: Happening | None
    label: tuple[str, str]
    """(type, reason) for metrics."""
    pending: Pending | None = None
    """The stored entry of the message, until it is delivered or given up."""

    @property
    def key(self) -> Key:
        return self.subject.metadata.namespace, self.subject.metadata.name

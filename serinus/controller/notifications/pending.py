"""An undelivered message as a Rollout stores it: enough data to render the message again."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.rollout import Rollout
from serinus.engine.core.plan import Event
from serinus.notifications.due import Happening

_SHORT = {
    "namespace": "n",
    "trigger": "t",
    "index": "i",
    "service": "s",
    "recipient": "r",
    "event": "e",
    "at": "a",
    "before": "b",
    "subject": "o",
}
LONGEST_MESSAGE = 200


class Pending(msgspec.Struct, rename=_SHORT, omit_defaults=True):
    """`at`: when the message became due, in seconds since the epoch. `namespace`: of the configuration.

    `before`: digest of the subject's status before the pass that caused the Event; "" if that status was already
    written. `subject`: `KIND/NAME` of the object that the Event is about; "" for the Rollout itself.
    """

    trigger: str
    index: int
    service: str
    recipient: str
    at: int
    namespace: str = ""
    event: tuple[str, ...] = ()
    """Reason, message, type; empty for a condition."""
    before: str = ""
    subject: str = ""

    def of(self) -> Event | None:
        """The Event that the message reports; None for a condition that became true."""
        if not self.event:
            return None
        return msgspec.convert(dict(zip(("reason", "message", "type"), self.event, strict=False)), Event)

    def same(self, other: Pending) -> bool:
        """Whether both are the same message, made at different times."""
        return self._what() == other._what()

    def reports(self, event: Event) -> bool:
        return self.event == shortened(event)

    def _what(self) -> tuple[object, ...]:
        return self.trigger, self.index, self.service, self.recipient, self.namespace, self.event, self.subject


def shortened(event: Event | Happening) -> tuple[str, str, str]:
    """The stored fields of an Event."""
    return event.reason, event.message[:LONGEST_MESSAGE], event.type


def subject_of(about: Rollout | Experiment | AnalysisRun) -> str:
    """The name of an object in `Pending.subject`."""
    return "" if isinstance(about, Rollout) else f"{type(about).__name__}/{about.metadata.name}"


def digest_of(about: Rollout | Experiment | AnalysisRun) -> str:
    """A digest of the status. Different statuses have different digests."""
    return blake2b(msgspec.json.encode(about.status), digest_size=6).hexdigest()

"""The record of a sequential verdict in a measurement: enough to compute it again from the object alone. Pure.

The measurement's metadata contains the latest looks, and the sums of earlier looks. The length of the text is limited
for any duration.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from serinus.analysis.sequential.looks import Look, restored, stored
from serinus.analysis.sequential.settings import SetupError, VerdictSettings
from serinus.analysis.sequential.shares import SampleRatio, Split
from serinus.analysis.sequential.tally import Tally, Verdict

LONGEST = 8_000
"""Characters of stored looks: several hundred looks. Texts of a measurement are cut at 10,000."""
STEADY = 2
"""Looks at the same weight before one counts for the split: gateways and scrapes follow a change late."""
DROPPED = 2_000
"""Characters that are folded into the sums at a time."""


class Course(msgspec.Struct, rename="camel", omit_defaults=True):
    """`unused`: looks without counts. `used_at`, `began_at`: the time of the latest counts and of the first look, in
    seconds since the epoch. `totals`: of the counters at `used_at`. `reason`: why the latest look was not used.
    `weight`: at the latest look, and `steady`: for how many looks. `splits`: requests by weight, for the check of the
    split.
    """

    unused: int = 0
    used_at: float = 0.0
    totals: list[float] = []
    reason: str = ""
    began_at: float = 0.0
    weight: float = 0.0
    steady: int = 0
    splits: list[Split] = []

    def note_split(self, look: Look, weight: float, *, fixed: bool) -> None:
        """Add a look to the check of the split. `weight`: the canary's, from 0 to 1. `fixed`: it never changes.

        A look belongs to no weight if the weight changed during it or just before it.
        """
        self.steady = self.steady + 1 if weight == self.weight else 0
        self.weight = weight
        if self.steady >= STEADY or fixed:
            split = SampleRatio(self.splits)
            split.add(weight, look.canary_requests, look.stable_requests)
            self.splits = split.splits

    def mismatch(self, remedy: str = "set `weight: 0`") -> str:
        """`SampleRatio.mismatch` of the looks so far."""
        return SampleRatio(self.splits).mismatch(remedy) if self.splits else ""


class Record:
    """An unfinished verdict: its tally, the stored looks, and the course so far."""

    def __init__(self, settings: VerdictSettings) -> None:
        self.settings = settings
        self.tally = Tally(settings)
        self.course = Course()
        self.last: Verdict | None = None
        self.latest = Look(0, 0)
        self._looks = ""
        self._before: list[list[float]] = []

    @property
    def looks(self) -> list[Look]:
        """The stored looks, the latest last."""
        return restored(self._looks)

    def add(self, look: Look) -> Verdict:
        self._looks = f"{self._looks};{stored([look])}" if self._looks else stored([look])
        if len(self._looks) > LONGEST:
            self._fold()
        self.last, self.latest = self.tally.add(look), look
        return self.last

    def load(self, metadata: Mapping[str, str]) -> None:
        """Load the result of `metadata()`. ValueError or SetupError if it is truncated."""
        self.course = msgspec.json.decode(metadata.get("course") or "{}", type=Course)
        self._before = msgspec.json.decode(metadata.get("before") or "[]", type=list[list[float]])
        self._looks = metadata.get("looks", "")
        self.tally = self.resumed()
        for look in self.looks:
            self.last = self.tally.add(look)

    def _fold(self) -> None:
        cut = self._looks.index(";", DROPPED)
        earlier = self.resumed()
        for look in restored(self._looks[:cut]):
            earlier.add(look)
        self._before, self._looks = earlier.saved(), self._looks[cut + 1 :]

    def resumed(self) -> Tally:
        """The tally before the stored looks."""
        tally = Tally(self.settings)
        if self._before:
            tally.restore(self._before)
        return tally

    def metadata(self) -> dict[str, str]:
        """The metadata of the measurement."""
        metadata = {"looks": self._looks, "settings": _text(self.settings), "course": _text(self.course)}
        return {**metadata, "before": _text(self._before)} if self._before else metadata


def record_of(settings: VerdictSettings, metadata: Mapping[str, str]) -> Record:
    """The verdict in this metadata, with the same evidence. SetupError if it is truncated.

    Looks under other settings are no evidence under these, so the record then starts empty.
    """
    record = Record(settings)
    try:
        if metadata.get("settings") and msgspec.json.decode(metadata["settings"], type=VerdictSettings) == settings:
            record.load(metadata)
    except (msgspec.DecodeError, ValueError) as error:
        raise SetupError("looks", f"the stored looks cannot be read: {error}") from None
    return record


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()

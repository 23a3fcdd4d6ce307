"""Compares the new version's measured share of traffic with each weight.

A phase lasts from the moment when the gateway has the weight to the next weight's write. Its first half second is not
counted: open requests end, and the last weight is that of a promoted version, which the gateway does not confirm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from serinus.demo.traffic import DemoTraffic, share

SETTLE_SECONDS = 0.5
TOLERANCE = 2.0
"""Allowed difference between share and weight, in points (percent of all answers)."""


@dataclass(slots=True)
class Phase:
    """Times in seconds of the clock that stamps the answers; `end` is None while the phase lasts."""

    weight: int
    start: float
    end: float | None = None


@dataclass
class Phases:
    """The observed weights, in order."""

    seen: list[Phase] = field(default_factory=list[Phase])

    def note(self, weight: int, now: float) -> bool:
        """Records the current weight and returns whether it is new."""
        if self.seen and self.seen[-1].weight == weight:
            return False
        self.close(now)
        self.seen.append(Phase(weight, now))
        return True

    def close(self, now: float) -> None:
        if self.seen and self.seen[-1].end is None:
            self.seen[-1].end = now


@dataclass(frozen=True, slots=True)
class MeasuredShare:
    weight: int
    share: float
    requests: int


def measure(phases: Phases, traffic: DemoTraffic, color: str, now: float) -> list[MeasuredShare]:
    """The share of `color` among the answers of each phase with a non-zero weight."""
    shares: list[MeasuredShare] = []
    for phase in phases.seen:
        counts = traffic.between(phase.start + SETTLE_SECONDS, now if phase.end is None else phase.end)
        if phase.weight:
            shares.append(MeasuredShare(phase.weight, round(share(counts, color), 1), sum(counts.values())))
    return shares


def problems(measured: Sequence[MeasuredShare], expected: Sequence[int], failed: int) -> list[str]:
    """A sentence for each failed check; [] if there is none."""
    sentences = [f"{failed} request{'' if failed == 1 else 's'} failed"] if failed else []
    for weight in expected:
        shares = [m for m in measured if m.weight == weight and m.requests]
        if not shares:
            sentences.append(f"weight {weight} was never seen in traffic")
        sentences += [
            f"at weight {weight} the new version gave {m.share} % of {m.requests} in all"
            for m in shares
            if abs(m.share - weight) > TOLERANCE
        ]
    return sentences


def summary(measured: Sequence[MeasuredShare], requests: int, failed: int, seconds: float) -> dict[str, Any]:
    return {
        "requests": requests,
        "failed": failed,
        "steps": [{"weight": m.weight, "share": m.share, "requests": m.requests} for m in measured],
        "seconds": round(seconds, 1),
    }

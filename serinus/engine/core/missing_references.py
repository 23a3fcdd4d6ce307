"""What an object names and what is not there yet, in the first seconds after somebody wrote it.

`kubectl apply -f .` writes one object after the other, a Rollout often before the Services and templates that it names. Who
says so at once makes it Degraded for an instant, at which `kubectl argo rollouts status` ends with 1, and an Experiment
ends in Error for good.
"""

from __future__ import annotations

from serinus.api.findings import Finding
from serinus.api.meta import WrittenMeta
from serinus.api.rollout import Rollout
from serinus.api.times import parse_time
from serinus.engine.core import wait_reasons
from serinus.engine.core.plan import Wait

ARRIVING = 3.0
"""Seconds; the API writes whole ones, so that two are meant."""


def expected_until(meta: WrittenMeta, now: float) -> float | None:
    """Until when what it names may still be on its way, in seconds since the epoch; None when that is over."""
    last = parse_time(meta.last_written())
    # An API server whose clock is ahead must not make anybody wait for longer.
    return last + ARRIVING if last is not None and abs(now - last) < ARRIVING else None


def arriving(rollout: Rollout, finding: Finding, now: float) -> Wait | None:
    """The wait for what `finding` misses; None where nothing is missing, or its time is over, or it is told already."""
    seen = rollout.status.observed_generation == str(rollout.metadata.generation)
    until = None if seen or finding.missing is None else expected_until(rollout.metadata, now)
    if until is None:
        return None
    return Wait(wait_reasons.ARRIVING.code, f"{finding.message}; it may be about to be created", until=until)

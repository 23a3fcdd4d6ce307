"""The phases of measurements, metrics and runs (spec/analysis.md §2)."""

from __future__ import annotations

PENDING = "Pending"
RUNNING = "Running"
SUCCESSFUL = "Successful"
FAILED = "Failed"
ERROR = "Error"
INCONCLUSIVE = "Inconclusive"

BY_SEVERITY = (SUCCESSFUL, RUNNING, PENDING, INCONCLUSIVE, ERROR, FAILED)
"""From the best to the worst."""

COMPLETED = frozenset((SUCCESSFUL, FAILED, ERROR, INCONCLUSIVE))
BAD = frozenset((FAILED, ERROR, INCONCLUSIVE))


def severity(phase: str) -> int:
    """A number that is higher for a worse phase; -1 for none."""
    return BY_SEVERITY.index(phase) if phase in BY_SEVERITY else -1


def worst(*phases: str) -> str:
    return max(phases, key=severity, default="")

"""The page of a Rollout lists the important Events, however many routine ones there were since."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.dashboard.detail import _events  # pyright: ignore[reportPrivateUsage]


def event(number: int, reason: str, type_: str = "Normal") -> dict[str, Any]:
    at = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
    meta = {"resourceVersion": str(number)}
    return {"metadata": meta, "type": type_, "reason": reason, "message": reason, "lastTimestamp": at, "count": 1}


@pytest.mark.parametrize(
    ("reason", "type_"),
    [
        ("RolloutAborted", "Warning"),
        ("AnalysisRunFailed", "Warning"),
        ("RolloutCompleted", "Normal"),
        ("Abort", "Normal"),
    ],
)
def test_routine_events_do_not_push_out_what_matters(reason: str, type_: str) -> None:
    routine = [event(i, "TrafficWeightUpdated") for i in range(1, 500)]
    shown = _events([event(0, reason, type_), *routine])
    assert shown[-1]["reason"] == reason
    assert len(shown) == 51


def test_what_matters_is_bounded_too() -> None:
    assert len(_events(event(i, "Abort") for i in range(1000))) == 200

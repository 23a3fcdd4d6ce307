"""The demo's verdict: its reported success matches the real answers."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from serinus.demo.report import MeasuredShare, Phases, measure, problems, summary
from serinus.demo.traffic import DemoTraffic, TimedAnswer, share


def traffic(*answers: tuple[float, str]) -> DemoTraffic:
    made = DemoTraffic("http://127.0.0.1:1/color", "canary.auto")
    for sent, color in answers:
        made.note(TimedAnswer(sent, color, "" if color else "status 502"))
    return made


def test_each_weight_is_measured_from_when_it_reached_traffic_until_the_next():
    """The half second after a change counts for no weight: the gateway may not have received it yet."""
    phases = Phases()
    for weight, now in ((0, 0.0), (20, 10.0), (20, 11.0), (50, 20.0)):
        phases.note(weight, now)
    answers = [
        (10.2, "blue"),
        (11.0, "green"),
        *[(12.0 + i, "blue") for i in range(4)],
        (21.0, "green"),
        (22.0, "blue"),
    ]
    assert measure(phases, traffic(*answers), "green", now=30.0) == [
        MeasuredShare(20, 20.0, 5),
        MeasuredShare(50, 50.0, 2),
    ]


def test_a_weight_that_is_noted_again_begins_no_new_phase():
    phases = Phases()
    assert phases.note(20, 1)
    assert not phases.note(20, 2)
    assert phases.note(50, 3)
    assert [(p.weight, p.start, p.end) for p in phases.seen] == [(20, 1, 3), (50, 3, None)]


@pytest.mark.parametrize(
    ("measured", "failed", "found"),
    [
        ([MeasuredShare(20, 21.9, 1000), MeasuredShare(100, 100.0, 500)], 0, []),
        (
            [MeasuredShare(20, 22.1, 1000), MeasuredShare(100, 100.0, 500)],
            0,
            ["at weight 20 the new version gave 22.1 % of 1000"],
        ),
        ([MeasuredShare(20, 20.0, 1000)], 0, ["weight 100 was never seen"]),
        ([MeasuredShare(20, 20.0, 1000), MeasuredShare(100, 0.0, 0)], 0, ["weight 100 was never seen"]),
        ([MeasuredShare(20, 20.0, 1000), MeasuredShare(100, 100.0, 500)], 3, ["3 requests failed"]),
    ],
)
def test_success_needs_every_weight_within_two_points_and_no_failure(
    measured: list[MeasuredShare], failed: int, found: list[str]
):
    said = problems(measured, (20, 100), failed)
    assert len(said) == len(found)
    assert all(text.startswith(start) for text, start in zip(said, found, strict=True))


def test_failures_have_no_colour_and_no_share():
    assert share(Counter({"green": 1, "blue": 3, "": 4}), "green") == 25
    assert share(Counter(), "green") == 0


def test_the_summary_has_what_was_counted():
    assert summary([MeasuredShare(20, 20.1, 900)], 1000, 0, 12.345) == {
        "requests": 1000,
        "failed": 0,
        "steps": [{"weight": 20, "share": 20.1, "requests": 900}],
        "seconds": 12.3,
    }


async def test_requests_that_nobody_answers_are_counted_as_failed_and_named():
    made = DemoTraffic("http://127.0.0.1:1/color", "canary.auto", rate=500)
    task = asyncio.create_task(made.run())
    while made.total < 5:  # noqa: ASYNC110 - a counter
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert made.failed == made.total
    assert "Cannot connect" in next(iter(made.failures))

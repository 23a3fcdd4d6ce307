"""The texts of the automatic-verdict demo, from answers and times alone."""

from __future__ import annotations

import pytest

from serinus.demo.traffic import TimedAnswer
from serinus.demo.verdict import GATEWAY_SECONDS, TOLD_TO_FAIL, Cost, Moments, cost, problems, success_rate, summary

MOMENTS = Moments(released=10.0, measured=15.9, decided=16.0, taken_back=16.25)


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        ("[0.78125]", 0.7812),
        ('{"errors":1,"requests":10,"successRate":0.9}', 0.9),
        ("0.5", 0.5),
        ("[]", None),
        ("[NaN]", None),
        ('{"successRate":null}', None),
        ("", None),
        ("no JSON", None),
    ],
)
def test_the_success_rate_is_read_from_whatever_the_provider_gave(value: str, rate: float | None):
    assert success_rate(value) == rate


def test_requests_that_failed_are_counted_until_the_gateway_has_heard():
    late = MOMENTS.taken_back or 0.0
    answers = [
        TimedAnswer(9.0, "", TOLD_TO_FAIL),
        TimedAnswer(11.0, "blue"),
        TimedAnswer(12.0, "", TOLD_TO_FAIL),
        TimedAnswer(late + 0.1, "", TOLD_TO_FAIL),
        TimedAnswer(late + GATEWAY_SECONDS + 0.1, "", "status 502"),
    ]
    spent = cost(answers, MOMENTS)
    assert (spent.meanwhile, spent.after, dict(spent.foreign)) == (2, 2, {"status 502": 1})
    assert spent.last == pytest.approx(GATEWAY_SECONDS + 0.1)


def test_a_version_that_was_never_taken_back_costs_until_the_end():
    answers = [TimedAnswer(12.0, "", TOLD_TO_FAIL), TimedAnswer(1e6, "", TOLD_TO_FAIL)]
    spent = cost(answers, Moments(released=10.0))
    assert (spent.meanwhile, spent.after, spent.last) == (2, 0, 0.0)


@pytest.mark.parametrize(
    ("value", "spent", "said"),
    [
        (0.8, Cost(), []),
        (0.96, Cost(), ["value that decided was 0.96"]),
        (None, Cost(), ["value that decided was None"]),
        (0.8, Cost(after=3), ["3 requests failed while the old version"]),
        (0.8, cost([TimedAnswer(11.0, "", "status 502")], MOMENTS), ["1 × status 502"]),
    ],
)
def test_what_was_not_as_promised_is_said(value: float | None, spent: Cost, said: list[str]):
    found = problems(value, 0.95, spent)
    assert len(found) == len(said)
    for sentence, part in zip(found, said, strict=True):
        assert part in sentence


def test_the_summary_counts_from_the_release_and_from_the_measurement_that_decided():
    found = summary("web", MOMENTS, 0.8, 0.95, Cost(meanwhile=7), 900, 20.04)
    assert (found["verdict_seconds"], found["taken_back_seconds"], found["seconds"]) == (6.0, 0.35, 20.0)
    nothing = summary("web", Moments(), None, 0.95, Cost(), 0, 1.0)
    assert (nothing["verdict_seconds"], nothing["taken_back_seconds"]) == (None, None)

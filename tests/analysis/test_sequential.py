"""Sequential verdicts: known answers, changes that must not affect the evidence, and inputs that are never a look."""

from __future__ import annotations

import json
from math import log
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from serinus.analysis.sequential.dispersion import Dispersion
from serinus.analysis.sequential.looks import Look, look_of, restored, stored
from serinus.analysis.sequential.settings import SetupError, VerdictSettings, checked
from serinus.analysis.sequential.shares import SampleRatio
from serinus.analysis.sequential.tally import Tally, Verdict, verdicts
from tests.support.long import examples

STREAMS = [json.loads(line) for line in (Path(__file__).parent / "data" / "known_verdicts.jsonl").open()]
WORDS = {"u": "undecided", "s": "safe", "h": "harm"}


unhurried = hypothesis_settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.too_slow])
"""The time of an example is the machine's, not the code's."""


def settings_of(stream: dict[str, Any]) -> VerdictSettings:
    names = {"falseAbort": "false_abort", "falsePass": "false_pass"}
    given: dict[str, Any] = {names.get(str(name), str(name)): value for name, value in stream["settings"].items()}
    return checked(VerdictSettings(**given))


def last(settings: VerdictSettings, looks: list[Look]) -> Verdict:
    return list(verdicts(settings, looks))[-1]


@pytest.mark.parametrize("stream", STREAMS, ids=[stream["name"] for stream in STREAMS])
def test_known_answers(stream: dict[str, Any]) -> None:
    """Each row: requests and errors of both sides, log evidence for harm and for safety (6 decimals), verdict."""
    rows = stream["rows"]
    for row, verdict in zip(rows, verdicts(settings_of(stream), [look_of(row[:4]) for row in rows]), strict=True):
        assert (verdict.log_harm, verdict.log_safe) == pytest.approx(row[4:6], abs=1e-6)
        assert verdict.verdict == WORDS[row[6]]


def sides(most: int = 200) -> st.SearchStrategy[tuple[int, int]]:
    return st.integers(1, most).flatmap(lambda requests: st.tuples(st.just(requests), st.integers(0, requests)))


LOOKS = st.lists(st.builds(lambda c, s: Look(*c, *s), sides(), sides()), min_size=1, max_size=9)
SETTINGS = st.builds(
    lambda low, by, budget: VerdictSettings(tolerated=low, margin=low * by, budget=budget),
    st.floats(0.5, 2),
    st.floats(1.1, 3),
    st.none() | st.floats(0.001, 0.5),
)


@unhurried
@given(SETTINGS, LOOKS, st.randoms(use_true_random=False))
def test_the_order_of_looks_does_not_change_the_evidence(
    settings: VerdictSettings, looks: list[Look], chance: Any
) -> None:
    mixed = list(looks)
    chance.shuffle(mixed)
    assert last(settings, mixed).log_harm == pytest.approx(last(settings, looks).log_harm, abs=1e-9, rel=1e-9)
    assert last(settings, mixed).log_safe == pytest.approx(last(settings, looks).log_safe, abs=1e-9, rel=1e-9)


@unhurried
@given(SETTINGS, sides(), sides(), st.integers(2, 5), st.data())
def test_looks_of_the_same_split_can_be_merged(
    settings: VerdictSettings, canary: tuple[int, int], stable: tuple[int, int], times: int, data: st.DataObject
) -> None:
    """A look of a minute has the evidence of its four quarters, as long as the weight stays."""
    parts = [
        Look(canary[0], data.draw(st.integers(0, canary[0])), stable[0], data.draw(st.integers(0, stable[0])))
        for _ in range(times)
    ]
    merged = Look(*(sum(part[place] for part in parts) for place in range(4)))
    apart, together = last(settings, parts), last(settings, [merged])
    assert (together.log_harm, together.log_safe) == pytest.approx((apart.log_harm, apart.log_safe), abs=1e-6, rel=1e-9)


@unhurried
@given(LOOKS, st.floats(0.5, 2))
def test_swapped_sides_swap_harm_and_safety(looks: list[Look], ratio: float) -> None:
    """The claims "the canary is no worse than `ratio`" and "the stable version is no better than 1/`ratio`" are the same."""
    harm = last(VerdictSettings(tolerated=ratio, margin=20.0), looks).log_harm
    swapped = [Look(s_n, s_k, c_n, c_k) for c_n, c_k, s_n, s_k in looks]
    assert last(VerdictSettings(tolerated=0.01, margin=1 / ratio), swapped).log_safe == pytest.approx(
        harm, abs=1e-6, rel=1e-9
    )


@unhurried
@given(SETTINGS, LOOKS)
def test_the_interval_excludes_a_limit_exactly_when_its_process_does(
    settings: VerdictSettings, looks: list[Look]
) -> None:
    tally = Tally(VerdictSettings(tolerated=settings.tolerated, margin=settings.margin))
    verdict = [tally.add(look) for look in looks][-1]
    low, high = tally.ratio_interval()
    limit = log(20)
    if abs(verdict.log_harm_adjusted - limit) > 0.01:
        assert (low is not None and low >= settings.tolerated - 1e-9) == (verdict.log_harm_adjusted > limit)
    if abs(verdict.log_safe_adjusted - limit) > 0.01:
        assert (high is not None and high <= settings.margin + 1e-9) == (verdict.log_safe_adjusted > limit)


@unhurried
@given(LOOKS)
def test_stored_looks_are_the_same_looks(looks: list[Look]) -> None:
    assert restored(stored(looks)) == looks


def test_fractions_are_stored_exactly() -> None:
    """`increase()` gives them, and a verdict that is computed again must not differ."""
    looks = [Look(20.1, 0.30000000000000004, 1e6, 1 / 3)]
    assert restored(stored(looks)) == looks


def test_harm_after_safe_is_harm_and_harm_stays() -> None:
    good, bad = Look(500, 0, 500, 50), Look(500, 250, 500, 5)
    words = [verdict.verdict for verdict in verdicts(VerdictSettings(), [good, bad, good, *[good] * 20])]
    assert words == ["safe", "harm", *["harm"] * 21]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"false_abort": 0.0}, "falseAbort"),
        ({"false_abort": 1.0}, "falseAbort"),
        ({"false_abort": float("nan")}, "falseAbort"),
        ({"false_pass": 0.0}, "falsePass"),
        ({"tolerated": 0.0}, "tolerated"),
        ({"margin": float("inf")}, "margin"),
        ({"margin": 1.0}, "margin"),
        ({"budget": 0.0}, "budget"),
        ({"budget": 1.0}, "budget"),
        ({"dispersion": 0.5}, "dispersion"),
    ],
)
def test_settings_that_allow_no_verdict_are_named(changed: dict[str, float], field: str) -> None:
    with pytest.raises(SetupError, match=f"^{field}: "):
        checked(VerdictSettings(**changed))


@pytest.mark.parametrize(
    ("look", "message"),
    [
        ({"canary": {"requests": 5, "errors": 6}}, "canary.errors: 6 errors are more than 5 requests"),
        ({"canary": {"requests": -1, "errors": 0}}, "canary.requests: -1 is negative"),
        ([5, 0, float("nan"), 0], "stable.requests: nan is no count"),
        ([5, 0, 10**400, 0], "stable.requests: inf is no count"),
        ({"canary": {"requests": 5}}, "canary.errors: is missing"),
        ({"stable": {"requests": 5, "errors": 0}}, "canary: is missing"),
        ({"canary": 5}, "canary: is no object"),
        ({"canary": {"requests": "5", "errors": 0}}, "canary.requests: '5' is no number"),
        ({"canary": {"requests": True, "errors": 0}}, "canary.requests: True is no number"),
        ({"n_c": 5, "k_c": 7, "n_s": 5, "k_s": 0}, "k_c: 7 errors are more than 5 requests"),
        ([1, 2, 3], "a look is an object"),
        ("20,0,180,2", "a look is an object"),
        (None, "a look is an object"),
    ],
)
def test_what_is_no_look_is_an_error_with_its_field(look: Any, message: str) -> None:
    with pytest.raises(SetupError) as caught:
        look_of(look)
    assert str(caught.value).startswith(message)


def test_the_three_ways_to_write_a_look() -> None:
    flat = {"n_c": 20, "k_c": 1, "n_s": 180, "k_s": 2}
    nested = {"canary": {"requests": 20, "errors": 1}, "stable": {"requests": 180, "errors": 2}}
    assert look_of(flat) == look_of(nested) == look_of([20, 1, 180, 2]) == Look(20, 1, 180, 2)


def test_traffic_that_changes_is_no_burst() -> None:
    """The same rate of errors at 100 and 10,000 requests a look."""
    found = Dispersion()
    for requests in [100, 10_000] * 10:
        found.add(requests, requests // 100)
    assert found.measured() < 0.01
    assert found.estimate() == 1


def test_bursts_are_measured_as_variance_over_mean() -> None:
    """Looks of 0 and 20 errors in turns: the mean is 10, the variance 100 · 20/19."""
    found = Dispersion()
    for errors in [0, 20] * 10:
        found.add(1000, errors)
    assert found.estimate() == pytest.approx(10 * 20 / 19)


def test_bursts_divide_the_evidence() -> None:
    looks = [Look(100, errors // 2, 900, errors) for errors in [0, 20] * 10]
    verdict = last(VerdictSettings(), looks)
    assert verdict.dispersion > 10
    assert verdict.log_harm_adjusted < verdict.log_harm / 5


def test_a_learnt_dispersion_counts_from_the_first_look() -> None:
    verdict = last(VerdictSettings(dispersion=3.0), [Look(20, 6, 180, 2)])
    assert verdict.dispersion == 3
    assert verdict.log_harm_adjusted < verdict.log_harm


@pytest.mark.parametrize(("canary", "wrong"), [(200, False), (230, False), (1000, True), (800, True), (20, True)])
def test_a_split_far_from_the_weight_is_reported(canary: int, wrong: bool) -> None:
    """At weight 20: a label that counts both sides, swapped sides, one pod of ten."""
    found = SampleRatio()
    found.add(0.2, canary, 1000 - canary)
    assert bool(found.mismatch()) is wrong


def test_each_look_counts_with_the_weight_that_was_in_force() -> None:
    """10 % and then 50 % of the requests, by the weights: neither is compared with the other weight."""
    found = SampleRatio()
    for weight in (0.1, 0.5):
        found.add(weight, 2000 * weight, 2000 * (1 - weight))
    assert not found.mismatch()
    found.add(0.5, 200, 1800)
    assert found.mismatch().startswith("the canary's queries count 23.3% of all requests and its weight is 36.7%")
    assert SampleRatio(found.splits).mismatch() == found.mismatch()

"""Intended differences from Argo Rollouts: our play keeps each rule, and the reference's breaks it.

So none of these tests passes with the reference's behaviour, and none can pass by checking the wrong object.
docs/differences.md lists the same for users.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.support.long import few
from tests.support.plays import rules
from tests.support.plays.player import play, played
from tests.support.plays.recordings import EACH_TIME, REPOSITORY, reference, scenario

Rule = Callable[[list[dict[str, Any]]], list[str]]

PAUSE, DEADLINE = "status.pauseConditions", "annotations.scale-down-deadline"


def lasts(seconds: float, field: str) -> Rule:
    return partial(rules.a_wait_is_cut_short, seconds=seconds, begins=field, ends=field)


METRICS = {
    "analysis-args": ("by-hash", "secret", "dry"),
    "analysis-nested": ("value", "other"),
    "analysis-prometheus": ("vector", "empty", "default"),
}
"""Play -> the metrics of its run, in the order of its templates."""

ROWS: dict[str, tuple[Rule, tuple[str, ...]]] = {
    "after an abort the canary Service is written once": (
        rules.canary_service_flips_after_an_abort,
        ("nginx-abort-retry", "nginx-abort-delay", "nginx-dynamic-stable", "analysis-superseded"),
    ),
    "what may be about to be created is waited for": (
        rules.it_is_degraded_while_objects_are_still_being_applied,
        ("nginx-missing-parts", "bluegreen-missing-service", "analysis-missing-template", "workload-missing"),
    ),
    "what was missing is seen the moment it appears": (
        rules.it_answers_an_appearing_object_late,
        ("nginx-missing-parts", "bluegreen-missing-service", "nginx-ingress-without-service"),
    ),
    "and nothing stalls once its cause is gone": (
        rules.it_heals_late,
        ("nginx-missing-parts", "bluegreen-missing-service", "nginx-ingress-without-service"),
    ),
    "a rejected edit changes nothing": (rules.a_rejected_edit_takes_the_canary_service_away, ("invalid-specs",)),
    "Healthy means that the traffic is back": (rules.healthy_while_the_canary_has_traffic, ("nginx-back-to-stable",)),
    "no version gets more than its ready pods carry": (
        rules.more_weight_than_pods_carry,
        ("nginx-promote-variants", "nginx-scale-mid"),
    ),
    "pods drain before they go": (rules.pods_go_before_they_have_drained, ("nginx-dynamic-stable",)),
    "an abort brings the stable side back at once": (
        rules.an_aborted_update_comes_back_in_rounds,
        ("nginx-dynamic-stable",),
    ),
    "and traffic as soon as it can": (
        rules.an_aborted_version_keeps_traffic_that_the_stable_one_could_take,
        ("nginx-dynamic-stable",),
    ),
    "a full promotion lets the weight follow the pods before the Service switches": (
        rules.all_traffic_jumps_at_full_promotion,
        ("nginx-third-revision", "nginx-abort-retry"),
    ),
    "the stable Service always leads to ready pods": (rules.the_stable_service_leads_nowhere, ("basic-services",)),
    "surge first: as many serve as are wanted": (
        rules.fewer_pods_serve_than_are_wanted,
        ("basic-no-steps", "basic-third-revision"),
    ),
    "the preview Service leads to ready pods, after an abort too": (
        rules.the_preview_service_leads_nowhere,
        (
            "bluegreen-abort-retry",
            "bluegreen-auto",
            "bluegreen-back",
            "bluegreen-deadline",
            "bluegreen-manual",
            "bluegreen-metadata",
            "bluegreen-post-analysis",
            "bluegreen-post-analysis-fails",
            "bluegreen-pre-analysis",
            "bluegreen-seconds",
            "bluegreen-third-revision",
        ),
    ),
    "a pause of 3 s is never shorter": (lasts(3, PAUSE), ("nginx-walk",)),
    "a pause of 2 s is never shorter": (lasts(2, PAUSE), ("basic-surge", "nginx-scale-mid")),
    "autoPromotionSeconds 4 are never shorter": (lasts(4, PAUSE), ("bluegreen-seconds",)),
    "a scale-down delay of 4 s is never shorter": (lasts(4, DEADLINE), ("nginx-walk", "bluegreen-auto")),
    "a pause that has passed while all was paused by hand does not begin again": (
        rules.a_pause_begins_again_when_promoted,
        ("nginx-pause-command",),
    ),
    **{
        f"results stand in the order of the metrics: {name}": (
            partial(
                lambda trace, names: rules.results_stand_in_another_order_than_metrics(trace, *names), names=metrics
            ),
            (name,),
        )
        for name, metrics in METRICS.items()
    },
    "an interval of 1 s is never shorter": (
        partial(rules.an_interval_is_cut_short, seconds=1),
        ("experiment-step-fails", "analysis-step-fails"),
    ),
    "a restart brings one more pod first": (rules.fewer_pods_serve_than_are_wanted, ("nginx-restart",)),
    "conditions change when something changes": (
        rules.a_condition_flips,
        ("replicas-zero", "nginx-scale-mid", "same-template"),
    ),
}


PAIRS = [(what, name) for what, (_, names) in ROWS.items() for name in names]


@pytest.mark.parametrize(
    ("what", "name"),
    few(PAIRS, [pair for pair in PAIRS if pair[1] in EACH_TIME]),
    ids=[f"{name}: {what}" for what, name in PAIRS],
)
def test_where_we_differ(what: str, name: str):
    rule, _ = ROWS[what]
    assert rule(reference(name)), "the reference does not do that: the rule looks at the wrong thing"
    wrong = rule(played(name).trace)
    assert not wrong, f"{what}:\n" + "\n".join(wrong)


def test_a_full_promotion_at_the_first_gate_of_a_walk_moves_traffic_with_the_pods():
    what = scenario("nginx-walk")
    gate = next(i for i, step in enumerate(what["do"]) if step == {"cli": "promote web"})
    what["do"][gate] = {"cli": "promote web --full"}
    done = play("nginx-walk with promote --full", what)
    assert rules.all_traffic_jumps_at_full_promotion(done.trace) == []
    assert rules.more_weight_than_pods_carry(done.trace) == []


@pytest.mark.parametrize(
    "name", ["nginx-walk", "nginx-rollback-window", "nginx-set-canary-scale", "nginx-third-revision", "nginx-undo"]
)
def test_no_version_gets_more_than_its_ready_pods_carry_in_other_plays_either(name: str):
    assert rules.more_weight_than_pods_carry(played(name).trace) == []


def test_every_play_that_shows_a_difference_stands_on_the_page():
    page = (REPOSITORY / "docs" / "differences.md").read_text()
    named = {name for _, names in ROWS.values() for name in names if not name.startswith("bluegreen")}
    assert not (missing := sorted(name for name in named if name not in page)), missing

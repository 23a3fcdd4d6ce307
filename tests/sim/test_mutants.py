"""The simulation finds things: a bug that is put into the engine or the controller breaks a promise.

Here the quick ones, within few seeds; all of them, within 2,000: `python -m tests.sim.mutants`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec
import pytest

from tests.sim.bugs import Mutant
from tests.sim.generate import generate
from tests.sim.history import NAME, Action
from tests.sim.mutants import applied, caught
from tests.sim.run import run
from tests.sim.verdict_bugs import ALL
from tests.sim.workloads import Image
from tests.support.long import few

QUICK = {
    "drain_before_observe": 10,
    "weight_above_capacity": 10,
    "selector_to_nothing": 10,
    "timed_pause_without_an_alarm": 10,
    "aborted_is_promoted": 20,
    "foreign_annotations_removed": 10,
    "whole_selector_written": 10,
    "revision_by_spelling": 30,
    "failed_write_forgotten": 20,
    "stable_shrinks_first": 30,
    "fence_ignored": 20,
    "size_before_weight": 80,
    "history_grows": 20,
    "heartbeat_in_the_status": 5,
    "silent_waits": 5,
    "switch_before_ready": 10,
    "measured_twice": 60,
    "measured_on_an_old_status": 60,
    "jobs_left_behind": 60,
    "first_metric_decides": 20,
    "dry_run_decides": 20,
    "verdict_by_edge": 80,
    "old_verdict_counts": 20,
    "runs_never_stopped": 60,
    "step_does_not_wait": 20,
    "no_way_back": 60,
    "experiment_never_ends": 120,
}
"""Seeds within which each is found."""
FEW = (
    "drain_before_observe",
    "timed_pause_without_an_alarm",
    "silent_waits",
    "switch_before_ready",
    "first_metric_decides",
)
"""Of several kinds, for each change; all of them in `make test-all`."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_a_bug_of_third_revisions_is_found_where_the_stable_version_shrinks_with_its_traffic():
    """Few histories come to that by chance."""
    story = generate(0)
    canary = {"canaryService": "web-canary", "stableService": NAME, "dynamicStableScale": True}
    canary |= {"trafficRouting": {"nginx": {"stableIngress": NAME}}, "steps": [{"setWeight": 75}, {"pause": {}}]}
    story.rollout["spec"] |= {"replicas": 4, "strategy": {"canary": canary}}
    releases = (Action(20.0, "image", "v2"), Action(60.0, "image", "v3"))
    images = {**story.images, "v2": Image(1.0), "v3": Image(8.0)}
    story = msgspec.structs.replace(
        story,
        ingress=True,
        services=(NAME, "web-canary"),
        actions=releases,
        images=images,
        kills=(),
        episodes=(),
        late_episodes=(),
    )
    assert not run(story).violations
    with applied(next(m for m in ALL if m.name == "guard_asks_the_newest_version")) as plan:
        assert [v.promise for v in run(story, plan=plan).violations] == ["share_never_exceeds_capacity"]


@pytest.mark.parametrize("name", few(QUICK, FEW))
def test_a_bug_is_found(name: str):
    one = next(m for m in ALL if m.name == name)
    assert caught(one, range(QUICK[name])) is not None, one.bug


def test_every_bug_can_still_be_put_in():
    """The places that mutants change are those of the engine as it is now."""
    for one in ALL:
        for owner, attribute, _ in one.places():
            assert hasattr(owner, attribute), f"{one.name}: {owner} has no {attribute}"
            assert not attribute.startswith("_"), f"{one.name}: {attribute} may change without a change of behaviour"


def test_there_are_bugs_of_many_kinds():
    assert len({m.name for m in ALL}) == len(ALL) >= 15
    assert all(isinstance(m, Mutant) and m.bug for m in ALL)

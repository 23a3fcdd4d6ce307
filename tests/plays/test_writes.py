"""A play costs the API no more writes than the reference's, and an abort a handful."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.messages.event_reasons import never_dropped
from tests.support.plays.controller_writes import abort_with_a_delay_of_30_seconds, without_kept_events
from tests.support.plays.player import play, played
from tests.support.plays.recordings import few_of, plays, reference, router_plays, scenario
from tests.support.plays.writes import least_written

BETWEEN = ("Progressing", "Pending")


@pytest.mark.parametrize("name", few_of([*plays(), *router_plays()]))
def test_a_play_costs_no_more_writes_than_in_argo_rollouts(name: str):
    """By one rule for both traces; and all that we sent against the least that the reference can have sent.

    Without the Events that are never dropped: of those the reference drops some.
    """
    theirs, done = least_written(reference(name)).total(), played(name)
    assert least_written(done.trace).total() <= theirs
    assert len(without_kept_events(done.writes)) <= theirs


DELAYS = 35
"""Seconds in which the longest delay of a play ends: scale-down after 30 s."""

QUIET = 60
"""Seconds for which a Rollout is watched after a play has ended."""


@pytest.mark.parametrize("name", few_of(router_plays()))
def test_a_settled_rollout_with_a_router_writes_nothing(name: str):
    """Argo Rollouts writes Mappings, ApisixRoutes, TraefikServices and VirtualNodes in every pass."""
    what, ended = scenario(name), played(name).trace[-1]["t"]
    done = play(f"{name}, watched", {**what, "do": [*what["do"], {"sleep": DELAYS + QUIET}]})
    late = [write for write in done.writes if write.t > ended + DELAYS]
    assert [(write.method, write.path, write.body) for write in late] == []


@pytest.mark.parametrize("name", few_of(plays()))
def test_what_matters_is_in_the_events_of_every_play(name: str):
    """Each abort, verdict, promotion and warning that the reference has an Event of; it drops those beyond 25 of an object."""
    ours, theirs = (
        {
            (line["of"], line["event"])
            for line in trace
            if "event" in line and never_dropped(*reversed(line["event"].split()))
        }
        for trace in (played(name).trace, reference(name))
    )
    told_elsewhere = {
        ("Rollout/web", f"Warning AnalysisRun{phase}") for phase in ("Pending", "Running", "Successful", "Failed")
    }
    assert theirs - ours <= (told_elsewhere if name.startswith("experiment-") else set())


def waited_for(trace: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Of each object the phases that users and GitOps tools wait for, in order; BETWEEN may lie between any two of them."""
    phases: dict[str, list[str]] = {}
    for line in trace:
        phase, past = line.get("status.phase"), phases.setdefault(str(line.get("object")), [])
        if phase not in (None, *BETWEEN) and phase not in past[-1:]:
            past.append(str(phase))
    return {name: past for name, past in phases.items() if past}


@pytest.mark.parametrize("name", few_of(plays()))
def test_fewer_writes_hide_no_phase_that_somebody_waits_for(name: str):
    assert waited_for(played(name).trace) == waited_for(reference(name))


def test_a_walk_writes_its_rollout_little_more_than_half_as_often():
    """Several steps of one pass are one write of the status."""
    ours, theirs = least_written(played("nginx-walk").trace), least_written(reference("nginx-walk"))
    assert ours["Rollout"] <= 0.6 * theirs["Rollout"]


def test_an_abort_with_a_delay_of_30_seconds_costs_at_most_8_writes():
    """The reference makes 2,879: it moves the canary Service to and fro until the delay is over."""
    writes = [write for write in abort_with_a_delay_of_30_seconds() if not write.is_event]
    assert len(writes) <= 8, writes


def test_the_rule_counts_each_version_of_what_the_controller_changes_and_nothing_else():
    trace = [
        {"t": 0, "object": "Rollout/web", "spec.replicas": 2},
        {"t": 1, "object": "ReplicaSet/web-a", "replicas": 2, "owner": "Rollout"},
        {"t": 1, "object": "ReplicaSet/other-b", "replicas": 2, "owner": "Deployment"},
        {"t": 2, "object": "ReplicaSet/web-a", "status.replicas": 2},
        {"t": 2, "object": "Pod/web-a-#0001", "ready": "True"},
        {"t": 3, "object": "Rollout/web", "status.phase": "Healthy"},
        {"t": 3, "event": "Normal RolloutUpdated", "of": "Rollout/web", "message": "x"},
        {"t": 3, "event": "Normal RolloutCompleted", "of": "Rollout/web", "message": "x"},
        {"t": 3, "event": "Warning Whatever", "of": "Rollout/web", "message": "x"},
        {"t": 3, "event": "Normal Promote", "of": "Rollout/web", "message": "Promote of revision 2 by me on vm"},
        {"t": 4, "object": "Ingress/web-web-canary", "class": "nginx"},
        {"t": 5, "object": "Service/web", "selector.app": "web"},
        {"t": 6, "object": "Service/web", "selector.app": "x", "flipped": 7},
        {"t": 7, "object": "Pod/web-a-#0001", "deleting": True},
        {"t": 8, "do": "apply AnalysisRun/mine Experiment/plain"},
        {"t": 8, "object": "AnalysisRun/mine", "labels.app": "web"},
        {"t": 8, "object": "Experiment/plain", "status.phase": "Pending"},
        {"t": 9, "object": "AnalysisRun/made", "labels.app": "web"},
        {"t": 9, "object": "ReplicaSet/plain-a", "replicas": 1, "owner": "Experiment"},
    ]
    assert least_written(trace) == {
        "ReplicaSet": 2,
        "Rollout": 1,
        "Event": 1,
        "Ingress": 1,
        "Service": 7,
        "Pod": 1,
        "AnalysisRun": 1,
        "Experiment": 1,
    }

"""The check reports a takeover's changes beyond its first pass, which often writes no more than a note."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api.rollout import Rollout
from serinus.engine.core.plan import Snapshot
from serinus.engine.explain.upgrade_check import takeover

Json = dict[str, Any]


def rollout(**spec: Any) -> Rollout:
    """A new one that has no pods yet."""
    made: Json = {
        "metadata": {"name": "web", "namespace": "a", "uid": "1", "generation": 1, "resourceVersion": "1"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "a"}]},
            },
            "strategy": {"canary": {}},
            **spec,
        },
    }
    return msgspec.convert(made, Rollout)


def test_pods_that_the_second_pass_would_make_are_told() -> None:
    """The first one only writes down that one pod is meant."""
    found = takeover(Snapshot(1_800_000_000.0, rollout()))
    assert found.writes[0].because == "spec.replicas is not set: one pod is meant"
    assert found.changes[0] == "pods"
    assert found.serving


def test_a_replicaset_that_would_be_made_is_told_though_no_pods_are_wanted() -> None:
    found = takeover(Snapshot(1_800_000_000.0, rollout(replicas=0)))
    assert [write.kind for write in found.writes if write.change == "pods"] == ["ReplicaSet"]

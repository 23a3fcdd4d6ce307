"""Serinus takes over the state of Argo Rollouts unchanged: no pod and no traffic changes where nothing was under way."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.api.network import Ingress, Service
from serinus.api.rollout import Rollout
from serinus.api.workloads import Pod, ReplicaSet
from serinus.engine.core.plan import Snapshot
from serinus.engine.explain.upgrade_check import takeover
from tests.support.plays.left_behind import Left, left_behind
from tests.support.plays.recordings import few_of, plays

Json = dict[str, Any]
NOW = 1_800_000_000.0
KINDS = ("basic-", "bluegreen-", "nginx-")


def owned(obj: Json) -> Json:
    """With identity, and with the owner reference that the name represents."""
    meta = {"namespace": "a", "uid": f"{obj['kind']}-{obj['metadata']['name']}", "generation": 1, **obj["metadata"]}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    owner = meta.pop("owner", "")
    if owner:
        kind = "ReplicaSet" if obj["kind"] == "Pod" else "Rollout"
        meta["ownerReferences"] = [{"kind": kind, "name": owner, "uid": f"{kind}-{owner}", "controller": True}]
    return {**obj, "metadata": meta}


def seen(left: Left) -> Snapshot:
    def typed(kind: str, type_: Any) -> list[Any]:
        return [msgspec.convert(owned(obj), type_) for obj in left.of(kind)]

    (rollout,) = typed("Rollout", Rollout)
    return Snapshot(
        NOW,
        rollout,
        tuple(typed("ReplicaSet", ReplicaSet)),
        tuple(typed("Pod", Pod)),
        {s.metadata.name: s for s in typed("Service", Service)},
        {i.metadata.name: i for i in typed("Ingress", Ingress)},
    )


WANTED = {
    "bluegreen-abort-retry": "the preview Service leads to a ReplicaSet without pods: it is led to the stable version",
    "bluegreen-deadline": "the same",
    "nginx-quick-revisions": "it acts in the very moment in which a Rollout becomes Healthy: writes are still under way",
    "nginx-pause-command": "one pod of two has 60 % of the requests: it gets a second one",
}
"""Plays in which Argo Rollouts left a state that we never leave (docs/differences.md), and the immediate fix."""


@pytest.mark.parametrize(
    "name", few_of([name for name in plays() if name.startswith(KINDS) and "analysis" not in name])
)
def test_a_takeover_changes_no_pod_and_no_traffic(name: str) -> None:
    """At any moment at which a user acted, and at the end: waiting updates keep waiting."""
    moments = [(left, takeover(seen(left))) for left in left_behind(name)]
    assert moments
    changing = [f"{left.about}: {found.writes}" for left, found in moments if found.serving]
    assert bool(changing) == (name in WANTED), changing
    for left, found in moments:
        assert bool(found.refused) == was_refused(left), (left.about, found.refused)


def was_refused(left: Left) -> bool:
    """By the reference."""
    (rollout,) = left.of("Rollout")
    return any(c["type"] == "InvalidSpec" for c in rollout["status"]["conditions"])

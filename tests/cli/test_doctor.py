"""`serinus doctor`: each failure names what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cli_cluster import Space, rollout

from serinus.api.resources import LEASES, NAMESPACES

NGINX: dict[str, Any] = {
    "strategy": {
        "canary": {
            "canaryService": "c",
            "stableService": "s",
            "trafficRouting": {"nginx": {"stableIngress": "front"}},
            "steps": [],
        }
    }
}


def lead(space: Space) -> None:
    """A controller that was seen a moment ago."""
    client = space.cluster.client
    names = [n["metadata"]["name"] for n in client.list(NAMESPACES)["items"]]
    if "argo-rollouts" not in names:
        client.create(NAMESPACES, "", {"metadata": {"name": "argo-rollouts"}})
    seen = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": "host_1", "renewTime": seen, "leaseDurationSeconds": 4}
    lease = {"metadata": {"name": "argo-rollouts-controller-lock"}, "spec": spec}
    client.create(LEASES, "argo-rollouts", lease)


def test_what_is_missing_comes_with_what_to_do(space: Space) -> None:
    space.put(rollout(spec=NGINX))
    result = space.run("doctor")
    assert result.code == 1
    assert "✔ Rollout: can be read (1 in namespace" in result.out
    assert "✖ controller: there is no Lease of one" in result.out
    assert "✖ Rollout web, Ingress front: is missing\n  Create the Ingress front" in result.out
    assert result.err == "Error: 2 checks failed\n"


def test_where_all_is_well_it_says_what_it_saw(space: Space) -> None:
    lead(space)
    try:
        result = space.run("doctor")
    finally:
        space.cluster.client.call("DELETE", LEASES.path("argo-rollouts", "argo-rollouts-controller-lock"))
    assert (result.code, result.err) == (0, "")
    assert "✔ controller: host_1 leads in namespace argo-rollouts, seen " in result.out

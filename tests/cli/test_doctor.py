"""`serinus doctor`: each failure names the action that fixes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from serinus.api.names import NOTIFICATION_NAMESPACES
from serinus.api.resources import LEASES, NAMESPACES, SECRETS
from serinus.api.values.times import format_time
from serinus.cli.cluster.leaders import leaders
from tests.support.cli.cli_cluster import Space, rollout

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


def lead(space: Space, **annotations: str) -> None:
    """A controller that renewed its lease a moment ago."""
    client = space.cluster.client
    names = [n["metadata"]["name"] for n in client.list(NAMESPACES)["items"]]
    if "argo-rollouts" not in names:
        client.create(NAMESPACES, "", {"metadata": {"name": "argo-rollouts"}})
    seen = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": "host_1", "renewTime": seen, "leaseDurationSeconds": 4}
    lease = {"metadata": {"name": "argo-rollouts-controller-lock", "annotations": annotations}, "spec": spec}
    client.create(LEASES, "argo-rollouts", lease)


def test_what_is_missing_comes_with_what_to_do(space: Space) -> None:
    for lease in space.cluster.client.list(LEASES)["items"]:
        space.cluster.client.call("DELETE", LEASES.path(lease["metadata"]["namespace"], lease["metadata"]["name"]))
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


def test_what_to_do_is_done_where_the_user_is(space: Space) -> None:
    result = space.run("doctor", "--kubeconfig", str(space.cluster.kubeconfig))
    assert f"serinus install | kubectl apply --kubeconfig {space.cluster.kubeconfig} --server-side -f -" in result.out


def test_a_router_that_is_not_there_is_named_in_place_of_its_objects(space: Space) -> None:
    space.put(rollout(spec={"strategy": {"canary": {"trafficRouting": {"plugins": {"a/b": {}}}}}}))
    out = space.run("doctor").out
    assert "this version of Serinus has no such router" in out
    assert "✖ Rollout web, trafficRouting.plugins.a/b" in out


@pytest.mark.parametrize(
    ("holder", "age", "words"),
    [
        ("serinus-up_12", 9e9, "part of the serinus up that serves this API (process 12)"),
        ("host_1", 5, "host_1 leads in namespace n, seen 5s ago"),
        ("host_1", 61, ""),
        ("", 5, ""),
    ],
)
def test_a_controller_is_known_by_its_lease(holder: str, age: float, words: str) -> None:
    """That of `serinus up` is one process with the API server, and need not renew it."""
    now = 1e10
    spec = {"holderIdentity": holder, "renewTime": format_time(now - age)}
    leases = [
        {"metadata": {"name": "argo-rollouts-controller-lock", "namespace": "n"}, "spec": spec},
        {"metadata": {"name": "somebody-else", "namespace": "n"}, "spec": {**spec, "holderIdentity": "other"}},
    ]
    assert [leader.told() for leader in leaders(leases, now)] == ([words] if words else [])


def test_a_destination_that_takes_no_notifications_is_named(space: Space) -> None:
    lead(space)
    made = space.put(rollout())
    for number, (reason, message) in enumerate(
        (
            ("NotificationFailed", "on-a was not sent to slack:gone: Slack answered: channel_not_found"),
            ("NotificationFailed", "on-a was not sent to slack:back: Slack answered: no"),
            ("NotificationSent", "on-a was sent to slack:back"),
        )
    ):
        about = {"kind": "Rollout", "name": "web", "namespace": space.name, "uid": made["metadata"]["uid"]}
        space.put(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"web.{number}"},
                "involvedObject": about,
                "reason": reason,
                "message": message,
                "lastTimestamp": f"2026-01-01T00:00:0{number}Z",
            }
        )
    try:
        result = space.run("doctor")
    finally:
        space.cluster.client.call("DELETE", LEASES.path("argo-rollouts", "argo-rollouts-controller-lock"))
    assert result.code == 1
    said = "✖ notifications to slack:gone: on-a was not sent: Slack answered: channel_not_found"
    assert said in result.out
    assert "slack:back" not in result.out


def template(provider: dict[str, Any]) -> dict[str, Any]:
    spec = {"metrics": [{"name": "errors", "provider": provider}]}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "rate"},
        "spec": spec,
    }


def test_a_metric_that_cannot_be_measured_is_found_before_a_release(space: Space) -> None:
    space.put(template({"datadog": {"query": "a", "formula": "b"}}))
    result = space.run("doctor")
    assert "✖ AnalysisTemplate rate, metric errors, provider.datadog: Formula are only valid when queries" in result.out


def test_a_secret_that_a_metric_needs_is_missing_until_it_is_created(space: Space) -> None:
    space.put(template({"newRelic": {"query": "SELECT 1", "profile": "relic-of-doctor"}}))
    said = "AnalysisTemplate rate, metric errors, Secret argo-rollouts/relic-of-doctor"
    assert f"✖ {said}: is missing" in space.run("doctor").out
    lead(space)
    try:
        space.cluster.client.create(SECRETS, "argo-rollouts", {"metadata": {"name": "relic-of-doctor"}})
        assert f"✔ {said}: is there" in space.run("doctor").out
    finally:
        space.cluster.client.call("DELETE", LEASES.path("argo-rollouts", "argo-rollouts-controller-lock"))


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        ("own", "it is not read: the controller reads that of namespace argo-rollouts only"),
        ("", "without --self-service-notification-enabled, the controller reads that of namespace argo-rollouts only"),
        ("all", ""),
    ],
)
def test_a_configuration_of_notifications_that_is_not_read_is_named(space: Space, reads: str, said: str) -> None:
    lead(space, **({NOTIFICATION_NAMESPACES: reads} if reads else {}))
    for name in ("argo-rollouts-notification-configmap", "argo-rollouts-notification-cm"):
        space.put(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name},
                "data": {"template.t": "message: m"},
            }
        )
    try:
        doctor, lint = space.run("doctor"), space.run("notifications", "lint")
    finally:
        space.cluster.client.call("DELETE", LEASES.path("argo-rollouts", "argo-rollouts-controller-lock"))
    assert (doctor.code, lint.code) == (0, 0)
    place = f"ConfigMap argo-rollouts-notification-configmap in namespace {space.name}: "
    if said:
        assert f"⚠ {place}{said}\n  Move its keys there, or start the controller with --self-service" in doctor.out
        assert f"warning: {place}{said}: Move its keys there" in lint.out
    else:
        assert place not in doctor.out + lint.out
    misnamed = f"ConfigMap argo-rollouts-notification-cm in namespace {space.name}: it is not read"
    assert f"⚠ {misnamed}\n  Name it argo-rollouts-notification-configmap." in doctor.out
    assert f"warning: {misnamed}" in lint.out

"""`doctor` and `why` of a Rollout whose Istio objects may be in another cluster: they name the cluster that was asked."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from serinus.api.resources import NAMESPACES, SECRETS
from serinus.kube.errors import ApiError
from serinus.kube.transport import Request, Response
from tests.support.cli.cli_cluster import Space, rollout
from tests.support.cli.own_command import invoke
from tests.support.cli.refusals import refuse

Json = dict[str, Any]
HOME = "argo-rollouts"
LABELS = {"istio.argoproj.io/primary-cluster": "true"}
GROUP = "/apis/networking.istio.io"
ROUTING: Json = {
    "strategy": {
        "canary": {
            "canaryService": "c",
            "stableService": "s",
            "trafficRouting": {"istio": {"virtualService": {"name": "front"}}},
            "steps": [{"pause": {}}],
        }
    }
}
PAUSED: Json = {
    "observedGeneration": "1",
    "phase": "Paused",
    "message": "CanaryPauseStep",
    "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}],
}
NOBODY = "https://127.0.0.1:1"
"""An address where nothing listens."""


@contextmanager
def secret(space: Space, server: str = "", data: Json | None = None) -> Generator[str]:
    """The labelled Secret with a kubeconfig for `server`; this API server by default. Yields its address."""
    client = space.cluster.client
    server = server or client.connection.server
    with suppress(ApiError):
        client.create(NAMESPACES, "", {"metadata": {"name": HOME}})
    config = {
        "current-context": "m",
        "contexts": [{"name": "m", "context": {"cluster": "m", "user": "m"}}],
        "clusters": [{"name": "m", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "m", "user": {"token": client.connection.token}}],
    }
    found = data or {"mesh": base64.b64encode(json.dumps(config).encode()).decode()}
    client.create(SECRETS, HOME, {"metadata": {"name": "mesh", "labels": LABELS}, "data": found})
    try:
        yield server
    finally:
        client.call("DELETE", SECRETS.path(HOME, "mesh"))


def put(space: Space) -> None:
    for name in ("s", "c"):
        spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
        space.put({"kind": "Service", "metadata": {"name": name}, "spec": spec})
    space.put(rollout(spec=ROUTING, status=PAUSED))


def served(request: Request) -> Response | None:
    """An API server with Istio's definitions and without a VirtualService."""
    if request.path == GROUP:
        return Response(200, json.dumps({"versions": [{"version": "v1"}]}).encode())
    if request.path == f"{GROUP}/v1":
        return Response(200, json.dumps({"resources": [{"name": "virtualservices"}]}).encode())
    if request.path.startswith(GROUP):
        return refuse(404, "NotFound", "not found")
    return None


def no_secrets(request: Request) -> Response | None:
    if request.path.endswith("/secrets"):
        return refuse(403, "Forbidden", "secrets is forbidden")
    return served(request)


def no_leases(request: Request) -> Response | None:
    if request.path.endswith("/leases"):
        return refuse(403, "Forbidden", "leases is forbidden")
    return served(request)


def no_right(request: Request) -> Response | None:
    if request.path.startswith(f"{GROUP}/v1/"):
        return refuse(403, "Forbidden", "virtualservices is forbidden")
    return served(request)


def test_doctor_looks_in_the_cluster_of_the_secret_and_names_it(space: Space) -> None:
    with secret(space) as server:
        assert "Secret" not in space.run("doctor").out, "no Rollout of the namespace uses Istio"
        put(space)
        space.cluster.before = served
        out = space.run("doctor").out
    there = f"the cluster {server} of Secret {HOME}/mesh"
    assert f"✔ Secret {HOME}/mesh: Istio's objects of web are in the cluster {server}\n" in out
    assert f"✖ Rollout web, VirtualService front: is missing in {there}\n" in out
    assert f"  Create the VirtualService front in {there}: no traffic can be divided without it.\n" in out


def test_doctor_names_the_cluster_that_has_no_definitions(space: Space) -> None:
    put(space)
    with secret(space) as server:
        out = space.run("doctor").out
    said = "the API server does not serve virtualservices.networking.istio.io"
    assert f"{said} in the cluster {server} of Secret {HOME}/mesh\n" in out


def test_doctor_does_not_call_missing_what_a_faulty_secret_hides(space: Space) -> None:
    put(space)
    with secret(space, data={"mesh": "!"}):
        out = space.run("doctor").out
    assert (
        f"✖ Secret {HOME}/mesh: no cluster for Istio's objects: Secret {HOME}/mesh: data.mesh is no base64\n"
        "  Correct the Secret. Until then no traffic of web is divided."
    ) in out
    assert "VirtualService" not in out


def test_doctor_does_not_call_missing_what_a_cluster_that_is_away_has(space: Space) -> None:
    put(space)
    with secret(space, NOBODY):
        out = space.run("doctor").out
    assert f"✖ Rollout web, VirtualService front: cannot be read in the cluster {NOBODY} of Secret {HOME}/mesh: " in out
    assert "Open the way to this cluster." in out
    assert "does not serve" not in out.partition("VirtualService front")[2]


def test_doctor_names_the_right_that_is_missing_in_the_other_cluster(space: Space) -> None:
    put(space)
    with secret(space) as server:
        space.cluster.before = no_right
        out = space.run("doctor").out
    where = f"cannot be read in the cluster {server} of Secret {HOME}/mesh: virtualservices is forbidden"
    assert where in out
    assert (
        f"Grant the user of Secret {HOME}/mesh the right to read VirtualService objects in namespace {space.name}."
        in out
    )


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (no_secrets, "and Secrets cannot be listed: secrets is forbidden"),
        (no_leases, "and Leases, which name that namespace, cannot be listed"),
    ],
)
def test_who_may_not_see_whether_there_is_such_a_secret_reads_that_another_cluster_is_possible(
    space: Space, before: Any, why: str
) -> None:
    put(space)
    space.cluster.before = before
    server = space.cluster.client.connection.server
    out = space.run("doctor").out
    assert f"⚠ Istio's objects of web: looked up in this cluster, {server}; a Secret of " in out
    assert why in out
    assert f"✖ Rollout web, VirtualService front: is missing in this cluster, {server}\n" not in out
    assert f"⚠ Rollout web, VirtualService front: is missing in this cluster, {server}\n" in out
    result = space.run("why", "web")
    assert f"VirtualService front is not in this cluster, {server}; a Secret of " in result.err
    assert why in result.err
    assert "InvalidSpec" not in result.out
    assert "Rule:      PauseStep" in result.out


def test_why_looks_in_the_cluster_of_the_secret_and_names_it(space: Space) -> None:
    put(space)
    with secret(space) as server:
        space.cluster.before = served
        result = space.run("why", "web")
        found = json.loads(space.run("why", "web", "-o", "json").out)
    where = f"Istio's objects in the cluster {server} of Secret {HOME}/mesh"
    assert 'virtualservices.networking.istio.io "front" not found' in result.out
    assert f"Asked:     {where}\n" in result.out
    assert found["asked"] == where


@pytest.mark.parametrize(
    ("server", "data", "words"),
    [
        ("", {"mesh": "!"}, f"no cluster for Istio's objects: Secret {HOME}/mesh: data.mesh is no base64"),
        (NOBODY, None, f"the cluster {NOBODY} of Secret {HOME}/mesh does not let Istio's objects be read: "),
    ],
)
def test_why_does_not_call_missing_what_it_could_not_ask_for(
    space: Space, server: str, data: Json | None, words: str
) -> None:
    put(space)
    with secret(space, server, data):
        result = space.run("why", "web")
    assert result.code == 0
    assert f"This is what the status alone tells: {words}" in result.err
    assert "InvalidSpec" not in result.out
    assert "Rule:      PauseStep" in result.out


def test_without_a_secret_no_cluster_is_named(space: Space) -> None:
    put(space)
    space.cluster.before = served
    assert "✖ Rollout web, VirtualService front: is missing\n" in space.run("doctor").out
    assert "Asked:" not in space.run("why", "web").out


@pytest.mark.parametrize("listed", [True, False])
def test_the_upgrade_check_does_not_vouch_for_a_cluster_that_it_may_not_know(space: Space, listed: bool) -> None:
    put(space)
    refused = refuse(403, "Forbidden", "secrets is forbidden")
    space.cluster.before = lambda request: refused if not listed and request.path.endswith("/secrets") else None
    flags = ["--check", "--namespaced", "-n", space.name, "--kubeconfig", str(space.cluster.kubeconfig), "-o", "json"]
    found = json.loads(invoke("upgrade", *flags).output)
    said = f"whether Istio's objects are in another cluster: Secrets of namespace {space.name} cannot be listed: "
    assert any(what.startswith(said) for what in found["unknown"]) is not listed

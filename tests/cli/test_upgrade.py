"""`serinus upgrade --check` reports the changes of a takeover before it happens; it writes nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from serinus.api.resources import CRDS, LEASES
from serinus.api.schema.crds import crds
from serinus.kube.transport import Request, Response
from tests.support.cli.cli_cluster import Cluster, Space, rollout
from tests.support.cli.own_command import Done, invoke

Json = dict[str, Any]


@pytest.fixture
def writes(cluster: Cluster) -> Iterator[list[str]]:
    """The write requests that the check sent."""
    found: list[str] = []

    def look(request: Request) -> Response | None:
        if request.method != "GET" and "serinus-upgrade" in request.headers.get("user-agent", ""):
            found.append(request.path)
        return None

    cluster.before = look
    yield found
    assert found == []


def check(space: Space, *arguments: str) -> Done:
    """For a controller of the test's namespace: other tests leave Rollouts in others."""
    flags = ["--check", "--namespaced", "-n", space.name, "--kubeconfig", str(space.cluster.kubeconfig)]
    return invoke("upgrade", *flags, *arguments)


def as_json(space: Space) -> Json:
    return json.loads(check(space, "-o", "json").output)


def lead(space: Space, namespace: str, name: str = "argo-rollouts-controller-lock") -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": "host_1", "renewTime": now, "leaseDurationSeconds": 15}
    space.cluster.client.create(LEASES, namespace, {"metadata": {"name": name}, "spec": spec})


@contextmanager
def definitions(cluster: Cluster, there: list[Json]) -> Generator[None]:
    """The API server answers with these CustomResourceDefinitions."""
    before = cluster.before

    def answer(request: Request) -> Response | None:
        if request.path == CRDS.path():
            body = {"kind": "CustomResourceDefinitionList", "apiVersion": "v1", "metadata": {}, "items": there}
            return Response(200, json.dumps(body).encode())
        return before(request)

    cluster.before = answer
    try:
        yield
    finally:
        cluster.before = before


def test_without_rollouts_nothing_would_change(space: Space, writes: list[str]) -> None:
    with definitions(space.cluster, crds()):
        done = check(space)
    assert done.exit_code == 0, done.output
    assert done.output == (
        "Definitions: have all that version 0.1.0 knows\n"
        "Controller:  no Lease of one is held here\n\n"
        "0 Rollouts: pods or traffic of 0 would change\n"
    )


def test_a_rollout_that_would_get_pods_is_told_with_why(space: Space, writes: list[str]) -> None:
    space.put(rollout(status={"phase": "", "currentPodHash": "", "stableRS": "", "currentStepIndex": None}))
    with definitions(space.cluster, crds()):
        done = check(space)
        found = as_json(space)
    assert done.exit_code == 1
    assert f"{space.name}/web: pods, " in done.output
    assert "create ReplicaSet web-" in done.output
    assert "1 Rollout: pods or traffic of 1 would change" in done.output
    (one,) = found["rollouts"]
    assert (found["safe"], one["name"], one["changes"][0]) == (False, "web", "pods")
    assert {"verb", "kind", "name", "change", "because"} == set(one["writes"][0])


def test_a_rollout_that_would_no_longer_be_led_is_told_with_why(space: Space, writes: list[str]) -> None:
    """One that is refused already is as well off as before."""
    then = {"lastUpdateTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    invalid = {"type": "InvalidSpec", "status": "True", "reason": "InvalidSpec", "message": "old", **then}
    wrong: Json = {"strategy": {"canary": {"steps": [{"setWeight": 200}]}}}
    space.put(rollout("known", spec=wrong, status={"conditions": [invalid]}))
    with definitions(space.cluster, crds()):
        assert check(space).exit_code == 0
        space.put(rollout("lost", spec=wrong))
        done = check(space)
    assert done.exit_code == 1
    assert f"{space.name}/known: status\n  would not be led: " in done.output
    assert f'{space.name}/lost: status\n  would no longer be led: The Rollout "lost" is invalid: ' in done.output


def test_definitions_that_would_drop_a_field_are_told_with_what_to_do(space: Space, writes: list[str]) -> None:
    old = copy.deepcopy(crds())
    schema = next(c for c in old if c["metadata"]["name"] == "rollouts.argoproj.io")["spec"]["versions"][0]["schema"]
    del schema["openAPIV3Schema"]["properties"]["spec"]["properties"]["strategy"]["properties"]["canary"]["properties"][
        "dynamicStableScale"
    ]
    with definitions(space.cluster, [c for c in old if c["metadata"]["name"] != "experiments.argoproj.io"]):
        done = check(space)
        found = as_json(space)
    assert done.exit_code == 1
    assert "Definitions: rollouts.argoproj.io lacks spec.strategy.canary.dynamicStableScale\n" in done.output
    assert "Definitions: experiments.argoproj.io is not there\n" in done.output
    assert (
        f"first: serinus install --only-crds | kubectl apply --kubeconfig {space.cluster.kubeconfig} --server-side"
        in done.output
    )
    assert found["lacking"]["experiments.argoproj.io"] == ["*"]


def test_the_controller_that_leads_is_named_and_one_that_stays_is_a_rival(space: Space, writes: list[str]) -> None:
    """An Argo Rollouts in the same namespace is replaced by the installation; one elsewhere would continue beside it."""
    lead(space, space.name, "argo-rollouts-controller-lock-check")
    flags = ["--check", "--kubeconfig", str(space.cluster.kubeconfig), "--instance-id", "check"]
    with definitions(space.cluster, crds()):
        same = invoke("upgrade", *flags, "-n", space.name)
        other = invoke("upgrade", *flags, "-n", "elsewhere")
    assert same.exit_code == 0, same.output
    assert f"host_1 leads in namespace {space.name}, seen " in same.output
    assert other.exit_code == 1
    assert "stop it first: both would act on the same Rollouts" in other.output


def test_without_the_right_to_read_it_says_which_is_missing(space: Space) -> None:
    def forbid(request: Request) -> Response | None:
        if "/pods" not in request.path:
            return None
        body = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "pods is forbidden: ask somebody"}
        return Response(403, json.dumps(body).encode())

    space.cluster.before = forbid
    with definitions(space.cluster, crds()):
        done = check(space)
    assert done.exit_code == 1
    assert "Error: pods is forbidden: ask somebody\nThe check needs to read what the controller reads" in done.output


def test_without_check_it_says_how_an_upgrade_is_done() -> None:
    done = invoke("upgrade")
    assert done.exit_code == 2
    assert "serinus install | kubectl apply" in done.output

"""Istio's objects in the cluster of a labelled Secret: they are read and written there, and nothing of Istio here."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from serinus.api.resources import CRDS, NAMESPACES, SECRETS
from serinus.controller.istio_cluster import IstioClusterHandler
from serinus.kube.client import Client
from serinus.kube.configuration.config import Connection
from serinus.kube.errors import ApiError, Unavailable
from serinus.kube.transport import Handler, Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.controller.router_scene import SPACE, Scene, healthy, says, weight
from tests.support.kube.loop_clock import LoopClock
from tests.support.plays.kubectl import Kubectl
from tests.support.plays.player import in_virtual_time
from tests.support.plays.stage import Stage, definitions, resource_of

Json = dict[str, Any]
HOME = "argo-rollouts"
LABELS = {"istio.argoproj.io/primary-cluster": "true"}
ISTIO = ("VirtualService", "DestinationRule")
CONFIG: Json = {
    "current-context": "mesh",
    "contexts": [{"name": "mesh", "context": {"cluster": "mesh", "user": "serinus"}}],
    "clusters": [{"name": "mesh", "cluster": {"server": "https://mesh.test:6443"}}],
    "users": [{"name": "serinus", "user": {"token": "t"}}],
}


def secret(config: Any = None, name: str = "mesh", **data: str) -> Json:
    text = json.dumps(CONFIG if config is None else config)
    found = data or {"mesh": base64.b64encode(text.encode()).decode()}
    return {"metadata": {"name": name, "labels": LABELS}, "data": found}


class Two:
    """The cluster of the Rollout (`stage`), and another one with Istio's definitions (`mesh`)."""

    def __init__(self, directory: Path) -> None:
        self.stage = Stage(directory)
        self.stage.through = lambda own: IstioClusterHandler(own, HOME, self.connect)
        self.api = ApiServer(MemoryStore(), Schemas(), LoopClock(), rng=Random(8))
        self.mesh = Client(self.api.handle)
        self.connected: list[Connection] = []
        self.away = False
        crds = [crd for crd in definitions() if crd["spec"]["group"] == "networking.istio.io"]
        self.crds = crds
        self.kubectl = Kubectl(self.mesh, SPACE, [resource_of(crd) for crd in crds])
        self.there = Scene(self.stage, "istio-subsets")

    def connect(self, connection: Connection) -> Handler:
        self.connected.append(connection)
        return self.asked

    async def asked(self, request: Request) -> Response:
        if self.away:
            raise Unavailable(0, "", "mesh.test does not answer")
        return await self.api.handle(request)

    async def begin(self, *secrets: Json) -> None:
        await self.api.start()
        for crd in self.crds:
            await self.mesh.create(CRDS, crd)
        await self.mesh.create(NAMESPACES, {"metadata": {"name": SPACE}})
        await self.stage.client.create(NAMESPACES, {"metadata": {"name": HOME}})
        for each in secrets:
            await self.stage.client.create(SECRETS, each, HOME)
        await self.kubectl.apply([each for each in self.there.objects if each["kind"] in ISTIO])
        await self.there.apply(*ISTIO)

    async def weights(self) -> list[int]:
        """Of the VirtualService's destinations, (canary, stable) in its order."""
        kind = next(resource_of(crd) for crd in self.crds if crd["spec"]["names"]["kind"] == "VirtualService")
        found: Json = await self.mesh.get(kind, "web", SPACE)
        return [each.get("weight", 0) for each in found["spec"]["http"][0]["route"]]


def played(directory: Path, scene: Callable[[Two], Awaitable[None]]) -> None:
    async def whole() -> None:
        two = Two(directory)
        async with two.stage.running():
            try:
                await scene(two)
            finally:
                two.api.close()

    in_virtual_time(whole())


def test_a_canary_writes_its_weights_in_the_other_cluster(tmp_path: Path) -> None:
    async def scene(two: Two) -> None:
        await two.begin(secret())
        await two.there.until(healthy)
        assert [c.server for c in two.connected] == ["https://mesh.test:6443"]
        green = {"containers": [{"name": "web", "image": "argoproj/rollouts-demo:green"}]}
        await two.there.kubectl.patch("Rollout/web", {"spec": {"template": {"spec": green}}})
        await two.there.until(lambda status: weight(status) == 20)
        assert sorted(await two.weights()) == [20, 80]
        assert not [w for w in two.stage.writes if "istio" in w.path], "nothing of Istio is written in the own cluster"

    played(tmp_path, scene)


def test_without_a_secret_the_own_cluster_is_asked(tmp_path: Path) -> None:
    async def scene(two: Two) -> None:
        await two.begin()
        await two.there.until(says("the API server does not serve virtualservices.networking.istio.io"))
        assert two.connected == []

    played(tmp_path, scene)


FILES = {**CONFIG, "users": [{"name": "serinus", "user": {"tokenFile": "/etc/passwd"}}]}
PROGRAM = {**CONFIG, "users": [{"name": "serinus", "user": {"exec": {"command": "sh"}}}]}


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        ([secret(mesh="!")], f"Secret {HOME}/mesh: data.mesh is no base64"),
        ([secret([1])], f"Secret {HOME}/mesh is no kubeconfig: a mapping was expected, found a list"),
        ([secret({})], ""),
        ([secret(a="", b="")], "must have one key, the kubeconfig, and has 2"),
        ([secret(), secret(name="other")], "have the label istio.argoproj.io/primary-cluster=true (mesh, other): leave it on one"),
        ([secret(FILES)], "users[serinus].user.tokenFile names a file or program, which a Secret may not do"),
        ([secret(PROGRAM)], "users[serinus].user.exec names a file or program, which a Secret may not do"),
    ],
    ids=["base64", "kubeconfig", "empty", "keys", "secrets", "file", "program"],
)  # fmt: skip
def test_a_secret_that_gives_no_connection_is_in_the_status_of_the_rollout(
    secrets: list[Json], words: str, tmp_path: Path
) -> None:
    async def scene(two: Two) -> None:
        await two.begin(*secrets)
        status = await two.there.until(says("no cluster for Istio's objects: "))
        (message,) = (c["message"] for c in status["conditions"] if c["type"] == "InvalidSpec")
        assert words in message
        assert two.connected == []
        await two.stage.client.delete(SECRETS, secrets[0]["metadata"]["name"], HOME)
        for each in secrets[1:]:
            await two.stage.client.delete(SECRETS, each["metadata"]["name"], HOME)
        await two.stage.client.create(SECRETS, secret(name="good"), HOME)
        await two.there.until(healthy)

    played(tmp_path, scene)


def test_a_cluster_that_does_not_answer_is_in_the_status_and_recovers(tmp_path: Path) -> None:
    async def scene(two: Two) -> None:
        two.away = True
        await two.begin(secret())
        why = f"the cluster of Secret {HOME}/mesh for Istio's objects does not let them be read: mesh.test does not answer"
        await two.there.until(says(why))
        two.away = False
        await two.there.until(healthy)

    played(tmp_path, scene)


async def test_a_right_that_is_missing_there_is_named_with_the_rights_that_are_needed() -> None:
    async def refuses(request: Request) -> Response:
        return Response(403, b'{"reason":"Forbidden","code":403,"message":"User \\"x\\" cannot list virtualservices"}')

    async def own(request: Request) -> Response:
        return Response(200, json.dumps({"metadata": {}, "items": [secret()]}).encode())

    client = Client(IstioClusterHandler(own, HOME, lambda _: refuses))
    with pytest.raises(ApiError) as found:
        await client.raw("GET", "/apis/networking.istio.io/v1/virtualservices")
    assert str(found.value) == (
        f'the cluster of Secret {HOME}/mesh for Istio\'s objects does not let them be read: User "x" cannot list virtualservices: '
        "grant its user get, list, watch and patch of virtualservices and destinationrules"
    )
    assert found.value.code == 421


async def test_secrets_that_may_not_be_listed_count_as_none() -> None:
    async def own(request: Request) -> Response:
        return Response(403 if request.path.endswith("/secrets") else 200, b"{}")

    answer = await Client(IstioClusterHandler(own, HOME, lambda _: own)).raw(
        "GET", "/apis/networking.istio.io/v1/virtualservices"
    )
    assert answer.status == 200

"""The page of a Rollout queries the same as `serinus why`: no more often than needed, and a forbidden object is never called missing."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from serinus.api.resources import LEASES, NAMESPACES, ROLLOUTS, SECRETS, SERVICES
from serinus.dashboard.explanations import LOOK_SECONDS, STALE_SECONDS, Reasons
from serinus.engine.core import wait_reasons
from serinus.kube.client import Client
from serinus.kube.transport import Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import put_revisions
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)

Json = dict[str, Any]
WEB = ("default", "web")


class Watched:
    """An API server with a paused Rollout; `looks`: the number of its reads."""

    def __init__(self) -> None:
        self.looks, self.refused = 0, ""
        self.again: list[tuple[str, str]] = []
        self._api = ApiServer(MemoryStore(), Schemas(), LoopClock(), rng=random.Random(1))
        self.client = Client(self._api.handle, user_agent="test")
        self.reasons = Reasons(Client(self._handle), LoopClock(), self.again.append)

    async def start(self) -> Watched:
        await self._api.start()
        await put_revisions(self.client, scenes.rollout())
        return self

    async def code(self, mark: str) -> str:
        """Of the first reason; empty where there is no answer."""
        why = await self.reasons.of(WEB, mark)
        return why.reasons[0].code if why else ""

    async def _handle(self, request: Request) -> Response:
        self.looks += request.path.endswith("/rollouts/web")
        if self.refused and request.path.endswith(self.refused):
            return Response(403, b"{}")
        return await self._api.handle(request)


async def test_the_same_rollout_is_looked_at_once_however_many_pages_ask() -> None:
    web = await Watched().start()
    codes = [await web.code("1") for _ in range(5)]
    assert (set(codes), web.looks) == ({wait_reasons.PAUSE_STEP.code}, 1)


async def test_many_changes_are_looked_at_no_more_often_than_a_person_reads() -> None:
    web = await Watched().start()
    codes = [await web.code(str(mark)) for mark in range(20)]
    assert (codes[0], set(codes[1:]), web.looks) == (wait_reasons.PAUSE_STEP.code, {""}, 1)
    await asyncio.sleep(LOOK_SECONDS)  # virtual
    assert web.again == [WEB], "the page is made once more when it may look again"
    assert (await web.code("20"), web.looks) == (wait_reasons.PAUSE_STEP.code, 2)


async def test_what_no_watch_tells_of_is_seen_in_the_end() -> None:
    web = await Watched().start()
    assert await web.code("1") == wait_reasons.PAUSE_STEP.code
    await web.client.delete(SERVICES, "web", "default")
    assert await web.code("1") == wait_reasons.PAUSE_STEP.code
    await asyncio.sleep(STALE_SECONDS)  # virtual
    assert await web.code("1") == wait_reasons.INVALID.code


@pytest.mark.parametrize("path", ["/services/web", "/ingresses/web", "/replicasets", "/pods"])
async def test_what_may_not_be_seen_is_not_called_missing(path: str) -> None:
    web = await Watched().start()
    web.refused = path
    assert await web.code("1") == ""


async def test_analyses_that_nobody_asked_for_need_not_be_seen() -> None:
    web = await Watched().start()
    web.refused = "/analysisruns"
    assert await web.code("1") == wait_reasons.PAUSE_STEP.code


async def test_a_rollout_that_is_gone_has_no_reasons() -> None:
    web = await Watched().start()
    await web.client.delete(ROLLOUTS, "web", "default")
    assert await web.code("1") == ""


ISTIO: Json = {"istio": {"virtualService": {"name": "web", "routes": ["primary"]}}}
MESH: Json = {"metadata": {"name": "mesh", "labels": {"istio.argoproj.io/primary-cluster": "true"}}, "data": {}}


async def with_istio(*secrets: tuple[Json, str]) -> Watched:
    """A Rollout with Istio, whose objects are not in this cluster. The controller leads in `argo-rollouts`."""
    web = Watched()
    await web.start()
    canary = {"trafficRouting": {"nginx": None, **ISTIO}}
    await web.client.patch(ROLLOUTS, "web", {"spec": {"strategy": {"canary": canary}}}, "default")
    for name in ("argo-rollouts", "elsewhere"):
        await web.client.create(NAMESPACES, {"metadata": {"name": name}})
    lease = {"metadata": {"name": "argo-rollouts-controller-lock"}, "spec": {}}
    await web.client.create(LEASES, lease, "argo-rollouts")
    for secret, namespace in secrets:
        await web.client.create(SECRETS, secret, namespace)
    return web


async def test_objects_in_the_cluster_of_a_secret_are_not_called_missing() -> None:
    web = await with_istio((MESH, "argo-rollouts"))
    why = await web.reasons.of(WEB, "1")
    assert why is not None
    assert [reason.code for reason in why.reasons] == [wait_reasons.PAUSE_STEP.code], "as the status says"
    assert why.unread == (
        "Istio's objects are in the cluster that Secret argo-rollouts/mesh names, which the dashboard does not read; "
        "the reasons above are those that the controller reported"
    )


async def test_without_such_a_secret_they_are_missing() -> None:
    web = await with_istio((MESH, "elsewhere"))
    why = await web.reasons.of(WEB, "1")
    assert why is not None
    assert ([reason.code for reason in why.reasons], why.unread) == ([wait_reasons.WAITING_FOR_REFERENCE.code], "")


async def test_a_user_who_may_not_list_secrets_is_told_that_they_may_be_elsewhere() -> None:
    web = await with_istio((MESH, "argo-rollouts"))
    web.refused = "/secrets"
    why = await web.reasons.of(WEB, "1")
    assert why is not None
    assert [reason.code for reason in why.reasons] == [wait_reasons.PAUSE_STEP.code]
    assert why.unread.startswith("VirtualService web is not in this cluster. A Secret with the label ")
    assert "may name another cluster, and your rights do not allow to list Secrets" in why.unread

"""An API server with faults: the process stays up, reports the affected objects, writes nothing twice, and recovers automatically."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from serinus.kube.errors import Unavailable
from serinus.kube.transport import Request, Response
from tests.support.controller.canary_scene import begin, rollout, settled_on
from tests.support.controller.trouble import MINUTES, Answer, Trouble, events, status

pytestmark = pytest.mark.looptime(start=0)


async def away(request: Request) -> Response | None:
    raise Unavailable(0, "", "connection refused")


async def overloaded(request: Request) -> Response | None:
    return status(429, "TooManyRequests", "please try again later", **{"retry-after": "3"})


async def broken(request: Request) -> Response | None:
    return status(500, "InternalError", "etcdserver: request timed out")


async def garbage(request: Request) -> Response | None:
    return Response(200, b"<html>this is the captive portal</html>", "text/html")


async def slow(request: Request) -> Response | None:
    await asyncio.sleep(20)
    return None


@pytest.mark.parametrize("trouble", [away, overloaded, broken, garbage, slow])
async def test_trouble_in_mid_canary_delays_it_and_nothing_else(play: Any, trouble: Answer) -> None:
    await begin(play)
    api = Trouble(play.store)
    controller, task = play.controller(api, plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    await play.store.put("rollouts", rollout("green"))
    await asyncio.sleep(2)
    api.answer = trouble
    controller.cache.rollouts.relist()  # a watch that is open would not notice at all
    await asyncio.sleep(10 * MINUTES)
    assert not task.done(), "the process stays"
    api.answer = None
    await play.until(lambda: settled_on(play, "green"), seconds=10 * MINUTES)
    made = [n for place, n in play.store.created.items() if place[0] in ("replicasets", "ingresses")]
    assert made == [1] * len(made), "nothing is made twice"


def green(**container: Any) -> Any:
    made = rollout("green")
    made["spec"]["template"]["spec"]["containers"][0] |= container
    return made


async def test_a_version_is_made_once_while_its_kind_cannot_be_watched(play: Any) -> None:
    """Found by the simulation (1211593): after five checks at the API, the cache without the ReplicaSet was trusted."""
    await begin(play)
    api = Trouble(play.store)
    controller, _ = play.controller(api, plan=None)
    await play.until(lambda: settled_on(play, "blue"))

    async def unwatched(request: Request) -> Response | None:
        return await overloaded(request) if request.path == "/apis/apps/v1/replicasets" else None

    api.answer = unwatched
    controller.cache.replica_sets.relist()
    await play.store.put("rollouts", green())
    await asyncio.sleep(1)
    made = play.store.created.copy()
    await play.store.put("rollouts", green(terminationMessagePath="/dev/termination-log"))  # the default: another hash
    await asyncio.sleep(5 * MINUTES)
    assert play.store.created == made
    assert sum(place[0] == "replicasets" for place in made) == 2
    api.answer = None
    await play.until(lambda: settled_on(play, "green"), seconds=10 * MINUTES)


def served(item: Any) -> Answer:
    """Istio's API group with one DestinationRule."""
    group = "/apis/networking.istio.io"
    answers: dict[str, Any] = {
        group: {"versions": [{"version": "v1"}]},
        f"{group}/v1": {"resources": [{"name": "destinationrules"}]},
        f"{group}/v1/destinationrules": {"metadata": {"resourceVersion": "1"}, "items": [item]},
    }

    async def answer(request: Request) -> Response | None:
        found = answers.get(request.path)
        return None if found is None else Response(200, json.dumps(found).encode())

    return answer


ODD: dict[str, Any] = {"metadata": {"name": "odd", "namespace": "a", "annotations": ["of a list"]}}


@pytest.mark.parametrize(
    "trouble", [away, overloaded, broken, garbage, served(ODD), served({}), served(None)], ids=lambda one: one.__name__
)
async def test_router_objects_that_cannot_be_read_at_the_start_keep_no_controller_from_its_work(
    play: Any, trouble: Answer
) -> None:
    await begin(play)
    api = Trouble(play.store)

    async def of_routers(request: Request) -> Response | None:
        return await trouble(request) if "networking.istio.io" in request.path else None

    api.answer = of_routers
    _, task = play.controller(api, plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    await asyncio.sleep(MINUTES)
    assert not task.done()


@pytest.mark.parametrize("trouble", [away, overloaded, broken])
async def test_an_api_in_trouble_is_asked_less_and_less_often(play: Any, trouble: Answer) -> None:
    await begin(play)
    api = Trouble(play.store)
    controller, _ = play.controller(api, plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    asked = 0

    async def counted(request: Request) -> Response | None:
        nonlocal asked
        asked += 1
        return await trouble(request)

    api.answer = counted
    for informer in controller.cache.informers():
        informer.relist()
    await play.store.put("rollouts", rollout("green"))
    await asyncio.sleep(60 * MINUTES)
    assert asked < 2500, "in an hour, by seven watches and the Rollout itself"
    assert controller.not_ready() != ""


def refusing(verb: str, part: str, code: int, reason: str, message: str) -> Answer:
    async def refused(request: Request) -> Response | None:
        return status(code, reason, message) if request.method == verb and part in request.path else None

    return refused


FORBIDDEN = 'services "web-canary" is forbidden: User "serinus" cannot patch resource "services" in the namespace "a"'
DENIED = 'admission webhook "images.example.com" denied the request: demo:green is not signed'


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (refusing("PATCH", "/namespaces/a/services/", 403, "Forbidden", FORBIDDEN), FORBIDDEN),
        (refusing("POST", "/namespaces/a/replicasets", 403, "Forbidden", DENIED), DENIED),
        (refusing("PATCH", "/namespaces/a/ingresses/", 422, "Invalid", DENIED), DENIED),
    ],
)
async def test_a_refused_write_is_told_where_people_look_and_others_go_on(
    play: Any, trouble: Answer, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing right, and webhooks that deny."""
    await begin(play)
    api = Trouble(play.store)
    play.controller(api, plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    api.answer = trouble
    await play.store.put("rollouts", rollout("green"))
    other = rollout("blue")
    other["metadata"] = {"name": "other", "namespace": "b"}
    other["spec"]["strategy"] = {"canary": {}}
    await play.store.put("rollouts", other)
    await play.until(lambda: any(said in line for line in events(play, "web")))
    place = ("rollouts", "b", "other")
    await play.until(lambda: play.store.objects[place].get("status", {}).get("phase") == "Healthy")
    await asyncio.sleep(30 * MINUTES)
    assert len([line for line in events(play, "web") if said in line]) <= 2, "said once, not again and again"
    warnings = [r for r in caplog.records if r.levelno >= logging.WARNING and said in r.message]
    assert len(warnings) <= 2, "nor in the log"
    assert not settled_on(play, "green")
    api.answer = None
    await play.until(lambda: settled_on(play, "green"), seconds=5 * MINUTES)


@pytest.mark.parametrize(
    "missing",
    [status(404, "NotFound", "the server could not find the requested resource"), status(403, "Forbidden", "no")],
)
async def test_without_its_definitions_or_the_right_to_read_it_waits_and_says_so(play: Any, missing: Response) -> None:
    await begin(play)
    api = Trouble(play.store)

    async def absent(request: Request) -> Response | None:
        return missing if "/rollouts" in request.path else None

    api.answer = absent
    controller, task = play.controller(api, plan=None)
    await asyncio.sleep(10 * MINUTES)
    assert not task.done()
    assert controller.not_ready().startswith("rollouts: ")
    api.answer = None
    await play.until(lambda: settled_on(play, "blue"), seconds=5 * MINUTES)
    assert controller.not_ready() == ""

"""The AWS load balancer controller's annotations."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from serinus.api.network import Ingress
from serinus.api.rollout import HeaderRoutingMatch, SetHeaderRoute, StringMatch
from serinus.routing.router import Traffic
from tests.sim.generate import generate
from tests.sim.history import NAME
from tests.sim.routers import CANARY, HEADER_ROUTE, MODELS, RouterModel, with_header_routes, with_router
from tests.sim.run import run
from tests.support.long import few
from tests.support.plays.player import played
from tests.support.plays.recordings import reference
from tests.support.routing.plain import Cluster, invalid, rollout, texts

Json = dict[str, Any]
PREFIX = "alb.ingress.kubernetes.io"
ROOT = f"{PREFIX}/actions.web"
OWNERS = "rollouts.argoproj.io/managed-alb-annotations"
PATH = "spec.strategy.canary.trafficRouting.alb"


def path(service: str, at: str = "/*", **port: Any) -> Json:
    backend = {"service": {"name": service, "port": port or {"name": "use-annotation"}}}
    return {"path": at, "pathType": "ImplementationSpecific", "backend": backend}


def ingress(*paths: Json, name: str = "front", rules: list[Json] | None = None, **notes: str) -> Json:
    """An Ingress; `notes`: annotations by their short names."""
    given = {OWNERS if key == "owners" else f"{PREFIX}/{key.replace('__', '.')}": text for key, text in notes.items()}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "annotations": {"team": "shop", **given}},
        "spec": {"ingressClassName": "alb", "rules": rules or [{"host": "a", "http": {"paths": list(paths)}}]},
    }


def alb(**config: Any) -> Json:
    return {"alb": {"ingress": "front", "servicePort": 80, **config}}


def cluster(*objects: Json, **config: Any) -> Cluster:
    return Cluster(rollout(alb(**config)), *objects)


def notes(there: Cluster, name: str = "front") -> Json:
    """The annotations but the user's own, which must have stayed."""
    found = dict(there.get("Ingress", name)["metadata"]["annotations"])
    assert found.pop("team") == "shop"
    return found


def groups(action: str) -> Json:
    return {g["ServiceName"]: g["Weight"] for g in json.loads(action)["ForwardConfig"]["TargetGroups"]}


def header(name: str, *values: tuple[str, str]) -> SetHeaderRoute:
    return SetHeaderRoute(name, [HeaderRoutingMatch(key, StringMatch(exact=value)) for key, value in values])


def services(there: Cluster, rule: int = 0) -> list[str]:
    """The targets of a rule's paths, in order."""
    rules = there.get("Ingress", "front")["spec"]["rules"]
    return [each["backend"]["service"]["name"] for each in rules[rule]["http"]["paths"]]


@pytest.mark.parametrize("weight", [0, 1, 20, 100])
def test_the_action_is_argo_rollouts_byte_for_byte(weight: int):
    before = ingress(path("web"))
    there = cluster(before)
    (write,) = there.route(weight)
    assert (write.reason, write.message) == (
        "PatchingALBIngress",
        f"Updating Ingress `front` to desiredWeight '{weight}'",
    )
    assert notes(there) == {
        ROOT: '{"Type":"forward","ForwardConfig":{"TargetGroups":['
        f'{{"ServiceName":"web-canary","ServicePort":"80","Weight":{weight}}},'
        f'{{"ServiceName":"web","ServicePort":"80","Weight":{100 - weight}}}]}}}}',
        OWNERS: f'{{"web":["{ROOT}"]}}',
    }
    assert there.get("Ingress", "front")["spec"] == before["spec"]
    assert there.route(weight) == []


def test_root_service_prefix_stickiness_and_experiments():
    there = cluster(
        ingress(path("root")),
        rootService="root",
        annotationPrefix="alb.test",
        stickinessConfig={"enabled": True, "durationSeconds": 300},
    )
    there.route(5, additional={"trial": 10})
    assert notes(there) == {
        "alb.test/actions.root": '{"Type":"forward","ForwardConfig":{"TargetGroups":['
        '{"ServiceName":"web-canary","ServicePort":"80","Weight":5},'
        '{"ServiceName":"trial","ServicePort":"80","Weight":10},'
        '{"ServiceName":"web","ServicePort":"80","Weight":85}],'
        '"TargetGroupStickinessConfig":{"Enabled":true,"DurationSeconds":300}}}',
        OWNERS: '{"web":["alb.test/actions.root"]}',
    }


@pytest.mark.parametrize("seconds", [0, 604_801])
def test_stickiness_lasts_between_a_second_and_a_week(seconds: int):
    there = cluster(ingress(path("web")), stickinessConfig={"enabled": True, "durationSeconds": seconds})
    assert there.error() == (
        "TargetGroupStickinessConfig's duration must be between 1 and 604800 seconds (7 days)! "
        f"{PATH}.stickinessConfig.durationSeconds is {seconds}"
    )


def test_stickiness_that_is_off_says_nothing():
    there = cluster(ingress(path("web")), stickinessConfig={"durationSeconds": 0})
    there.route(5)
    assert "Stickiness" not in notes(there)[ROOT]


def test_each_of_several_ingresses_is_written_on_its_own():
    """Argo Rollouts ends with the first one that needs nothing."""
    there = cluster(
        ingress(path("web")), ingress(path("web"), name="back"), ingress="", ingresses=["front", "back", "front"]
    )
    assert len(there.route(20)) == 2
    there.put(ingress(path("web"), name="back"))
    assert list(texts(there.route(20))) == ["patch Ingress back"]
    assert groups(notes(there, "back")[ROOT]) == {"web-canary": 20, "web": 80}


def test_with_ping_pong_the_pair_is_in_the_action():
    there = cluster(ingress(path("root")), rootService="root")
    there.route(20, canary_service="pong", stable_service="ping")
    assert groups(notes(there)[f"{PREFIX}/actions.root"]) == {"pong": 20, "ping": 80}


def test_a_header_route_comes_first_and_goes_without_a_trace():
    before = ingress(
        rules=[{"host": "a", "http": {"paths": [path("web"), path("other", "/o", number=80)]}}, {"host": "no http"}]
    )
    there = cluster(before)
    there.route(10)
    plain = notes(there)
    first, second = (
        header("by-team", ("X-Team", "a<b"), ("X-Team", "c"), ("X-Who", "d")),
        header("second", ("X-A", "1")),
    )
    (write,) = there.route(10, routes=(second, first), managed=("second", "by-team"))
    assert write.message == "Updating Ingress `front` to headerRoute 'second'"
    assert services(there) == ["second", "by-team", "web", "other"]
    assert there.get("Ingress", "front")["spec"]["rules"][1] == {"host": "no http"}
    assert there.get("Ingress", "front")["spec"]["rules"][0]["http"]["paths"][0] == path("second")
    found = notes(there)
    assert found[f"{PREFIX}/actions.by-team"] == (
        '{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"web-canary","ServicePort":"80","Weight":100}]}}'
    )
    assert found[f"{PREFIX}/conditions.by-team"] == (
        '[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"X-Team","values":["a\\u003cb","c"]}},'
        '{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"X-Who","values":["d"]}}]'
    )
    own = [ROOT] + [f"{PREFIX}/{part}.{name}" for name in ("second", "by-team") for part in ("actions", "conditions")]
    assert json.loads(found[OWNERS]) == {"web": own}
    (write,) = there.route(10, managed=("second", "by-team"))
    assert write.message == "Updating Ingress `front` removing managed routes"
    assert (notes(there), there.get("Ingress", "front")["spec"]) == (plain, before["spec"])


def test_a_path_that_the_user_gave_a_header_route_is_the_only_one():
    there = cluster(ingress(path("web"), path("by-team", "/api/*")))
    there.route(10, routes=(header("by-team", ("X", "1")),), managed=("by-team",))
    assert services(there) == ["by-team", "web"]
    assert there.get("Ingress", "front")["spec"]["rules"][0]["http"]["paths"][0] == path("by-team", "/api/*")


def of_two(there: Cluster, root: str, *routes: SetHeaderRoute) -> tuple[Cluster, Traffic]:
    """Rollout `two` on the same objects, with Services of its own."""
    two = Cluster(rollout(alb(rootService=root)), *there.objects.values())
    two.rollout.metadata.name = "two"
    wanted = two.traffic(10, routes=routes, managed=tuple(route.name for route in routes))
    return two, msgspec.structs.replace(wanted, rollout="two", canary_service="c", stable_service="s")


def test_header_routes_of_two_rollouts_do_not_fight_for_the_first_place():
    there = cluster(ingress(path("web"), path("api")))
    there.route(10, routes=(header("one", ("X", "1")),), managed=("one",))
    two, traffic = of_two(there, "api", header("two", ("X", "2")))
    for write in two.answers(traffic)[0].writes:
        two.carry_out(write)
    assert services(two) == ["two", "one", "web", "api"]
    assert two.answers(traffic)[0].writes == ()
    there.objects = two.objects
    there.route(10, routes=(header("one", ("X", "1")),), managed=("one",))
    assert services(there) == ["two", "one", "web", "api"]
    there.route(10, managed=("one", "two"))
    assert services(there) == ["two", "web", "api"], "the other Rollout's route stays, although the name is in the list"


@pytest.mark.parametrize(
    ("root", "route", "text"),
    [
        ("web", "two", f"{PREFIX}/actions.web of Ingress front is managed by Rollout web (annotation {OWNERS}): set {PATH}.rootService"),
        (
            "api",
            "one",
            f"{PREFIX}/actions.one of Ingress front is managed by Rollout web (annotation {OWNERS}): "
            "set spec.strategy.canary.trafficRouting.managedRoutes to another name, or remove the entry of web",
        ),
    ],
)  # fmt: skip
def test_an_action_of_another_rollout_says_whose_it_is(root: str, route: str, text: str):
    there = cluster(ingress(path("web"), path("api")))
    there.route(10, routes=(header("one", ("X", "1")),), managed=("one",))
    two, traffic = of_two(there, root, header(route, ("X", "2")))
    (answer,) = two.answers(traffic)
    assert (text in answer.error, answer.writes) == (True, ())


def test_the_entry_of_a_rollout_that_is_gone_is_no_claim_on_the_same_services():
    """Argo Rollouts leaves its entry when a Rollout is deleted. One of another name with its Services continues."""
    there = cluster(ingress(path("web")))
    there.route(10)
    there.rollout.metadata.name = "renamed"
    wanted = msgspec.structs.replace(there.traffic(20), rollout="renamed")
    (answer,) = there.answers(wanted)
    assert (answer.error, len(answer.writes)) == ("", 1)


def test_keys_of_another_rollout_stay_and_an_odd_entry_of_it_too():
    there = cluster(
        ingress(path("web"), owners='{"two":["x/actions.two"],"odd":7}', actions__two="{}", actions__mine="{}")
    )
    there.route(20)
    assert notes(there)[OWNERS] == f'{{"odd":7,"two":["x/actions.two"],"web":["{ROOT}"]}}'
    assert notes(there)[f"{PREFIX}/actions.two"] == "{}"
    there.release()
    assert notes(there)[OWNERS] == '{"odd":7,"two":["x/actions.two"]}'
    assert notes(there)[f"{PREFIX}/actions.mine"] == "{}"


def test_a_root_service_that_the_rollout_names_no_more_leads_to_the_stable_service():
    there = cluster(ingress(path("web"), path("root")))
    there.route(40)
    there.rollout = rollout(alb(rootService="root"))
    there.route(40)
    found = notes(there)
    assert groups(found[f"{PREFIX}/actions.root"]) == {"web-canary": 40, "web": 60}
    assert groups(found[ROOT]) == {"web": 100}
    assert json.loads(found[OWNERS]) == {"web": [f"{PREFIX}/actions.root"]}


def test_a_header_route_whose_name_is_managed_no_more_goes():
    there = cluster(ingress(path("web")))
    there.route(10, routes=(header("old", ("X", "1")),), managed=("old",))
    there.route(10, managed=("new",))
    assert services(there) == ["web"]
    assert set(notes(there)) == {ROOT, OWNERS}


@pytest.mark.parametrize("root", ["web", "root"])
def test_letting_go_leaves_all_with_the_stable_service_whatever_the_root_service_is(root: str):
    there = cluster(ingress(path(root)), rootService=root)
    there.route(40, routes=(header("by-team", ("X", "1")),), managed=("by-team",))
    there.get("Ingress", "front")["metadata"]["annotations"]["rollouts.argoproj.io/managed-alb-actions"] = "old"
    (write,) = there.release(managed=("by-team",))
    assert write.because == "web leads the Ingress no more: all traffic goes to web"
    assert notes(there) == {
        f"{PREFIX}/actions.{root}": '{"Type":"forward","ForwardConfig":{"TargetGroups":['
        '{"ServiceName":"web","ServicePort":"80","Weight":100}]}}'
    }
    assert services(there) == [root]
    assert there.release() == []


def test_letting_go_of_what_was_never_led_changes_nothing():
    assert cluster(ingress(path("web"), actions__web="{}")).release() == []


def test_letting_go_where_the_owners_cannot_be_read_still_gives_the_traffic_back():
    there = cluster(ingress(path("web"), owners="[", actions__web="{}"))
    there.release()
    assert (groups(notes(there)[ROOT]), notes(there)[OWNERS]) == ({"web": 100}, "[")


@pytest.mark.parametrize("text", ["[", "[]", "7", "[" * 100_000])
def test_owners_that_cannot_be_read_are_an_error(text: str):
    found = cluster(ingress(path("web"), owners=text)).error(20)
    assert found.startswith(
        f"annotation {OWNERS} of Ingress front must be a JSON object of lists, is [" if text[0] == "[" else ""
    )
    assert found.endswith(": remove it")


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        ((), 'ingress.networking.k8s.io "front" not found'),
        ((ingress(path("other")),), "ingress does not have service `web` in rules: Ingress front"),
        ((ingress(rules=[{"host": "a"}]),), "ingress does not have service `web` in rules: Ingress front"),
        (
            (ingress({"path": "/", "backend": {"resource": {"kind": "Bucket"}}}),),
            "ingress does not have service `web` in rules: Ingress front",
        ),
    ],
)
def test_an_ingress_that_cannot_be_led(objects: tuple[Json, ...], text: str):
    assert cluster(*objects).error(20) == text


def typed(obj: Json) -> dict[str, Ingress]:
    return {"front": msgspec.convert(obj, Ingress)}


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (
            {"ingresses": ["b"]},
            f"{PATH}: Internal error: Either Ingress or Ingresses must be configured. Both are configured.",
        ),
        (
            {"ingress": ""},
            f"{PATH}: Internal error: Either Ingress or Ingresses must be configured. Neither are configured.",
        ),
        (
            {"ingress": "c"},
            f'{PATH}.ingress: Invalid value: "c": ingress.networking.k8s.io "c" not found',
        ),
        (
            {"ingress": "", "ingresses": ["front", "c"]},
            f'{PATH}.ingresses: Invalid value: "c": ingress.networking.k8s.io "c" not found',
        ),
        (
            {"rootService": "root"},
            f'{PATH}.ingress: Invalid value: "front": ingress `front` has no rules using service root backend',
        ),
        ({"ingress": "", "ingresses": ["front"]}, ""),
    ],
)
def test_what_invalid_spec_says(config: Json, text: str):
    found = invalid(rollout(alb(**config)), ingresses=typed(ingress(path("web"))))
    assert found == text


def test_ping_pong_needs_a_root_service_and_no_other_services():
    pair = {"pingPong": {"pingService": "ping", "pongService": "pong"}, "canaryService": "", "stableService": ""}
    assert invalid(rollout(alb(), **pair)) == (
        'spec.strategy.trafficRouting.alb.rootService: Invalid value: "": '
        "Root service field is required for the configuration with ALB and ping-pong feature enabled"
    )
    assert invalid(rollout(alb(rootService="root"), **pair)) == ""


def test_without_ping_pong_both_services_are_needed():
    assert "Canary service and Stable service must to be set" in invalid(rollout(alb(), canaryService=""))


def test_headers_are_compared_as_a_whole():
    step = {
        "setHeaderRoute": {"name": "by-team", "match": [{"headerName": "X", "headerValue": {"regex": "a.*"}}]},
    }
    found = invalid(rollout({**alb(), "managedRoutes": [{"name": "by-team"}]}, step))
    assert found.endswith("SetHeaderRoute match value invalid. ALB supports 'exact' value only")


def _weight(found: Json) -> tuple[str, int, int] | None:
    action = (found["metadata"].get("annotations") or {}).get(ROOT)
    if action is None:
        return None
    weights = groups(action)
    return CANARY, weights.get(CANARY, 0), sum(weights.values())


def _by_hand(_: Json) -> Json:
    each = [{"ServiceName": name, "ServicePort": "80", "Weight": weight} for name, weight in ((CANARY, 0), (NAME, 100))]
    return {"metadata": {"annotations": {ROOT: json.dumps({"ForwardConfig": {"TargetGroups": each}})}}}


def _trials(found: Json) -> dict[str, int]:
    action = (found["metadata"].get("annotations") or {}).get(ROOT)
    weights: dict[str, int] = groups(action) if action else {}
    return {name: weight for name, weight in weights.items() if name not in (NAME, CANARY)}


OF_HEADER = tuple(f"alb.ingress.kubernetes.io/{part}.{HEADER_ROUTE}" for part in ("actions", "conditions"))

MODELS["alb"] = RouterModel(
    routing=alb(),
    plural="ingresses",
    name="front",
    objects=(ingress(path(NAME)),),
    weight=_weight,
    by_hand=_by_hand,
    ours=(
        f"metadata.annotations.{ROOT}",
        f"metadata.annotations.{OWNERS}",
        *(f"metadata.annotations.{each}" for each in OF_HEADER),
        "spec.rules",
    ),
    headers=lambda found: OF_HEADER[0] in (found["metadata"].get("annotations") or {}),
    trials=_trials,
    able=("header", "ping-pong", "experiment"),
)


@pytest.mark.parametrize("seed", few(range(1, 25), (6, 16)))
def test_requests_with_a_header_keep_every_promise(seed: int):
    history = with_router(generate(seed), "alb")
    if history is not None:
        assert [str(v) for v in run(with_header_routes(history)).violations] == []


@pytest.mark.parametrize("seed", few(range(1, 25), (6, 16, 22)))
def test_random_histories_keep_every_promise(seed: int):
    history = with_router(generate(seed), "alb")
    if history is not None:
        assert [str(v) for v in run(history).violations] == []


def last(trace: list[Json], field: str) -> Any:
    return next(
        (line[field] for line in reversed(trace) if line.get("object") == "Ingress/web" and field in line), None
    )


def test_an_ingress_that_is_let_go_is_given_back():
    theirs, ours = reference("alb-let-go"), played("alb-let-go").trace
    assert groups(last(theirs, f"annotations.{ROOT}")) == {"web-canary": 40, "web": 60}
    assert groups(last(ours, f"annotations.{ROOT}")) == {"web": 100}
    assert last(ours, f"annotations.{OWNERS}") is None

"""The routers that a history may use: which object has the weight, and how it is read. Each is written without the router's own code.

nginx's model is here. That of another router is in its test file, which puts it into MODELS and runs histories with `with_router`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from msgspec import structs

from serinus.routing.registry import kinds
from tests.sim.history import NAME, History

Json = dict[str, Any]
WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"
TOTAL = "nginx.ingress.kubernetes.io/canary-weight-total"
CANARY = "web-canary"
HEADER_ROUTE = "by-team"
MIRROR_ROUTE = "copies"


@dataclass(frozen=True)
class Subsets:
    """The objects that select the pods by the hash of a version, in place of the two Services of the Rollout.

    The gateway receives such a selection like the selector of a Service: NAME stands for the stable version's and CANARY
    for the canary's. `led`: which of these two the object gives, and the hash that it selects; "" for every version.
    """

    plural: str
    objects: tuple[Json, ...]
    led: Callable[[Json], dict[str, str]]
    ours: tuple[str, ...]
    services: dict[str, str] = field(default_factory=dict[str, str])
    """Field of the canary -> the Service that the Rollout names all the same. No request enters by these."""
    nobody: frozenset[str] = frozenset()
    """Hashes that select no pod, whatever versions there are."""


@dataclass(frozen=True)
class RouterModel:
    """`routing`: of the Rollout's `trafficRouting`. `objects`: what the user applies, in the Service's order.

    `plural`, `name`: of the object that has the weight, whether the user makes it or the router. `weight`: (canary Service, its
    weight, out of) as that object says; None where it routes nothing to the canary. `by_hand`: the merge patch by which a user
    sets the weight to 0, from the object as it is. `ours`: the paths of the object that the router may change.
    `made`: the router makes the object, so that it is created again after a deletion. `subsets`: another object of the user's, where
    the router selects pods by it, in place of the Services.
    """

    routing: Json
    plural: str
    name: str
    objects: tuple[Json, ...]
    weight: Callable[[Json], tuple[str, int, int] | None]
    by_hand: Callable[[Json], Json]
    ours: tuple[str, ...]
    made: bool = False
    subsets: Subsets | None = None
    headers: Callable[[Json], bool] = lambda _: False
    """Whether the object leads requests with a header to the canary Service, whatever its weight (`with_header_routes`)."""
    header_object: tuple[str, str] | None = None
    """(plural, name) of a separate object with the header route; without one, `headers` reads the object that has the weight."""
    trials: Callable[[Json], dict[str, int]] = lambda _: {}
    """Services of experiments, and their weights as the object says."""
    report: Callable[[int], Json] | None = None
    """The status that a gateway writes into the object of this generation."""
    able: tuple[str, ...] = ()
    """What histories may ask of it: names of `route_inputs.WAYS`."""


MODELS: dict[str, RouterModel] = {}
"""By key of the router."""


def with_router(history: History, key: str) -> History | None:
    """The same history, its requests divided by another router; None for one without a router."""
    if not history.ingress:
        return None
    model, spec = MODELS[key], history.rollout["spec"]
    canary = {**spec["strategy"]["canary"], "trafficRouting": model.routing}
    if model.subsets is not None:
        canary = {k: v for k, v in canary.items() if k not in ("canaryService", "stableService")}
        canary |= model.subsets.services
    rollout = {**history.rollout, "spec": {**spec, "strategy": {"canary": canary}}}

    def struck(episodes: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(structs.replace(e, plural=model.plural) if e.plural == "ingresses" else e for e in episodes)

    return structs.replace(
        history,
        rollout=rollout,
        router=key,
        objects=(
            *((_plural(obj), obj) for obj in model.objects),
            *(_of_subsets(model.subsets) if model.subsets else ()),
        ),
        episodes=struck(history.episodes),
        late_episodes=struck(history.late_episodes),
    )


def with_header_routes(history: History) -> History:
    """The same history with a header route that its steps set, and sometimes remove."""
    rng, spec = Random(f"header routes {history.seed}"), history.rollout["spec"]
    canary: Json = spec["strategy"]["canary"]
    steps: list[Json] = list(canary.get("steps") or [])
    match = [{"headerName": "X-Team", "headerValue": {"exact": "a"}}]
    at = rng.randint(0, len(steps))
    steps.insert(at, {"setHeaderRoute": {"name": HEADER_ROUTE, "match": match}})
    if rng.random() < 0.4:
        steps.insert(rng.randint(at + 1, len(steps)), {"setHeaderRoute": {"name": HEADER_ROUTE}})
    routing: Json = canary["trafficRouting"]
    routing = {**routing, "managedRoutes": [*routing.get("managedRoutes", []), {"name": HEADER_ROUTE}]}
    strategy = {"canary": {**canary, "steps": steps, "trafficRouting": routing}}
    return structs.replace(history, rollout={**history.rollout, "spec": {**spec, "strategy": strategy}})


def _of_subsets(subsets: Subsets) -> Iterator[tuple[str, Json]]:
    """(plural, object) of the objects that select the pods, and of the Services that the Rollout names beside them."""
    yield from ((subsets.plural, obj) for obj in subsets.objects)
    for name in subsets.services.values():
        spec: Json = {"selector": {"app": NAME}, "ports": [{"port": 80, "targetPort": "http", "name": "http"}]}
        metadata: Json = {"name": name, "annotations": {"team": "shop"}}
        yield "services", {"kind": "Service", "apiVersion": "v1", "metadata": metadata, "spec": spec}


def _plural(obj: Json) -> str:
    kind = kinds().get(f"{obj['kind']}.{obj['apiVersion'].partition('/')[0]}")
    return kind.plural if kind is not None else "ingresses"


def _weight(ingress: Json) -> tuple[str, int, int] | None:
    notes: Json = ingress["metadata"].get("annotations") or {}
    if notes.get("nginx.ingress.kubernetes.io/canary") != "true":
        return None
    service = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"]
    try:
        return service, int(notes.get(WEIGHT, "0")), int(notes.get(TOTAL, "100"))
    except ValueError:
        return service, 0, 100


MODELS["nginx"] = RouterModel(
    routing={"nginx": {"stableIngress": NAME}},
    plural="ingresses",
    name=f"{NAME}-{NAME}-canary",
    objects=(),
    weight=_weight,
    by_hand=lambda _: {"metadata": {"annotations": {WEIGHT: "0"}}},
    ours=(
        "metadata.annotations.nginx.ingress.kubernetes.io/canary",
        "metadata.annotations.kubernetes.io/ingress.class",
        "spec",
    ),
    made=True,
)

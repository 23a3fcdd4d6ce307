"""Routers on plain objects: a Rollout's desired traffic, the objects before, and the objects as the router leaves them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.api.decoding.merge_patch import applied
from serinus.api.network import Ingress
from serinus.api.rollout import Rollout, WeightDestination
from serinus.api.served_kind import ServedKind, located, name_from
from serinus.api.validation.rollout import validate
from serinus.engine.strategy.spec_rules import RULES
from serinus.routing import registry
from serinus.routing.router import Objects, RouteResult, Traffic, Write

Json = dict[str, Any]
NAMESPACE, UID = "shop", "uid-of-web"
OWNER: Json = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "name": "web",
    "uid": UID,
    "controller": True,
    "blockOwnerDeletion": True,
}
TEMPLATE: Json = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "demo"}]},
}


def rollout(routing: Json, *steps: Json, **canary: Any) -> Rollout:
    """The Rollout `shop/web` with this `trafficRouting`."""
    strategy = {
        "canaryService": "web-canary",
        "stableService": "web",
        "trafficRouting": routing,
        "steps": steps,
        **canary,
    }
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE, "strategy": {"canary": strategy}}
    obj = {"metadata": {"name": "web", "namespace": NAMESPACE, "uid": UID}, "spec": spec}
    return msgspec.json.decode(msgspec.json.encode(obj), type=Rollout)


def invalid(subject: Rollout, **lookups: Any) -> str:
    """The text of InvalidSpec; "" for a Rollout in order."""
    found = validate(subject, rules=RULES, **lookups)
    return found.message if found else ""


class Cluster:
    """Objects of one namespace and others, and one Rollout; `route` carries out what its routers answer.

    `served`: versions of kinds that are not the router's preferred ones; "" for a kind that is not installed.
    """

    def __init__(self, subject: Rollout, *objects: Json, served: dict[str, str] | None = None) -> None:
        self.rollout, self.objects, self.version = subject, dict[tuple[str, str], Json](), 0
        kinds = registry.kinds()
        self.served = {key: kind.versions[0] for key, kind in kinds.items()} | (served or {})
        for obj in objects:
            self.put(obj)

    def put(self, obj: Json) -> None:
        """Creates or replaces an object."""
        group = str(obj["apiVersion"]).rpartition("/")[0]
        key = f"{obj['kind']}.{group}" if f"{obj['kind']}.{group}" in registry.kinds() else str(obj["kind"])
        self.version += 1
        meta: Json = {"namespace": NAMESPACE, "uid": f"uid-{self.version}", **obj["metadata"]}
        name = name_from(meta["namespace"], meta["name"], NAMESPACE)
        self.objects[key, name] = {**obj, "metadata": {**meta, "resourceVersion": str(self.version)}}

    def get(self, kind: ServedKind | str, name: str) -> Json:
        """The object as it is now."""
        return self.objects[kind if isinstance(kind, str) else kind.key, name]

    def traffic(self, weight: int, *, additional: dict[str, int] | None = None, **fields: Any) -> Traffic:
        """The Rollout's desired traffic at this weight. `additional`: Service of an experiment -> its weight."""
        canary = self.rollout.spec.strategy.canary
        assert canary is not None
        given: Json = {
            "rollout": self.rollout.metadata.name,
            "canary_service": canary.canary_service,
            "stable_service": canary.stable_service,
            "canary_hash": "new",
            "stable_hash": "old",
            "canary_ready": 1,
            "stable_ready": 1,
            "now": 1_800_000_000.0,
        }
        more = tuple(WeightDestination(w, name, f"hash-{name}") for name, w in (additional or {}).items())
        return Traffic(
            namespace=NAMESPACE, uid=UID, owner=OWNER, canary=canary, weight=weight, additional=more, **given | fields
        )

    def seen(self) -> Objects:
        """The objects that the routers' references select, as a controller's cache gives them."""
        ingresses: dict[str, Ingress] = {}
        others: dict[str, Json] = {}
        named = {(ref.kind, ref.name) for ref in registry.references(self.rollout)}
        for (key, name), obj in self.objects.items():
            space = located(name, NAMESPACE)[0]
            everything = "*" if space == NAMESPACE else f"{space}/*"
            if (key, name) not in named and (key, everything) not in named:
                continue
            if key == "Ingress":
                ingresses[name] = msgspec.convert(obj, Ingress)
            else:
                others[f"{key}/{name}"] = obj
        return Objects(NAMESPACE, ingresses, others, self.served)

    def answers(self, wanted: Traffic) -> tuple[RouteResult, ...]:
        """Of each router, without any effect. The objects that it was given are unchanged."""
        objects = self.seen()
        before = msgspec.json.encode(objects)
        found = tuple(used.route(wanted, objects) for used in registry.routers_of(self.rollout.spec))
        assert msgspec.json.encode(objects) == before, "a router must not change what it was given"
        return found

    def route(self, weight: int, **fields: Any) -> list[Write]:
        """Writes until nothing is left to write, at most five rounds; an AssertionError for an error of a router."""
        wanted, written = self.traffic(weight, **fields), list[Write]()
        for _ in range(5):
            answers = self.answers(wanted)
            assert not (errors := [answer.error for answer in answers if answer.error]), errors
            writes = [write for answer in answers for write in answer.writes]
            if not writes:
                return written
            written += writes
            for write in writes:
                self.carry_out(write)
        raise AssertionError(f"it never settles: {written[-1]}")

    def error(self, weight: int = 0, **fields: Any) -> str:
        """The errors of the routers."""
        answers = self.answers(self.traffic(weight, **fields))
        assert all(not answer.writes for answer in answers if answer.error)
        return "; ".join(answer.error for answer in answers if answer.error)

    def release(self, **fields: Any) -> list[Write]:
        """The last writes of the routers, carried out."""
        wanted, objects = self.traffic(0, **fields), self.seen()
        results = [u.router.release(u.config, wanted, objects) for u in registry.routers_of(self.rollout.spec)]
        writes = [write for result in results for write in result.writes]
        for write in writes:
            self.carry_out(write)
        return writes

    def carry_out(self, write: Write) -> None:
        """As the API server would."""
        assert write.because
        where = (write.kind, write.name)
        if write.verb == "create":
            assert where not in self.objects
            space, name = located(write.name, NAMESPACE)
            body = copy.deepcopy(write.body)
            assert (body["metadata"]["name"], body["metadata"].get("namespace", space)) == (name, space)
            self.put(body)
            return
        seen = self.objects[where]
        assert (write.uid, write.resource_version) == (seen["metadata"]["uid"], seen["metadata"]["resourceVersion"])
        if write.verb == "delete":
            del self.objects[where]
        else:
            self.put(applied(seen, copy.deepcopy(write.body)))


def texts(writes: list[Write]) -> Iterator[str]:
    """`patch TraefikService web` of each write."""
    return (f"{write.verb} {write.kind.partition('.')[0]} {write.name}" for write in writes)

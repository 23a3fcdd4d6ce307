"""The registry finds each router by its file, and each router declares enough for the rest of Serinus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

import serinus.routing
from serinus.api.rollout import Rollout
from serinus.api.served_kind import ServedKind
from serinus.api.validation.rollout import validate
from serinus.engine.strategy.spec_rules import RULES
from serinus.routing import registry

PROTOCOL = {
    "__init__",
    "confirmations",
    "gateway_state",
    "ingress_routes",
    "ingress_rules",
    "registry",
    "route_probes",
    "router",
    "rules",
    "writes",
}
MODULES = sorted(f.stem for f in Path(serinus.routing.__file__).parent.glob("*.py") if f.stem not in PROTOCOL)
FILES = [stem for stem in MODULES if not any(stem.startswith(f"{other}_") for other in MODULES)]
"""A large router has parts beside it: `istio_routes.py` is one of `istio.py`."""
ROUTERS = registry.routers()


def rollout(routing: dict[str, Any]) -> Rollout:
    canary = {"canaryService": "web-canary", "stableService": "web", "trafficRouting": routing}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "demo"}]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template, "strategy": {"canary": canary}}
    return msgspec.convert({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}, Rollout)


def test_every_file_of_the_folder_is_a_router():
    assert len(FILES) == len(ROUTERS)


def test_routers_are_asked_in_the_order_of_argo_rollouts():
    own = [key for key in ROUTERS if key in registry.FIELDS]
    assert own == [key for key in registry.FIELDS if key in ROUTERS]
    assert list(ROUTERS)[: len(own)] == own


@pytest.mark.parametrize("key", ROUTERS)
def test_a_router_may_watch_what_it_reads(key: str):
    router = ROUTERS[key]
    given = {(group, name): set(verbs.split()) for group, names, verbs in router.permissions for name in names}
    for kind in router.kinds:
        assert {"get", "list", "watch"} <= given.get((kind.group, kind.plural), set()), kind


@pytest.mark.parametrize("key", ROUTERS)
def test_a_router_takes_any_configuration_without_raising(key: str):
    """A missing router is an error of the spec, shown to users; a Rollout is untrusted input."""
    field = key if key in registry.FIELDS else "plugins"
    part = {} if field == key else {key: {}}
    spec = rollout({field: part})
    validate(spec, services={}, ingresses={}, objects={}, rules=RULES)
    assert [used.router.key for used in registry.routers_of(spec.spec)] == [key]
    registry.references(spec)


def test_a_wrong_type_names_the_field():
    found = validate(rollout({"nginx": {"stableIngress": 3}}), rules=RULES)
    assert found is not None
    assert found.message == "spec.strategy.canary.trafficRouting.nginx.stableIngress: Expected `str`, got `int`"


def test_an_unknown_router_is_named_with_those_that_there_are():
    found = validate(rollout({"plugins": {"acme/router": {}}}), rules=RULES)
    assert found is not None
    assert found.message.startswith(
        "spec.strategy.canary.trafficRouting.plugins.acme/router: this version of Serinus has no such router"
    )
    assert "nginx" in found.message


def test_kinds_of_one_name_are_told_apart_by_their_group():
    istio, mesh = (
        ServedKind(g, "VirtualService", "virtualservices", ("v1",)) for g in ("networking.istio.io", "appmesh.k8s.aws")
    )
    assert istio.key != mesh.key

"""What controllers report in the status of a router's objects, and the sentences about it."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.routing.gateway_api_reports import unconfirmed as of_gateways
from serinus.routing.istio_reports import unconfirmed as of_istio

Json = dict[str, Any]


def condition(kind: str, status: str = "True", generation: Any = 3, **more: Any) -> Json:
    seen = {} if generation is None else {"observedGeneration": generation}
    return {"type": kind, "status": status, **seen, **more}


def parent(*conditions: Json, controller: str = "x/y", **ref: Any) -> Json:
    return {"parentRef": {"name": "gw", **ref}, "controllerName": controller, "conditions": list(conditions)}


def route(*parents: Json, refs: Any = ({"name": "gw"},)) -> Json:
    meta = {"name": "web", "namespace": "shop", "generation": 3}
    return {"metadata": meta, "spec": {"parentRefs": list(refs)}, "status": {"parents": list(parents)}}


GOOD, OLD = (condition("Accepted"), condition("ResolvedRefs")), (condition("Accepted", generation=2),)
LATE = "HTTPRoute web: Gateway shop/gw has reported on generation 2, and not on 3 yet"


@pytest.mark.parametrize(
    ("parents", "why"),
    [
        ([], None),
        ([parent()], None),
        ([parent(*GOOD)], ""),
        ([parent(*OLD)], LATE),
        ([parent(condition("Accepted"), condition("ResolvedRefs", generation=2))], LATE),
        ([parent(*OLD, controller="gone/a"), parent(*GOOD)], ""),
        ([parent(*GOOD), parent(*OLD, controller="gone/a")], ""),
        ([parent(*OLD, controller="gone/a"), parent(*OLD)], LATE),
        (
            [parent(condition("Accepted"), condition("ResolvedRefs", "False", reason="BackendNotFound", message="no web-canary"))],
            "HTTPRoute web: Gateway shop/gw reports ResolvedRefs False (BackendNotFound: no web-canary)",
        ),
        ([parent(*GOOD), parent(*OLD, name="other")], ""),
    ],
)  # fmt: skip
def test_the_gateways_of_a_route(parents: list[Json], why: str | None):
    assert of_gateways("HTTPRoute", "web", route(*parents)) == why


def test_each_section_and_each_kind_of_parent_is_one_parent():
    refs = ({"name": "gw", "sectionName": "a"}, {"name": "gw", "sectionName": "b"}, {"name": "gw", "kind": "Service"})
    seen = route(parent(*GOOD, sectionName="a"), parent(*OLD, sectionName="b"), refs=refs)
    assert of_gateways("HTTPRoute", "web", seen) == LATE
    seen = route(parent(*GOOD, sectionName="a"), parent(*OLD, kind="Service"), refs=refs)
    assert of_gateways("HTTPRoute", "web", seen) == LATE.replace("Gateway shop", "Service shop")


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (None, None),
        ("odd", None),
        ({}, None),
        ({"conditions": "odd"}, None),
        ({"conditions": [None, {"type": "PassedValidation", "status": "True"}], "observedGeneration": "2"}, None),
        ({"conditions": [condition("Reconciled", generation=None)], "observedGeneration": "3"}, ""),
        ({"conditions": [condition("Reconciled", generation=None)]}, ""),
        (
            {"conditions": [condition("Reconciled", generation=None)], "observedGeneration": "2"},
            "VirtualService web: Istio has reported on generation 2, and not on 3 yet",
        ),
        (
            {"conditions": [condition("Reconciled", generation="2")], "observedGeneration": 3},
            "VirtualService web: Istio has reported on generation 2, and not on 3 yet",
        ),
        (
            {"conditions": [condition("Reconciled", "False", None, message="1/2 proxies up to date.")], "observedGeneration": 3},
            "VirtualService web: Istio reports Reconciled False (1/2 proxies up to date.)",
        ),
        ({"conditions": [condition("Reconciled", generation=True)], "observedGeneration": 2}, ""),
    ],
)  # fmt: skip
def test_istiods_report_about_an_object(status: Any, why: str | None):
    seen = {"metadata": {"name": "web", "generation": 3}, "spec": {}, "status": status}
    assert of_istio("VirtualService", "web", seen) == why

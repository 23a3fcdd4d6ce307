"""Requests that compare an Ingress controller with a Gateway, and the judgement of their answers."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.routing.route_probes import Probe, ProbeAnswer, difference, probes

Json = dict[str, Any]
PROBE = Probe("web.test", "/")
BLUE, GREEN, MISSING = (
    ProbeAnswer(200, content="blue"),
    ProbeAnswer(200, content="green"),
    ProbeAnswer(404, content="none"),
)
FAILED = ProbeAnswer(500, content="none")


def route(*matches: Json, hosts: list[str] | None = None) -> Json:
    return {"spec": {"hostnames": hosts or [], "rules": [{"matches": [match]} for match in matches]}}


def at(value: str, kind: str = "PathPrefix", **more: Any) -> Json:
    return {"path": {"type": kind, "value": value}, **more}


def test_each_path_is_asked_for_at_its_border_too():
    found = probes([route(at("/api"), at("/exact", "Exact"), at("/"), hosts=["web.test"])])
    assert [each.path for each in found] == [
        "/api",
        "/api/serinus-check",
        "/apiserinus-check",
        "/exact",
        "/exact/serinus-check",
        "/",
        "/serinus-check",
    ]
    assert {each.host for each in found} == {"web.test"}


def test_a_header_and_a_wildcard_host_are_filled_in():
    canary = at("/", headers=[{"type": "Exact", "name": "X-Canary", "value": "always"}])
    found = probes([route(canary, at("/"), hosts=["*.test"]), route(at("/"))])
    assert found[0] == Probe("serinus-check.test", "/", ("X-Canary", "always"))
    assert str(found[0]) == "GET / of serinus-check.test with X-Canary: always"
    assert str(found[-1]) == "GET /serinus-check of any host"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([BLUE] * 30, [BLUE] * 30),
        ([BLUE] * 24 + [GREEN] * 6, [BLUE] * 20 + [GREEN] * 10),
        ([BLUE] * 28 + [FAILED] * 2, [BLUE] * 30),
        (
            [ProbeAnswer(200, content=str(n)) for n in range(30)],
            [ProbeAnswer(200, content=str(n + 50)) for n in range(30)],
        ),
        ([MISSING] * 30, [MISSING] * 30),
    ],
    ids=["same", "other shares of a canary", "few failures", "contents that change each time", "both without a route"],
)
def test_both_sides_answer_alike(before: list[ProbeAnswer], after: list[ProbeAnswer]):
    assert difference(PROBE, before, after) == ""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            [BLUE] * 30,
            [MISSING] * 30,
            "the Ingress controller gives 200 30 times of 30, the Gateway never (404 30 times)",
        ),
        (
            [BLUE] * 30,
            [BLUE] * 24 + [MISSING] * 6,
            "the Gateway gives 404 6 times of 30, the Ingress controller never (200 30 times)",
        ),
        (
            [BLUE] * 24 + [GREEN] * 6,
            [BLUE] * 30,
            "answers with other contents: the Ingress controller gives green 6 times of 30, the Gateway never (blue 30 times)",
        ),
        (
            [ProbeAnswer(301, "https://web.test/")] * 30,
            [BLUE] * 30,
            "the Ingress controller gives 301 to https://web.test/ 30 times of 30, the Gateway never (200 30 times)",
        ),
        (
            [ProbeAnswer(error="timed out")] * 3 + [BLUE] * 27,
            [BLUE] * 30,
            "the Ingress controller gives timed out 3 times of 30, the Gateway never (200 30 times)",
        ),
    ],
    ids=["no route", "one backend of two is wrong", "no canary", "a redirect is lost", "some time out"],
)
def test_an_answer_that_one_side_repeats_and_the_other_never_gives_is_a_difference(
    before: list[ProbeAnswer], after: list[ProbeAnswer], said: str
):
    assert difference(PROBE, before, after) == f"GET / of web.test: {said}"

"""`serinus why`: the engine's own reasons, from what the API shows."""

from __future__ import annotations

import json
from typing import Any

from cli_cluster import Space, rollout

Json = dict[str, Any]
NGINX: Json = {
    "strategy": {
        "canary": {
            "canaryService": "web-canary",
            "stableService": "web",
            "trafficRouting": {"nginx": {"stableIngress": "web"}},
            "steps": [{"setWeight": 20}, {"pause": {}}],
        }
    }
}


def test_an_object_that_is_missing_is_named_with_what_releases_it(space: Space) -> None:
    space.put(rollout(spec=NGINX))
    result = space.run("why", "web")
    assert result.code == 0
    assert 'spec.strategy.canary.stableService: Invalid value: "web": service "web" not found' in result.out
    assert "Rule:      InvalidSpec: the spec, or an object that it names, is not usable" in result.out
    assert "Released:  when the spec or the object is mended" in result.out


def test_without_a_controller_it_says_what_one_would_do(space: Space) -> None:
    space.put(rollout(status={"phase": ""}))
    out = space.run("why", "web").out
    assert "About to be done, if a controller works here:" in out
    assert "create ReplicaSet web-" in out


def test_programs_get_json(space: Space) -> None:
    space.put(rollout(spec=NGINX))
    (reason,) = json.loads(space.run("why", "web", "-o", "json").out)["reasons"]
    assert (reason["code"], reason["ends"]) == ("InvalidSpec", "the spec or the object is mended")


def test_a_misspelt_name_gets_the_one_that_was_meant(space: Space) -> None:
    space.put(rollout("guestbook"))
    result = space.run("why", "gestbook")
    assert result.code == 1
    assert "Did you mean guestbook?" in result.err


def test_a_router_that_is_a_plugin_is_named(space: Space) -> None:
    canary = {**NGINX["strategy"]["canary"], "trafficRouting": {"plugins": {"org/router": {"route": "web"}}}}
    for name in ("web", "web-canary"):
        ports = [{"port": 80}]
        space.put({"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": "web"}, "ports": ports}})
    space.put(rollout(spec={"strategy": {"canary": canary}}))
    result = space.run("why", "web")
    assert (result.code, result.err) == (0, "")
    assert "trafficRouting.plugins.org/router: this version of Serinus has no such router" in result.out

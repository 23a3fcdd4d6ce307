"""Router objects that the controller cannot read or write: the Rollout's status names the kind and the remedy, and it recovers."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from serinus.api.resources import CRDS
from tests.support.controller.router_scene import SPACE, Scene, healthy, says, weight
from tests.support.plays.kubectl import Kubectl
from tests.support.plays.player import in_virtual_time
from tests.support.plays.recordings import scenario
from tests.support.plays.stage import Stage, definitions

Json = dict[str, Any]
GRANT = "grant it the rights that `serinus install` prints"


READS = {
    "traefik-walk": ("traefikservices.traefik.io", "spec.strategy.canary.trafficRouting.traefik"),
    "istio-subsets": ("virtualservices.networking.istio.io", "trafficRouting.istio.virtualService.name"),
    "smi-walk": ("trafficsplits.split.smi-spec.io", "spec.strategy.canary.trafficRouting.smi"),
    "nginx-walk": ("ingresses.networking.k8s.io", "trafficRouting.nginx.stableIngress"),
}


@pytest.mark.parametrize("play", READS)
def test_a_missing_right_to_read_is_in_the_status_with_its_remedy(play: str, tmp_path: Path) -> None:
    kind, path = READS[play]

    async def scene() -> None:
        stage = Stage(tmp_path, tuple(scenario(play).get("kinds", ())))
        stage.refuses = ("GET", f"/{kind.partition('.')[0]}")
        async with stage.running():
            there = Scene(stage, play)
            await there.apply()
            status = await there.until(says(GRANT))
            (message,) = (c["message"] for c in status["conditions"] if c["type"] == "InvalidSpec")
            assert f"the controller may not read {kind}" in message
            assert path in message
            assert 'User "serinus" cannot' in message
            stage.refuses = None
            await there.until(healthy)

    in_virtual_time(scene())


def test_a_definition_in_an_unknown_version_is_named_with_the_known_ones(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        crd = copy.deepcopy(next(d for d in definitions() if d["spec"]["names"]["kind"] == "TraefikService"))
        known = crd["spec"]["versions"][0]
        async with stage.running():
            there = Scene(stage, "traefik-walk")
            await stage.client.create(CRDS, {**crd, "spec": {**crd["spec"], "versions": [{**known, "name": "v9"}]}})
            await there.apply("TraefikService")
            await there.until(
                says(
                    "the API server serves traefikservices.traefik.io only in v9, and Serinus needs v1alpha1: "
                    "install a definition of TraefikService that serves it"
                )
            )
            both = {"spec": {"versions": [{**known, "storage": False}, {**known, "name": "v9"}]}}
            await stage.client.patch(CRDS, crd["metadata"]["name"], both)
            kinds = Stage(tmp_path, (crd["metadata"]["name"],)).kinds
            kubectl = Kubectl(stage.client, SPACE, kinds)
            await kubectl.apply([each for each in there.objects if each["kind"] == "TraefikService"])
            await there.until(healthy)

    in_virtual_time(scene())


def test_a_missing_right_to_write_is_in_the_status_and_no_weight_counts_as_written(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path, tuple(scenario("traefik-walk")["kinds"]))
        async with stage.running():
            there = Scene(stage, "traefik-walk")
            await there.apply()
            await there.until(healthy)
            stage.refuses = ("PATCH", "/traefikservices")
            green = {"containers": [{"name": "web", "image": "argoproj/rollouts-demo:green"}]}
            await there.kubectl.patch("Rollout/web", {"spec": {"template": {"spec": green}}})
            status = await there.until(says("cannot patch TraefikService.traefik.io web", "WriteRefused"))
            assert weight(status) == 0
            stage.refuses = None
            await there.until(lambda status: weight(status) == 20)

    in_virtual_time(scene())

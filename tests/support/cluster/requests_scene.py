"""A host, its visitors and their answers, in a namespace of its own on the real control plane."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serinus.demo.traffic import DemoTraffic
from tests.support.cluster.cluster import Cluster
from tests.support.cluster.cluster_instance import ClusterInstance
from tests.support.cluster.requests_ledger import Ledger
from tests.support.instance.live import eventually
from tests.support.instance.visitors import Visitors

Json = dict[str, Any]
NAME = "web"
SECONDS = 120.0
"""For each wait: a loaded machine takes long to start a pod."""
STREAK, COUNTED = 40, 400
"""At 80 % one streak of 40 in a row comes by chance in 7,500 answers; of the last 400 answers."""
PODS = "kubectl get pods -l app=web -o jsonpath='{.items[*].metadata.uid}'"
_numbers = itertools.count(1)


class Scene:
    """`with scene(...)`: the actions, records and waits of a scenario. Its hosts are its own, so that scenarios need not wait
    until those before them are gone."""

    def __init__(self, cluster: Cluster, there: ClusterInstance, ledger: Ledger, rate: float) -> None:
        self.cluster, self.there, self.ledger, self.rate = cluster, there, ledger, rate
        self.host = f"web-{next(_numbers)}.test"
        self.old_after_healthy: list[float] = []
        """Seconds after a Rollout was seen to be Healthy at which the version before it answered last."""
        self.came_back: list[int] = []
        """The number of answers of the version before after the new one had given STREAK in a row."""
        self.asking = Visitors(cluster.gateway, self.host)
        self.asking.traffic = DemoTraffic(f"{cluster.gateway}/color", self.host, rate)

    def apply(self, *objects: Json) -> None:
        path = self.there.data / "applied.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
        self.there.shell("kubectl apply -f applied.json", self.there.data)

    def typed(self, command: str) -> str:
        return self.there.shell(command)

    def image(self, color: str) -> None:
        self.typed(f"kubectl argo rollouts set image {NAME} {NAME}=argoproj/rollouts-demo:{color}")

    def status(self) -> Json:
        found = self.there.get("rollout", NAME)
        status = found.get("status") or {}
        # A change of a workload's template is observed a moment later; a caller that makes one waits for Paused first.
        return status if status.get("observedGeneration") == str(found["metadata"]["generation"]) else {}

    def phase(self, *wanted: str) -> None:
        eventually(lambda: self.status().get("phase") in wanted, SECONDS)

    def weight(self, wanted: int) -> None:
        """Until the status has this weight for the canary."""

        def so() -> bool:
            weights = (self.status().get("canary") or {}).get("weights") or {}
            return (weights.get("canary") or {}).get("weight", 0) == wanted

        eventually(so, SECONDS)

    def healthy(self, color: str, *before: str) -> None:
        """Wait until it is; then only this version may answer, once gateways have followed."""
        self.phase("Healthy")
        since = time.monotonic()
        self.ledger.now(f"Healthy with {color}, gateways follow", color, *before)
        eventually(lambda: self.asking.colors(50) == {color: 50}, SECONDS)
        answers = list(self.asking.traffic.answers)
        self.came_back.append(_came_back([seen.color for seen in answers[-COUNTED:]], color))
        old = [seen.sent - since for seen in answers if seen.color in before]
        self.old_after_healthy.append(round(max(0.0, *old, 0.0), 2))
        self.ledger.now(f"all is {color}", color)

    def only(self, color: str) -> None:
        """Wait until only this version answers; from then on no other may answer."""
        eventually(lambda: self.asking.colors(50) == {color: 50}, SECONDS)
        self.ledger.now(f"all is {color}", color)

    def pods(self, count: int) -> set[str]:
        """Waits until there are so many, those that are still ending among them; their identities."""
        return set(eventually(lambda: len(found := self.typed(PODS).split()) == count and found, SECONDS))

    def begin(self, color: str) -> None:
        """Requests begin when the first one is answered: a missing host cannot lose any."""
        eventually(lambda: self.there.ask(self.host) == (200, f'"{color}"'), SECONDS)
        self.ledger.now(f"all is {color}", color)
        self.asking.start()


def _came_back(colors: list[str], new: str) -> int:
    streak = found = 0
    for color in colors:
        found += color != new and streak >= STREAK
        streak = max(streak, STREAK) if color != new and streak >= STREAK else streak + 1 if color == new else 0
    return found


@contextmanager
def scene(cluster: Cluster, scenario: str, directory: Path, rate: float) -> Generator[Scene]:
    """Its namespace is removed afterwards, without waiting for it."""
    there = ClusterInstance(directory, cluster.plane.kubeconfig(), cluster.gateway)
    there.up()
    made = Scene(cluster, there, Ledger(scenario), rate)
    try:
        yield made
    finally:
        if made.ledger.moments:
            made.asking.stop()
        there.shell(f"kubectl delete namespace --wait=false {there.namespace}", check=False)

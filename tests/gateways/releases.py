"""Releases of `web` through a real gateway while requests come in: which were lost, and which an old version answered."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from serinus.demo.traffic import DemoTraffic
from tests.gateways import routes
from tests.gateways.istio import status
from tests.support.cluster.requests_ledger import Ledger
from tests.support.instance.live import Instance, eventually
from tests.support.instance.visitors import Visitors

PROPAGATION = 2.0
"""Seconds after which a gateway has followed a change of a route, on a machine with other work. A version may answer no longer than that
after all traffic has left it."""
SECONDS = 120.0
"""For each wait: a loaded machine takes long to start a pod."""


class Releases:
    """`with releases(...)`: the actions and waits of a release. `stable` is the color that has all traffic."""

    def __init__(self, instance: Instance, gateway: str, router: str, *, rate: float, port: int, slow: bool) -> None:
        self.router, self.port, self.slow = router, port, slow
        self._instance = instance
        self.ledger = Ledger(router)
        self.visitors = Visitors(gateway, routes.host(router))
        self.visitors.traffic = DemoTraffic(f"{gateway}/color", routes.host(router), rate)
        self._colors = itertools.cycle(["green", "yellow", "red", "purple", "blue"])
        self.stable = "blue"
        self.followed: list[float] = []
        """Seconds after which the version before answered last, counted from when the Rollout was seen to be Healthy."""

    def begin(self) -> None:
        """Requests begin when the first version answers."""
        self._apply(routes.objects(self.router, self.stable, port=self.port, slow=self.slow))
        self._until("Healthy")
        port = urlsplit(self.visitors.traffic.url).port or 80
        eventually(lambda: status(port, "/color", routes.host(self.router)) == 200, SECONDS)
        self.ledger.now(f"all is {self.stable}", self.stable)
        self.visitors.start()

    def there_and_back(self) -> None:
        """A canary to its end, and another one back to the version before."""
        before, new = self.stable, next(self._colors)
        for color in (new, before):
            self._update(color, self.stable, color)
            self._promote()
            self._healthy(color)

    def aborted(self) -> None:
        """An abort at 50 %."""
        new = next(self._colors)
        self._update(new, self.stable, new)
        self._type("abort")
        self._until("Degraded")
        self._only(self.stable, new)

    def third_in_the_middle(self) -> None:
        """A third version while the second one has 50 %."""
        second, third = next(self._colors), next(self._colors)
        self._update(second, self.stable, second)
        self._update(third, self.stable, second, third)
        self._only_shared(second, third)
        self._promote()
        self._healthy(third)

    def _update(self, color: str, *may_answer: str) -> None:
        """Until it is paused at 50 %."""
        self.ledger.now(f"to {color}", *may_answer)
        container = routes.NAME
        self._instance.shell(f"kubectl argo rollouts set image {container} {container}=argoproj/rollouts-demo:{color}")
        eventually(lambda: self._at_half(color), SECONDS)

    def _at_half(self, color: str) -> bool:
        found = self._instance.get("rollout", routes.NAME)
        status = found.get("status") or {}
        now = status.get("observedGeneration") == str(found["metadata"]["generation"])
        weight = ((status.get("canary") or {}).get("weights") or {}).get("canary") or {}
        return now and status.get("phase") == "Paused" and weight.get("weight") == 50

    def _promote(self) -> None:
        self._type("promote")

    def _healthy(self, color: str) -> None:
        self._until("Healthy")
        before, self.stable = self.stable, color
        self._only(color, before)

    def _only(self, color: str, before: str) -> None:
        """`before` may answer for the time of propagation, and no longer."""
        since = time.monotonic()
        self.ledger.now(f"all is {color}, the gateway follows", color, before)
        eventually(lambda: time.monotonic() > since + PROPAGATION, SECONDS)
        self.ledger.now(f"all is {color}", color)
        self.visitors.colors(int(self.visitors.traffic.rate * (routes.DELAY + 2)))  # the old pods end under load
        old = [seen.sent - since for seen in list(self.visitors.traffic.answers) if seen.color == before]
        self.followed.append(round(max(0.0, *old, 0.0), 2))

    def _only_shared(self, left: str, new: str) -> None:
        """All traffic has left the version in the middle."""
        since = time.monotonic()
        eventually(lambda: time.monotonic() > since + PROPAGATION, SECONDS)
        self.ledger.now(f"{left} is left for {new}", self.stable, new)

    def _type(self, command: str) -> None:
        self._instance.shell(f"kubectl argo rollouts {command} {routes.NAME}")

    def _until(self, phase: str) -> None:
        def so() -> bool:
            found = self._instance.get("rollout", routes.NAME)
            status = found.get("status") or {}
            return (status.get("observedGeneration"), status.get("phase")) == (
                str(found["metadata"]["generation"]),
                phase,
            )

        eventually(so, SECONDS)

    def _apply(self, objects: list[Any]) -> None:
        path = self._instance.data / "applied.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        self._instance.shell(f"kubectl apply -f {path}")

    def clear(self) -> None:
        """Stops the requests and deletes all objects."""
        if self.ledger.moments:
            self.visitors.stop()
        path: Path = self._instance.data / "applied.json"
        self._instance.shell(f"kubectl delete --ignore-not-found -f {path}", check=False)
        eventually(lambda: not self._instance.shell("kubectl get pods -o name"), SECONDS)


@contextmanager
def releases(
    instance: Instance, gateway: str, router: str, *, rate: float = 100.0, port: int = 0, slow: bool = False
) -> Generator[Releases]:
    made = Releases(instance, gateway, router, rate=rate, port=port, slow=slow)
    try:
        made.begin()
        yield made
    finally:
        made.clear()

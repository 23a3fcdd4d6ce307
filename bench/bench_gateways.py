"""Requests through releases on real gateways: how many are lost, and how long a version still answers at weight 0.

    bench_gateways.py [--requests N] [ROUTER ...]      20,000 for each router at 200 a second, and all routers by default

nginx, gateway-api, traefik       Traefik of `serinus up`: annotations of Ingresses, HTTPRoute, TraefikService
istio-hosts, istio-subsets        istiod and Envoy beside `serinus up`; left out where they are not built (`make test-gateways`)

A turn is a canary to its end and back, an abort at 50 %, and a third version in the middle of an update. Turns with quick pods and with
pods that take 3 s to start and 2 s to stop alternate until N requests were sent. Prints one line of JSON for each router.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.gateways.istio import Istio
from tests.gateways.releases import PROPAGATION, releases
from tests.gateways.routes import ROUTERS
from tests.support.cluster.binary import NoBinary
from tests.support.cluster.requests_ledger import Bad, summary
from tests.support.instance.live import Instance

REQUESTS, RATE = 20_000, 200.0


def measure(instance: Instance, gateway: str, port: int, router: str, requests: int) -> dict[str, Any]:
    """`slowest_follow_s`: the longest time for which a version answered after it was seen that all traffic had left it."""
    total, turns, began = 0, 0, time.monotonic()
    bad: list[Bad] = []
    followed: list[float] = []
    while total < requests:
        with releases(instance, gateway, router, rate=RATE, port=port, slow=turns % 2 == 1) as there:
            there.there_and_back()
            there.aborted()
            there.third_in_the_middle()
        turns += 1
        total += there.visitors.traffic.total
        bad += there.ledger.bad(list(there.visitors.traffic.answers))
        followed += there.followed
        print(
            f"  {router}: {total} requests, {len(bad)} bad, load {os.getloadavg()[0]:.0f}", file=sys.stderr, flush=True
        )
    found = {"router": router, "turns": turns, **summary(total, bad), "slowest_follow_s": max(followed)}
    return {
        **found,
        "allowed_s": PROPAGATION,
        "seconds": round(time.monotonic() - began),
        "load": round(os.getloadavg()[0], 1),
    }


def alone(router: str, requests: int, directory: Path) -> dict[str, Any]:
    """On an instance of its own."""
    instance = Instance(directory / "data")
    with contextlib.ExitStack() as parts:
        parts.callback(instance.down)
        instance.up()
        gateway, port = instance.status["gateway"], 0
        if router.startswith("istio"):
            istio = parts.enter_context(Istio(instance, directory / "istio"))
            gateway, port = istio.url, istio.port
        return measure(instance, gateway, port, router, requests)


def main() -> int:
    words = sys.argv[1:]
    requests = REQUESTS
    if words[:1] == ["--requests"]:
        requests, words = int(words[1].replace(",", "")), words[2:]
    if unknown := set(words) - set(ROUTERS):
        sys.exit(f"bench_gateways.py: {', '.join(sorted(unknown))}: use {', '.join(ROUTERS)}")
    failed = 0
    for router in words or ROUTERS:
        with tempfile.TemporaryDirectory(prefix="serinus-gateways-") as directory:
            try:
                found = alone(router, requests, Path(directory))
            except NoBinary as error:
                print(f"{router}: left out: {error}", file=sys.stderr)
                continue
        print(json.dumps(found), flush=True)
        failed += found["lost"] + found["wrongly_answered"]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

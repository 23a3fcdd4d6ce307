"""The time from an image patch to the written weight, for each router, in turns on one real control plane.

    route_latency.py [COUNT]      canaries of each router, 40 by default; needs root, and Go for the first build

All routers have as many Rollouts. One canary of each router follows another, so that other work of the machine slows all of them alike.
Prints one line of JSON for each router, in milliseconds, with the ratio of its median to that of nginx.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack

from scale import load_of, own_cluster, percentiles
from scale_load import Load
from scale_routes import ROUTERS

from tests.support.cluster.binary import NoBinary, binary
from tests.support.cluster.cluster import Cluster
from tests.support.cluster.network import NoNetwork

COUNT = 40


async def measure(cluster: Cluster, count: int) -> dict[str, list[float]]:
    """Seconds of each router's canaries."""
    taken: dict[str, list[float]] = {router: [] for router in ROUTERS}
    async with AsyncExitStack() as parts:
        loads: dict[str, Load] = {}
        for router, routing in ROUTERS.items():
            loads[router] = await parts.enter_async_context(
                load_of(cluster, count, routing, prefix=router, kubelet=router == "nginx")
            )
        for load in loads.values():
            await load.create()
        for load in loads.values():
            await load.until("Healthy")
        for number in range(count):
            for router, load in loads.items():
                await load.update_one(load.keys[number], "argoproj/rollouts-demo:green")
                taken[router].append(await load.weight_of(load.keys[number]))
    return taken


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    try:
        with own_cluster(binary(), *ROUTERS) as cluster:
            taken = asyncio.run(measure(cluster, count))
    except (NoBinary, NoNetwork) as error:
        print(f"route_latency.py: {error}", file=sys.stderr)
        return 1
    nginx = percentiles(taken["nginx"])["p50"]
    for router, seconds in taken.items():
        found = percentiles(seconds)
        load = round(os.getloadavg()[0], 1)
        print(json.dumps({"router": router, **found, "of_nginx": round(found["p50"] / nginx, 2), "load": load}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The cost of the controller process while thousands of Rollouts are settled and some are released, on the real control plane.

    scale_settled.py [--minutes M] [--router R] [ROLLOUTS [RELEASES]]      10,000 and 500 by default; prints one line of JSON

The Rollouts of scale.py, created at a bounded rate: the next ones follow when these are Healthy. After M minutes it creates no
more, and measures those that there are. Then, in this order: an idle minute, a restart, RELEASES canaries (update, pause at 20 %,
promotion, the old pods gone) among all others, and another restart.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

from scale import SCALE_DOWN_SECONDS, calm, idle, load_of, meter_of, option, own_cluster, restart
from scale_load import Load
from scale_routes import ROUTERS

from tests.support.cluster.binary import NoBinary, binary
from tests.support.cluster.cluster import Cluster
from tests.support.cluster.network import NoNetwork

BATCH = 250
"""Rollouts that are created before the next ones wait for them."""
IDLE_SECONDS = 60.0


async def measure(cluster: Cluster, count: int, releases: int, router: str, seconds: float) -> dict[str, Any]:
    found: dict[str, Any] = {"router": router, "asked": count, "load_average": os.getloadavg()}
    async with load_of(cluster, count, ROUTERS[router]) as work:
        await _create(cluster, work, seconds, found)
        await calm(meter_of(cluster))
        meter = meter_of(cluster)
        found["memory_mb"] = {"now": round(meter.memory("VmRSS"), 1), "peak": round(meter.memory(), 1)}
        found["idle"] = await idle(meter, IDLE_SECONDS)
        found["restart"] = await restart(cluster)
        _say(found)
        keys = work.keys[:: max(1, len(work.keys) // releases)][:releases]
        found["releases"] = await _release(cluster, work, keys)
        found["memory_after_releases_mb"] = round(meter_of(cluster).memory(), 1)
        found["restart_after_releases"] = await restart(cluster)
        found["load_average_at_the_end"] = os.getloadavg()
    return found


async def _create(cluster: Cluster, work: Load, seconds: float, found: dict[str, Any]) -> None:
    meter, began = meter_of(cluster), time.monotonic()
    done = 0
    while done < len(work.keys) and time.monotonic() - began < seconds:
        batch = work.keys[done : done + BATCH]
        await work.create(batch)
        await work.until("Healthy", batch)
        done += len(batch)
        found["created"] = {
            "rollouts": done,
            "wall_s": round(time.monotonic() - began),
            "cpu_s": round(meter.cpu(), 1),
            "memory_mb": round(meter.memory("VmRSS"), 1),
        }
        _say(found)
    del work.keys[done:]


async def _release(cluster: Cluster, work: Load, keys: list[tuple[str, str]]) -> dict[str, Any]:
    meter = meter_of(cluster)
    calls, before, began = meter.calls(), meter.cpu(), time.monotonic()
    await work.update("argoproj/rollouts-demo:green", keys)
    await work.until("Paused", keys)
    paused = time.monotonic() - began
    await work.promote(keys)
    await work.until("Healthy", keys)
    healthy = time.monotonic() - began
    await asyncio.sleep(SCALE_DOWN_SECONDS)
    await calm(meter)
    cpu, spent = meter.cpu() - before, meter.calls() - calls
    return {
        "rollouts": len(keys),
        "cpu_s": round(cpu, 2),
        "cpu_ms_each": round(1000 * cpu / len(keys), 1),
        "paused_s": round(paused, 1),
        "healthy_s": round(healthy, 1),
        "calls": dict(spent.most_common()),
    }


def _say(found: dict[str, Any]) -> None:
    print(f"  {found}", file=sys.stderr, flush=True)


def main() -> None:
    words = sys.argv[1:]
    minutes, router = float(option(words, "--minutes") or "inf"), option(words, "--router") or "nginx"
    count, releases = [*(int(word.replace(",", "")) for word in words), *(10_000, 500)[len(words) :]]
    try:
        with own_cluster(binary(), router) as cluster:
            print(json.dumps(asyncio.run(measure(cluster, count, releases, router, 60 * minutes))), flush=True)
    except (NoBinary, NoNetwork) as error:
        print(f"scale_settled.py: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()

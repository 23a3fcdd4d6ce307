"""The cost of the controller process for N Rollouts with one router, on the real control plane.

    scale.py [--router R] [--minutes M] [N ...]      nginx, 500 and 2,000 by default; prints one line of JSON for each

R is a router of scale_routes.py; `--router R,S` runs each N with R and then with S.

With --minutes each N has M minutes; a phase that was not reached by then is reported as `stopped`.

For each N, in a network and a data directory of its own (needs root, and Go for the first build): create → healthy,
update → paused at 20 %, one by one from apply to weight, promote → healthy and the old pods gone, idle for 30 s; a restart
with N settled, and one with N in mid-canary. Pods are made ready by `fake_kubelet.py`. All of it shares this machine's cores.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from controller_meter import Meter, writes
from scale_load import Load
from scale_routes import ROUTERS, Routing

from serinus.kube.client import Client
from serinus.kube.configuration.config import Flags, load
from serinus.kube.http.https import HttpsHandler
from tests.support.cluster.binary import NoBinary, binary
from tests.support.cluster.cluster import Cluster
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.network import NoNetwork, own_network

COUNTS = (500, 2000)
DEFINITIONS = Path(__file__).parents[1] / "tests" / "recordings" / "routers" / "crds.yaml"
SINGLES = 100
IDLE_SECONDS = 30.0
CALM_SECONDS = 1.0
SCALE_DOWN_SECONDS = 32.0
"""The default delay after which the old pods go, and a little."""


async def measure(cluster: Cluster, count: int, router: str, seconds: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {"router": router, "rollouts": count}
    async with load_of(cluster, count, ROUTERS[router]) as work:
        began, work.patience = time.monotonic(), seconds or work.patience
        try:
            async with asyncio.timeout(seconds):
                await _measure(cluster, count, work, found)
        except TimeoutError:
            meter, doing = meter_of(cluster), str(found.get("doing"))
            found["stopped"] = {"after_s": round(time.monotonic() - began), "doing": doing, "phases": work.phases}
            found["stopped"] |= {"cpu_s": round(meter.cpu(), 1), "peak_memory_mb": round(meter.memory(), 1)}
        found.pop("doing", None)
    return found


async def _measure(cluster: Cluster, count: int, work: Load, found: dict[str, Any]) -> None:
    """Fills `found`; `doing` is its current phase."""
    meter = meter_of(cluster)
    found["start_memory_mb"] = round(meter.memory("VmRSS"), 1)
    for name, start, phase in (
        ("create", work.create, "Healthy"),
        ("update", lambda: work.update("argoproj/rollouts-demo:green"), "Paused"),
        ("promote", work.promote, "Healthy"),
    ):
        found["doing"] = name
        calls, before, began = meter.calls(), meter.cpu(), time.monotonic()
        await start()
        asked = time.monotonic() - began
        await work.until(phase)
        seconds = time.monotonic() - began
        if name == "promote":
            await asyncio.sleep(SCALE_DOWN_SECONDS)  # the old pods go: part of a canary
        await calm(meter)
        cpu = meter.cpu() - before
        spent = meter.calls() - calls
        found[name] = {
            "cpu_s": round(cpu, 2),
            "asked_in_s": round(asked, 1),
            "wall_s": round(seconds, 1),
            "calls": sum(spent.values()),
            "calls_by_kind": dict(spent.most_common()),
        }
        if name == "update":
            found["apply_to_weight_all_at_once_ms"] = percentiles(list(work.weights.values()))
        print(f"  {count}: {name} {found[name]}", file=sys.stderr, flush=True)
    whole = sum(found[name]["cpu_s"] for name in ("create", "update", "promote"))
    found["cpu_ms_a_canary"] = round(1000 * whole / count, 1)
    found["calls_a_canary"] = round(sum(found[n]["calls"] for n in ("create", "update", "promote")) / count, 1)
    found["peak_memory_mb"] = round(meter.memory(), 1)
    found["doing"] = "idle and restarts"
    found["idle"] = await idle(meter)
    found["restart_settled"] = await restart(cluster)
    found["apply_to_weight_one_by_one_ms"] = await _singles(work)
    await work.update("argoproj/rollouts-demo:yellow")
    await work.until("Paused")
    await calm(meter_of(cluster))
    found["restart_in_mid_canary"] = await restart(cluster)
    found["peak_memory_after_restart_mb"] = round(meter_of(cluster).memory(), 1)


@asynccontextmanager
async def load_of(
    cluster: Cluster, count: int, routing: Routing, *, prefix: str = "scale", kubelet: bool = True
) -> AsyncGenerator[Load]:
    """The work, with a kubelet beside it where there is none yet."""
    handler = HttpsHandler(load(Flags(kubeconfig=str(cluster.plane.kubeconfig()))))
    pods = _kubelet(cluster) if kubelet else None
    work = Load(Client(handler, user_agent="bench"), count, f"{prefix}-{count}", routing)
    running = asyncio.create_task(work.run())
    try:
        yield work
    finally:
        running.cancel()
        await asyncio.wait([running])
        if pods is not None:
            pods.terminate()
            pods.wait()
        await handler.close()


def _kubelet(cluster: Cluster) -> subprocess.Popen[bytes]:
    program = Path(__file__).with_name("fake_kubelet.py")
    return subprocess.Popen([sys.executable, str(program), str(cluster.plane.kubeconfig())])


def meter_of(cluster: Cluster) -> Meter:
    return Meter(cluster.processes["controller"].pid, cluster.metrics_port)


async def calm(meter: Meter) -> None:
    """Return when the controller sends no API calls except for its lease. The cost of the measurement is excluded."""
    quiet = 0
    while quiet < 2:
        before = meter.cpu()
        await asyncio.sleep(CALM_SECONDS)
        if meter.cpu() - before > 0.03:
            quiet = 0
            continue
        calls = meter.calls()
        await asyncio.sleep(CALM_SECONDS)
        spent = meter.calls() - calls
        quiet = 0 if spent - Counter({"Put Lease": spent["Put Lease"]}) else quiet + 1


async def idle(meter: Meter, seconds: float = IDLE_SECONDS) -> dict[str, Any]:
    calls, before = meter.calls(), meter.cpu()
    await asyncio.sleep(seconds)
    spent = meter.cpu() - before
    return {f"cpu_s_per_{seconds:g}_s": round(spent, 3), "calls": dict(meter.calls() - calls)}


async def restart(cluster: Cluster) -> dict[str, Any]:
    """Stops it in order and starts it again. `calm_s`: the time until the queue is empty and the CPU is idle."""
    cluster.kill("controller", signal.SIGTERM)
    began = time.monotonic()
    await asyncio.to_thread(cluster.start_controller)
    ready = time.monotonic() - began
    meter = meter_of(cluster)
    calm, busy = time.monotonic(), meter.cpu()
    while time.monotonic() - calm < CALM_SECONDS:
        await asyncio.sleep(0.1)
        if (now := meter.cpu()) - busy > 0.02:
            calm, busy = time.monotonic(), now
    calls = meter.calls()
    return {
        "ready_s": round(ready, 2),
        "calm_s": round(calm - began, 2),
        "cpu_s": round(busy, 2),
        "calls": dict(calls.most_common()),
        "writes": dict(writes(calls)),
        "memory_mb": round(meter.memory(), 1),
    }


async def _singles(work: Load) -> dict[str, float]:
    """From a patch of the image to the weight, one Rollout after the other while all others are settled."""
    taken: list[float] = []
    keys = work.keys[:: max(1, len(work.keys) // SINGLES)][:SINGLES]
    for key in keys:
        await work.update_one(key, "argoproj/rollouts-demo:purple")
        taken.append(await work.weight_of(key))
    await work.promote(keys)
    await work.until("Healthy")
    return percentiles(taken)


def percentiles(seconds: list[float]) -> dict[str, float]:
    """In milliseconds."""
    found = sorted(1000 * s for s in seconds)
    picked = {f"p{p}": round(found[min(len(found) - 1, len(found) * p // 100)], 1) for p in (50, 90, 99)}
    return {"count": len(found), "mean": round(statistics.mean(found), 1), **picked, "max": round(found[-1], 1)}


def option(words: list[str], name: str) -> str:
    """Removes an option with its value from the words; "" where it is not given."""
    if name not in words:
        return ""
    at = words.index(name)
    value = words[at + 1]
    del words[at : at + 2]
    return value


def main() -> None:
    words = sys.argv[1:]
    minutes = option(words, "--minutes")
    routers = (option(words, "--router") or "nginx").split(",")
    if unknown := set(routers) - ROUTERS.keys():
        sys.exit(f"scale.py: --router {', '.join(sorted(unknown))}: use {', '.join(ROUTERS)}")
    counts = [int(word.replace(",", "")) for word in words] or COUNTS
    try:
        program = binary()
        for count in counts:
            for router in routers:
                print(json.dumps(alone(program, count, router, 60 * float(minutes) if minutes else None)), flush=True)
    except (NoBinary, NoNetwork) as error:
        print(f"scale.py: {error}", file=sys.stderr)
        sys.exit(1)


def alone(program: Path, count: int, router: str, seconds: float | None) -> dict[str, Any]:
    """Measures on a control plane of its own."""
    with own_cluster(program, router) as cluster:
        return asyncio.run(measure(cluster, count, router, seconds))


@contextmanager
def own_cluster(program: Path, *routers: str) -> Generator[Cluster]:
    """A control plane without a node in a network of its own, with the definitions of all routers if one of these needs them."""
    with own_network():
        directory = Path(tempfile.mkdtemp(prefix="serinus-scale-"))
        cluster = Cluster(ControlPlane(program, directory), node=False)
        try:
            cluster.start()
            if not {"nginx", "alb"}.issuperset(routers):
                cluster.kubectl("apply", "--server-side", "-f", str(DEFINITIONS))
            yield cluster
        finally:
            cluster.stop()
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()

"""User waiting times, and lost requests during a release: real processes, real requests through the gateway.

up                from `serinus up -d` to ready, and the memory of all processes of Serinus
first answer      from `kubectl apply` of a new image to the first answer of the new version
there and back    20, 50, 70, 100 %, the same back to the other colour, and an abort, under 200 requests a second;
                  with quick pods, and with pods that take 3 s to start and 2 s to stop
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import serinus.demo
from serinus.demo.traffic import DemoTraffic

BIN = Path(sys.executable).parent
MANIFESTS = Path(serinus.demo.__file__).with_name("manifests") / "automatic"
NAME = "canary-demo"


class Instance:
    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.manifest = directory / "rollout.yaml"

    def serinus(self, *arguments: str) -> str:
        return run([str(BIN / "serinus"), *arguments, "--data", str(self.data)])

    def up(self) -> None:
        self.serinus("up", "-d", "--port", "0", "--api-port", "0")
        self.status = json.loads(self.serinus("status", "-o", "json"))

    def kubectl(self, *arguments: str) -> str:
        return run([str(BIN / "kubectl"), *arguments], KUBECONFIG=self.status["kubeconfig"])

    def rollouts(self, *arguments: str) -> str:
        return run([str(BIN / "kubectl-argo-rollouts"), *arguments], KUBECONFIG=self.status["kubeconfig"])

    def release(self, color: str, delays: dict[str, str]) -> None:
        text = (MANIFESTS / "canary-rollout.yaml").read_text().replace(":blue", f":{color}")
        text = text.replace("pause: {}", "pause: {duration: 2s}").replace("duration: 30s", "duration: 2s")
        text = text.replace("      steps:", "      scaleDownDelaySeconds: 3\n      steps:")
        env = json.dumps([{"name": name, "value": value} for name, value in delays.items()])
        ready = json.dumps({"httpGet": {"path": "/color", "port": 8080}, "periodSeconds": 1})
        text = text.replace("        ports:", f"        env: {env}\n        readinessProbe: {ready}\n        ports:")
        self.manifest.write_text(text)
        self.kubectl("apply", "-f", str(self.manifest))

    def phase(self) -> str:
        return self.kubectl("get", "rollout", NAME, "-o", "jsonpath={.status.phase}")


def run(command: list[str], **environment: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}: {done.stderr}")
    return done.stdout


async def until(instance: Instance, wanted: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while (phase := await asyncio.to_thread(instance.phase)) != wanted:
        if time.monotonic() > end:
            sys.exit(f"the Rollout is {phase!r} after {seconds} s, not {wanted!r}")
        await asyncio.sleep(0.2)


async def first_answer(traffic: DemoTraffic, color: str, since: float) -> float:
    loop = asyncio.get_running_loop()
    while not traffic.between(since, loop.time())[color]:
        await asyncio.sleep(0.01)
        if loop.time() - since > 60:
            sys.exit(f"{color} never answered")
    return loop.time() - since


async def there_and_back(instance: Instance, delays: dict[str, str]) -> dict[str, Any]:
    instance.release("blue", delays)
    instance.kubectl("apply", "-f", str(MANIFESTS / "canary-demo-service.yaml"))
    instance.kubectl("apply", "-f", str(MANIFESTS / "canary-demo-ingress.yaml"))
    await until(instance, "Healthy")
    await asyncio.sleep(1)
    traffic = DemoTraffic(f"{instance.status['gateway']}/color", "canary.auto", 200)
    task = asyncio.create_task(traffic.run())
    loop = asyncio.get_running_loop()
    found: dict[str, Any] = {}
    for color in ("green", "blue"):
        since = loop.time()
        await asyncio.to_thread(instance.release, color, delays)
        seconds = await first_answer(traffic, color, since)
        found[f"first_answer_{color}_seconds"] = round(seconds, 2)
        await until(instance, "Healthy")
    # The delayed end of the last old pods falls under load too.
    await asyncio.sleep(6)
    since = loop.time()
    await asyncio.to_thread(instance.release, "yellow", delays)
    await first_answer(traffic, "yellow", since)
    await asyncio.to_thread(instance.rollouts, "abort", NAME)
    await until(instance, "Degraded")
    await asyncio.sleep(35)
    task.cancel()
    await asyncio.wait([task])
    return {**found, "requests": traffic.total, "failed": traffic.failed, "failures": dict(traffic.failures)}


def memory_mb(pid: int) -> float:
    """Resident memory of `up` and the keeper, in MB; the gateway and pods are not ours to shrink."""
    return round(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def main() -> None:
    for name, delays in (("quick pods", {}), ("slow pods", {"START_DELAY": "3", "STOP_DELAY": "2"})):
        directory = Path(tempfile.mkdtemp(prefix="serinus-bench-"))
        instance = Instance(directory)
        try:
            began = time.monotonic()
            instance.up()
            up = time.monotonic() - began
            found = asyncio.run(there_and_back(instance, delays))
            print(
                json.dumps(
                    {"case": name, "up_seconds": round(up, 2), **found, "memory_mb": memory_mb(instance.status["pid"])}
                ),
                flush=True,
            )
        finally:
            instance.serinus("down")
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()

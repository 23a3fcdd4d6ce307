"""The cost of slow or silent receivers: the memory of queued messages, and the time of a release.

10,000 messages   through one receiver that takes 50 ms for each, in virtual time: their order and memory
a release         from a new image to its first weight, with and without ten subscriptions to a receiver that never answers;
                  alternately, in one run of `serinus up`, with real pods
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from socket import create_server
from typing import Any

import looptime
from bench_canary import Instance

from serinus.analysis.providers.http.client import HttpResponse
from serinus.notifications.delivery import Delivery, Letter, Line
from serinus.notifications.fields import read
from serinus.notifications.services.registry import SERVICES
from serinus.notifications.services.service import ServiceContext
from serinus.notifications.texts import Notification

MESSAGES, ANSWER_SECONDS = 10_000, 0.05
MOST_BYTES_EACH = 4096
RELEASES = 8
SLOWER = 1.05
NAP = "notifications.argoproj.io"
TRIGGERS = (
    "rollout-updated",
    "rollout-paused",
    "rollout-step-completed",
    "new-replica-set-created",
    "scaling-replica-set",
)


class SlowReceiver:
    """Takes each message after a while. It is also the delivery's source of services, and its report target."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.failures = 0
        self.all = asyncio.Event()
        self._options, _ = read({"url": "http://receiver.test/"}, SERVICES["webhook"].Options)

    async def request(self, method: str, url: str, *, body: bytes | None = None, **_: Any) -> HttpResponse:
        await asyncio.sleep(ANSWER_SECONDS)
        self.bodies.append(body or b"")
        if len(self.bodies) == MESSAGES:
            self.all.set()
        return HttpResponse(200, {}, b"")

    def service(self, line: Line) -> tuple[str, Any, ServiceContext]:
        return "webhook", self._options, ServiceContext(self, self.now)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def threads(self, letter: Letter) -> Mapping[str, str]:
        return {}

    def delivered(self, letter: Letter, remembered: Mapping[str, str] | None) -> None: ...

    def delayed(self, letter: Letter, until: float) -> None: ...

    def replaced(self, letter: Letter) -> None: ...

    def failed(self, letter: Letter) -> None:
        self.failures += 1


async def messages() -> tuple[SlowReceiver, int]:
    """(the receiver, bytes of all messages while they wait)."""
    receiver = SlowReceiver()
    delivery = Delivery(receiver, receiver)
    tracemalloc.start()
    for number in range(MESSAGES):
        text = Notification(f"Rollout web-{number:05} has been paused.")
        delivery.submit(Letter(("", "hook", ""), text, ("t",), receiver.now(), None))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    running = asyncio.create_task(delivery.run())
    await receiver.all.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return receiver, size


def through_a_slow_receiver() -> bool:
    loop = looptime.new_event_loop(start=0)
    began = time.process_time()
    receiver, size = loop.run_until_complete(messages())
    loop.close()
    in_order = receiver.bodies == sorted(receiver.bodies) and len(receiver.bodies) == MESSAGES
    found = {
        "messages": len(receiver.bodies),
        "given_up": receiver.failures,
        "in_order": in_order,
        "bytes_each": size // MESSAGES,
        "cpu_seconds": round(time.process_time() - began, 1),
    }
    print(json.dumps(found), flush=True)
    return in_order and size // MESSAGES <= MOST_BYTES_EACH


def silent_receiver() -> int:
    """The port of a server that accepts connections and never answers."""
    server, kept = create_server(("127.0.0.1", 0)), []

    def accept() -> None:
        while True:
            kept.append(server.accept())

    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


def objects(port: int) -> str:
    config: dict[str, str] = {
        "service.webhook.a": f"url: http://127.0.0.1:{port}/a",
        "service.webhook.b": f"url: http://127.0.0.1:{port}/b",
        "template.t": "message: '{{.rollout.metadata.name}} {{.event.reason}}'",
        **{f"trigger.on-{name}": "- send: [t]" for name in TRIGGERS},
    }
    name = "argo-rollouts-notification-configmap"
    made: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": config}]
    for rollout in ("quiet", "subscribed"):
        notes = {f"{NAP}/subscribe.on-{one}.{service}": "" for one in TRIGGERS for service in "ab"}
        container = {
            "name": "web",
            "image": "argoproj/rollouts-demo:blue",
            "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/color", "port": 8080}, "periodSeconds": 1},
        }
        labels = {"app": rollout}
        made.append(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Rollout",
                "metadata": {"name": rollout, "annotations": notes if rollout == "subscribed" else {}},
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
                    "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}},
                },
            }
        )
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": made})


def released(instance: Instance, name: str, color: str) -> float:
    """Seconds from the new image to its weight."""
    began = time.monotonic()
    instance.rollouts("set", "image", name, f"web=argoproj/rollouts-demo:{color}")
    instance.kubectl("wait", f"rollout/{name}", "--for=jsonpath={.status.phase}=Paused", "--timeout=90s")
    seconds = time.monotonic() - began
    instance.rollouts("promote", name, "--full")
    instance.rollouts("status", name, "--timeout", "90s")
    return seconds


def beside_a_silent_receiver() -> bool:
    directory = Path(tempfile.mkdtemp(prefix="serinus-bench-"))
    instance = Instance(directory)
    try:
        instance.up()
        instance.manifest.write_text(objects(silent_receiver()))
        instance.kubectl("apply", "-f", str(instance.manifest))
        found: dict[str, list[float]] = {"quiet": [], "subscribed": []}
        for name in found:
            instance.rollouts("status", name, "--timeout", "90s")
        for number in range(RELEASES):
            names = list(found) if number % 2 else list(reversed(found))
            for name in names:
                found[name].append(released(instance, name, ("green", "blue")[number % 2]))
        quiet, subscribed = (statistics.median(found[name]) for name in ("quiet", "subscribed"))
        shown = {"none_seconds": quiet, "ten_subscriptions_seconds": subscribed, "ratio": subscribed / quiet}
        print(json.dumps({name: round(value, 3) for name, value in shown.items()}), flush=True)
        return subscribed <= quiet * SLOWER
    finally:
        instance.serinus("down")
        shutil.rmtree(directory)


if __name__ == "__main__":
    kept = through_a_slow_receiver()
    sys.exit(0 if beside_a_silent_receiver() and kept else 1)

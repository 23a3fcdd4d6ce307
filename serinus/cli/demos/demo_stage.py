"""The base of every demo: a watch of the instance's API, real traffic through its gateway, commands of a user.

A demo only watches through the API. All changes are made with `kubectl` or `kubectl argo rollouts`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

import serinus.demo
from serinus.api.meta import ObjectMeta
from serinus.api.resources import INGRESSES, ROLLOUTS
from serinus.api.rollout import Rollout
from serinus.cli.demos.demo_screen import DemoScreen
from serinus.demo.traffic import DemoTraffic, share
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.informer import Informer

MANIFESTS = Path(serinus.demo.__file__).with_name("manifests")
NAMESPACE, NAME, HOST = "default", "canary-demo", "canary.auto"
OLD, NEW = "blue", "green"
WEIGHT_ANNOTATION = "nginx.ingress.kubernetes.io/canary-weight"
STUCK_SECONDS = 60.0
"""The demo fails if the next event takes longer. It then prints the last message of the Rollout."""


class DemoFailed(Exception):
    """The event that did not happen, in a sentence."""


class Annotated(msgspec.Struct):
    metadata: ObjectMeta


@dataclass(frozen=True, slots=True)
class DemoSettings:
    kubeconfig: Path
    gateway: str
    rate: float
    gate_seconds: float
    """How long the demo waits for a key at the pause before it promotes; 0 without a terminal."""


@dataclass
class Watcher:
    """The Rollout and the weight of its route, from the watch."""

    rollouts: Informer[Rollout]
    ingresses: Informer[Annotated]
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.rollouts.on_change(lambda _old, _new: self.changed.set())
        self.ingresses.on_change(lambda _old, _new: self.changed.set())

    @property
    def rollout(self) -> Rollout | None:
        return self.rollouts.items.get((NAMESPACE, NAME))

    @property
    def weight(self) -> int:
        """The percentage of requests that the new version should get now."""
        rollout = self.rollout
        status = rollout.status if rollout else None
        if status and self.started_from and status.stable_rs == status.current_pod_hash != self.started_from:
            return 100
        route = self.ingresses.items.get((NAMESPACE, f"{NAME}-{NAME}-canary"))
        text = route.metadata.annotations.get(WEIGHT_ANNOTATION, "0") if route else "0"
        return int(text) if text.isdigit() else 0

    @property
    def is_in_force(self) -> bool:
        """Whether the gateway is known to have this weight."""
        weights = self.rollout.status.canary.weights if self.rollout else None
        if not 0 < self.weight < 100 or weights is None:
            return True
        return weights.canary.weight == self.weight and weights.verified is not False

    started_from: str = ""
    """Hash of the version that was stable before the canary."""


class Stage:
    """`manifests`: the working directory of commands."""

    manifests = MANIFESTS / "demo"

    def __init__(self, settings: DemoSettings, client: Client, screen: DemoScreen) -> None:
        clock = SystemClock()
        self.settings, self.screen = settings, screen
        self.watch = Watcher(
            Informer(client, ROLLOUTS, Rollout, namespace=NAMESPACE, clock=clock),
            Informer(client, INGRESSES, Annotated, namespace=NAMESPACE, clock=clock),
        )
        self.traffic = DemoTraffic(f"{settings.gateway}/color", HOST, settings.rate)
        self.began = asyncio.get_running_loop().time()

    def noticed(self) -> None:
        """Called after each possible change, and at least five times a second."""

    def status(self, field_name: str) -> str:
        rollout = self.watch.rollout
        return str(getattr(rollout.status, field_name)) if rollout else ""

    async def until(self, what: str, happened: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + STUCK_SECONDS
        while not happened():
            self.noticed()
            self.watch.changed.clear()
            if happened():
                break
            try:
                async with asyncio.timeout(max(0.01, min(0.2, end - loop.time()))):
                    await self.watch.changed.wait()
            except TimeoutError:
                if loop.time() > end:
                    phase, message = self.status("phase"), self.status("message")
                    raise DemoFailed(
                        f"waited {STUCK_SECONDS:.0f} s for {what}; the Rollout says: {phase} {message}".rstrip()
                    ) from None
        self.noticed()

    async def look(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            self.noticed()
            await asyncio.sleep(min(0.1, left))

    async def until_answered(self) -> None:
        """Wait until the gateway serves the Ingress, shortly after the Rollout is healthy. Traffic counts from then."""
        import aiohttp

        loop = asyncio.get_running_loop()
        end = loop.time() + STUCK_SECONDS
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(self.traffic.url, headers={"Host": HOST}) as answer:
                        if answer.status == 200:
                            return
                        last = f"status {answer.status}"
                except aiohttp.ClientError as error:
                    last = str(error)
                if loop.time() > end:
                    raise DemoFailed(f"the gateway does not answer for {HOST}: {last}")
                await asyncio.sleep(0.05)

    async def redraw(self) -> None:
        view, loop = self.screen.view, asyncio.get_running_loop()
        while True:
            now = loop.time()
            counts = self.traffic.between(now - 3, now)
            total = sum(counts.values())
            view.ratio = {c: share(counts, c) if c else 100 * n / total for c, n in counts.items()}
            view.requests, view.failed = self.traffic.total, self.traffic.failed
            rollout = self.watch.rollout
            if rollout is not None:
                view.step = step_index(rollout)
            view.why = why(rollout)
            self.screen.refresh()
            await asyncio.sleep(0.2)

    async def kubectl(self, *arguments: str, shown: str = "", stdin: str = "") -> None:
        await self.command("kubectl", list(arguments), shown or f"kubectl {' '.join(arguments)}", stdin)

    async def command(self, program: str, arguments: list[str], shown: str, stdin: str = "") -> None:
        self.screen.say(f"$ {shown}")
        beside = Path(sys.executable).with_name(program)
        process = await asyncio.create_subprocess_exec(
            str(beside) if beside.exists() else program,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self.manifests,
            env={**os.environ, "KUBECONFIG": str(self.settings.kubeconfig)},
        )
        try:
            out, _ = await process.communicate(stdin.encode())
        except asyncio.CancelledError:
            process.kill()
            raise
        self.screen.say(out.decode(errors="replace").rstrip())
        if process.returncode:
            raise DemoFailed(f"`{shown}` ended with code {process.returncode}")


def why(rollout: Rollout | None) -> str:
    """Why the Rollout does not continue now."""
    if rollout is None or rollout.status.phase in ("", "Healthy"):
        return ""
    status = rollout.status
    pause = rollout.status.pause_conditions
    if status.phase == "Paused" and pause:
        step = current_step(rollout)
        duration = (step.get("pause") or {}).get("duration")
        return f"waits: this step lasts {duration}" if duration else "waits: this step lasts until it is promoted"
    return f"{status.phase}: {status.message}" if status.message else status.phase


def step_index(rollout: Rollout) -> int:
    """The index of the current step. It stays at the end until the controller has observed a new image."""
    return rollout.status.current_step_index or 0


def current_step(rollout: Rollout) -> dict[str, Any]:
    canary = rollout.spec.strategy.canary
    index = step_index(rollout)
    steps: list[dict[str, Any]] = msgspec.to_builtins(canary.steps if canary else [])
    return steps[index] if index < len(steps) else {}


@asynccontextmanager
async def background(work: Any) -> AsyncGenerator[None]:
    """Run a coroutine during the block, and cancel it at the end of the block."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception():
            raise task.exception()  # type: ignore[misc]

"""The demo: the walkthrough's canary on an instance of its own, with real traffic, told as it happens.

It uses what a user uses: `serinus up`, the real kubectl, `kubectl argo rollouts promote`. Through the API it only
watches.
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
from serinus.cli.demo_screen import Screen
from serinus.demo.report import Measured, Phases, measure, problems, summary
from serinus.demo.traffic import Traffic, share
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.informer import Informer

MANIFESTS = Path(serinus.demo.__file__).with_name("manifests") / "demo"
NAMESPACE, NAME, HOST = "default", "canary-demo", "canary.auto"
OLD, NEW = "blue", "green"
WEIGHTS = (20, 50, 70, 100)
WEIGHT_ANNOTATION = "nginx.ingress.kubernetes.io/canary-weight"
LOOK_SECONDS = 4.0
"""How long each state without a clock of its own is left to be looked at, and measured."""
STUCK_SECONDS = 60.0
"""After this long without the next thing happening the demo gives up and says what the Rollout said last."""


class DemoFailed(Exception):
    """What did not happen, in a sentence."""


class Annotated(msgspec.Struct):
    metadata: ObjectMeta


@dataclass(frozen=True, slots=True)
class DemoSettings:
    kubeconfig: Path
    gateway: str
    rate: float
    gate_seconds: float
    """How long the manual gate waits for a key before it opens by itself."""


@dataclass
class Watcher:
    """The Rollout and the weight of its route, as the API tells them."""

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

    started_from: str = ""
    """Hash of the version that was stable before the canary."""


class Walk:
    def __init__(self, settings: DemoSettings, client: Client, screen: Screen, key: asyncio.Event) -> None:
        clock = SystemClock()
        self._settings, self._screen, self._key = settings, screen, key
        self._watch = Watcher(
            Informer(client, ROLLOUTS, Rollout, namespace=NAMESPACE, clock=clock),
            Informer(client, INGRESSES, Annotated, namespace=NAMESPACE, clock=clock),
        )
        self._traffic = Traffic(f"{settings.gateway}/color", HOST, settings.rate)
        self._phases = Phases()
        self._began = asyncio.get_running_loop().time()

    async def run(self) -> bool:
        """The whole story. Whether all was as promised. The last line: the summary as JSON, on a terminal what to do next."""
        async with (
            _background(self._watch.rollouts.run()),
            _background(self._watch.ingresses.run()),
            _background(self._redraw()),
        ):
            trouble = ""
            try:
                await self._first_version()
                async with _background(self._traffic.run()):
                    await self._canary()
            except DemoFailed as error:
                trouble = str(error)
            return self._tell_end(trouble)

    async def _first_version(self) -> None:
        say = self._screen.say
        self._screen.view.doing = "Installing the first version (blue)"
        await self._kubectl("apply", "-f", "canary-rollout.yaml")
        await self._until("the Rollout to be seen", lambda: bool(self._status("phase")))
        say("The Rollout names what it misses and goes on by itself when it appears:")
        await self._look(1.0)
        await self._kubectl("apply", "-f", "canary-demo-service.yaml")
        await self._kubectl("apply", "-f", "canary-demo-ingress.yaml")
        await self._until("the first version to be healthy", lambda: self._status("phase") == "Healthy")
        await self._until_answered()
        self._watch.started_from = self._status("stable_rs")
        say(f"The first version is healthy and answers: every square is {OLD}.")

    async def _canary(self) -> None:
        say, view = self._screen.say, self._screen.view
        rollout = self._watch.rollout
        canary = rollout.spec.strategy.canary if rollout else None
        view.steps = [_step(step) for step in msgspec.to_builtins(canary.steps if canary else [])]
        view.doing = f"{self._settings.rate:.0f} requests a second go through the gateway"
        self._note_weight()
        await self._look(2.0)
        say(f"Now the image's tag changes from {OLD} to {NEW}, and the Rollout begins to walk its steps:")
        view.doing = "A canary is under way"
        text = (MANIFESTS / "canary-rollout.yaml").read_text().replace(f"rollouts-demo:{OLD}", f"rollouts-demo:{NEW}")
        await self._kubectl("apply", "-f", "-", shown="kubectl apply -f canary-rollout.yaml", stdin=text)
        await self._until("the first step", lambda: self._watch.weight == WEIGHTS[0])
        await self._until("the manual gate", lambda: self._status("phase") == "Paused")
        await self._gate()
        for weight in WEIGHTS[1:]:
            await self._until(f"weight {weight}", lambda w=weight: self._watch.weight == w)
        await self._until("the new version to be stable", lambda: self._status("phase") == "Healthy")
        view.doing, view.why = f"Done: {NEW} is the stable version", ""
        await self._look(LOOK_SECONDS)

    async def _gate(self) -> None:
        """The pause without a duration: a person promotes; unattended, after a while, the demo does."""
        await self._look(LOOK_SECONDS)
        if self._settings.gate_seconds > 0:
            self._screen.say(
                "The canary waits for a person. Press a key to promote it "
                f"(by itself in {self._settings.gate_seconds:.0f} s)."
            )
            self._key.clear()
            try:
                await asyncio.wait_for(self._key.wait(), self._settings.gate_seconds)
            except TimeoutError:
                self._screen.say("Nobody pressed a key, so the demo promotes it.")
        else:
            self._screen.say("The canary waits for a person. Nobody is at a terminal, so the demo promotes it.")
        await self._command("kubectl-argo-rollouts", ["promote", NAME], f"kubectl argo rollouts promote {NAME}")

    def _status(self, field_name: str) -> str:
        rollout = self._watch.rollout
        return str(getattr(rollout.status, field_name)) if rollout else ""

    async def _until(self, what: str, happened: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + STUCK_SECONDS
        while not happened():
            self._note_weight()
            self._watch.changed.clear()
            if happened():
                break
            try:
                await asyncio.wait_for(self._watch.changed.wait(), max(0.01, min(0.2, end - loop.time())))
            except TimeoutError:
                if loop.time() > end:
                    phase, message = self._status("phase"), self._status("message")
                    raise DemoFailed(
                        f"waited {STUCK_SECONDS:.0f} s for {what}; the Rollout says: {phase} {message}".rstrip()
                    ) from None
        self._note_weight()

    async def _look(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            self._note_weight()
            await asyncio.sleep(min(0.1, left))

    async def _until_answered(self) -> None:
        """The gateway hears of the Ingress a moment after the Rollout is healthy; only then traffic may count."""
        import aiohttp

        loop = asyncio.get_running_loop()
        end = loop.time() + STUCK_SECONDS
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(self._traffic.url, headers={"Host": HOST}) as answer:
                        if answer.status == 200:
                            return
                        last = f"status {answer.status}"
                except aiohttp.ClientError as error:
                    last = str(error)
                if loop.time() > end:
                    raise DemoFailed(f"the gateway does not answer for {HOST}: {last}")
                await asyncio.sleep(0.05)

    def _note_weight(self) -> None:
        now = asyncio.get_running_loop().time()
        previous = self._phases.seen[-1] if self._phases.seen else None
        if not self._phases.note(self._watch.weight, now):
            return
        if previous is not None and previous.weight:
            self._tell_share(measure(Phases([previous]), self._traffic, NEW, now)[0])
        if self._watch.weight:
            self._screen.say(f"Weight {self._watch.weight}: {self._watch.weight} of 100 requests are to see {NEW}.")

    def _tell_share(self, found: Measured) -> None:
        self._screen.say(f"  seen in real answers: {found.share} % {NEW} of {found.requests} at weight {found.weight}")

    async def _redraw(self) -> None:
        view, loop = self._screen.view, asyncio.get_running_loop()
        while True:
            now = loop.time()
            counts = self._traffic.between(now - 3, now)
            total = sum(counts.values())
            view.ratio = {c: share(counts, c) if c else 100 * n / total for c, n in counts.items()}
            view.requests, view.failed = self._traffic.total, self._traffic.failed
            rollout = self._watch.rollout
            if rollout is not None:
                view.step = _step_index(rollout)
            view.why = _why(rollout)
            self._screen.refresh()
            await asyncio.sleep(0.2)

    async def _kubectl(self, *arguments: str, shown: str = "", stdin: str = "") -> None:
        await self._command("kubectl", list(arguments), shown or f"kubectl {' '.join(arguments)}", stdin)

    async def _command(self, program: str, arguments: list[str], shown: str, stdin: str = "") -> None:
        self._screen.say(f"$ {shown}")
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name(program)),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=MANIFESTS,
            env={**os.environ, "KUBECONFIG": str(self._settings.kubeconfig)},
        )
        try:
            out, _ = await process.communicate(stdin.encode())
        except asyncio.CancelledError:
            process.kill()
            raise
        self._screen.say(out.decode(errors="replace").rstrip())
        if process.returncode:
            raise DemoFailed(f"`{shown}` ended with code {process.returncode}")

    def _tell_end(self, trouble: str) -> bool:
        now = asyncio.get_running_loop().time()
        self._phases.close(now)
        measured = measure(self._phases, self._traffic, NEW, now)
        if measured and measured[-1].weight == WEIGHTS[-1]:
            self._tell_share(measured[-1])
        found = [trouble] if trouble else []
        found += problems(measured, WEIGHTS, self._traffic.failed)
        self._screen.close()
        for problem in found:
            print(f"Not as promised: {problem}")
        for failure, times in self._traffic.failures.most_common(5):
            print(f"  {times} × {failure}")
        if not found:
            print(f"{self._traffic.total} requests, none failed; every weight was seen in real answers.")
            print("Next, with your own manifests: serinus up -d")
        if not self._screen.live:
            end = summary(measured, self._traffic.total, self._traffic.failed, now - self._began)
            print(msgspec.json.encode(end).decode(), flush=True)
        return not found


def _why(rollout: Rollout | None) -> str:
    """Why the Rollout does not go on by itself right now."""
    if rollout is None or rollout.status.phase in ("", "Healthy"):
        return ""
    status = rollout.status
    pause = rollout.status.pause_conditions
    if status.phase == "Paused" and pause:
        step = _current_step(rollout)
        duration = (step.get("pause") or {}).get("duration")
        return f"waits: this step lasts {duration}" if duration else "waits: this step lasts until a person promotes it"
    return f"{status.phase}: {status.message}" if status.message else status.phase


def _step_index(rollout: Rollout) -> int:
    """The controller leaves the index at the end until it has seen a new image."""
    return rollout.status.current_step_index or 0


def _current_step(rollout: Rollout) -> dict[str, Any]:
    canary = rollout.spec.strategy.canary
    index = _step_index(rollout)
    steps: list[dict[str, Any]] = msgspec.to_builtins(canary.steps if canary else [])
    return steps[index] if index < len(steps) else {}


def _step(step: dict[str, Any]) -> str:
    if "setWeight" in step:
        return f"{step['setWeight']} % of requests to {NEW}"
    duration = (step.get("pause") or {}).get("duration")
    return f"wait {duration}" if duration else "wait for a person (kubectl argo rollouts promote)"


@asynccontextmanager
async def _background(work: Any) -> AsyncGenerator[None]:
    """Runs a coroutine beside the block and ends it with it."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception():
            raise task.exception()  # type: ignore[misc]

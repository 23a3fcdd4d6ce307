"""The demo: the canary of the walkthrough on its own instance, with real traffic and a live report."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from serinus.api.messages.counted import counted
from serinus.api.messages.visible import visible_json
from serinus.cli.demos.demo_screen import DemoScreen
from serinus.cli.demos.demo_stage import NAME, NEW, OLD, DemoFailed, DemoSettings, Stage, background
from serinus.demo.report import MeasuredShare, Phases, measure, problems, summary
from serinus.kube.client import Client

WEIGHTS = (20, 50, 70, 100)
LOOK_SECONDS = 4.0
"""How long the demo shows, and measures, each state that has no duration."""


LEAST_SECONDS = 2.0
"""The least time of the first weight. It gives enough requests to show the share."""


class Walk(Stage):
    def __init__(self, settings: DemoSettings, client: Client, screen: DemoScreen, key: asyncio.Event) -> None:
        super().__init__(settings, client, screen)
        self.key = key
        self._phases = Phases()

    async def run(self) -> bool:
        """Run the demo. True if it met its promises. The last line: a JSON summary, or the next steps (terminal)."""
        async with (
            background(self.watch.rollouts.run()),
            background(self.watch.ingresses.run()),
            background(self.redraw()),
        ):
            trouble = ""
            try:
                await self._first_version()
                async with background(self.traffic.run()):
                    await self._canary()
            except DemoFailed as error:
                trouble = str(error)
            return self._tell_end(trouble)

    async def _first_version(self) -> None:
        say = self.screen.say
        self.screen.view.doing = "Installing the first version (blue)"
        await self.kubectl("apply", "-f", "canary-rollout.yaml")
        await self.until("the Rollout to name what it misses", lambda: bool(self.status("message")))
        say(f"The Rollout is {self.status('phase')}: {self.status('message')}")
        say("It continues when its Services and its Ingress appear.")
        await self.kubectl("apply", "-f", "canary-demo-service.yaml")
        await self.kubectl("apply", "-f", "canary-demo-ingress.yaml")
        await self.until("the first version to be healthy", lambda: self.status("phase") == "Healthy")
        await self.until_answered()
        self.watch.started_from = self.status("stable_rs")
        say(f"The first version is healthy and answers: every square is {OLD}.")

    async def _canary(self) -> None:
        say, view = self.screen.say, self.screen.view
        rollout = self.watch.rollout
        canary = rollout.spec.strategy.canary if rollout else None
        view.steps = [_step(step) for step in msgspec.to_builtins(canary.steps if canary else [])]
        view.doing = f"{counted(round(self.settings.rate), 'request')} a second go through the gateway"
        self.noticed()
        await self.look(2.0)
        say(f"Now the image's tag changes from {OLD} to {NEW}, and the Rollout begins its steps.")
        view.doing = "A canary is under way"
        text = (
            (self.manifests / "canary-rollout.yaml").read_text().replace(f"rollouts-demo:{OLD}", f"rollouts-demo:{NEW}")
        )
        await self.kubectl("apply", "-f", "-", shown="kubectl apply -f canary-rollout.yaml", stdin=text)
        await self.until("the first step", lambda: self.watch.weight == WEIGHTS[0])
        await self.until("the manual gate", self._paused)
        await self._gate()
        for weight in WEIGHTS[1:]:
            await self.until(f"weight {weight}", lambda w=weight: self.watch.weight == w)
        await self.until("the new version to be stable", lambda: self.status("phase") == "Healthy")
        view.doing, view.why = f"Done: {NEW} is the stable version", ""
        await self.look(LOOK_SECONDS)

    async def _gate(self) -> None:
        """The pause without a duration. The user promotes; without a user the demo does so after a while."""
        say, seconds = self.screen.say, self.settings.gate_seconds
        promote = f"kubectl argo rollouts promote {NAME}"
        self.key.clear()
        if seconds > 0:
            say(
                f"The canary waits for approval. Press a key to promote it (the demo does so in {seconds:.0f} s), or type:"
            )
            say(f"  {promote} --kubeconfig {self.settings.kubeconfig}")
            await self._until_key(seconds)
        else:
            say("The canary waits for approval. No terminal is attached, so the demo promotes it.")
            await self.look(LOOK_SECONDS)
        if self._paused():
            await self.command("kubectl-argo-rollouts", ["promote", NAME], promote)

    async def _until_key(self, seconds: float) -> None:
        """Wait until a key was pressed, the canary was promoted elsewhere, or `seconds` have passed."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not self.key.is_set() and self._paused():
            if loop.time() - began > seconds:
                self.screen.say("No key was pressed, so the demo promotes it.")
                return
            await self.look(0.1)
        if self.key.is_set():
            self.screen.say("A key was pressed: the canary is promoted.")
        await self.look(LEAST_SECONDS - (loop.time() - began))

    def _paused(self) -> bool:
        return self.status("phase") == "Paused"

    def noticed(self) -> None:
        now = asyncio.get_running_loop().time()
        previous = self._phases.seen[-1] if self._phases.seen else None
        if previous is not None and previous.weight != self.watch.weight and not self.watch.is_in_force:
            self._phases.close(now)  # the answers between two weights count for none
            return
        if not self._phases.note(self.watch.weight, now):
            return
        if previous is not None and previous.weight:
            self._tell_share(measure(Phases([previous]), self.traffic, NEW, now)[0])
        if self.watch.weight:
            self.screen.say(f"Weight {self.watch.weight}: {self.watch.weight} of 100 requests go to {NEW}.")

    def _tell_share(self, share: MeasuredShare) -> None:
        self.screen.say(
            f"  measured: {share.share} % of {counted(share.requests, 'answer')} were {NEW} at weight {share.weight}"
        )

    def _tell_end(self, trouble: str) -> bool:
        now = asyncio.get_running_loop().time()
        self._phases.close(now)
        measured = measure(self._phases, self.traffic, NEW, now)
        if measured and measured[-1].weight == WEIGHTS[-1]:
            self._tell_share(measured[-1])
        failures = [trouble] if trouble else []
        failures += problems(measured, WEIGHTS, self.traffic.failed)
        self.screen.close()
        for problem in failures:
            print(f"Not as promised: {problem}")
        for failure, times in self.traffic.failures.most_common(5):
            print(f"  {times} × {failure}")
        if not failures:
            print(f"{counted(self.traffic.total, 'request')}, none failed; the answers followed every weight.")
            print("Next, with your own manifests: serinus up -d")
        if not self.screen.live:
            end = summary(measured, self.traffic.total, self.traffic.failed, now - self.began)
            print(visible_json(msgspec.json.encode(end).decode()), flush=True)
        return not failures


def _step(step: dict[str, Any]) -> str:
    if "setWeight" in step:
        return f"{step['setWeight']} % of requests to {NEW}"
    duration = (step.get("pause") or {}).get("duration")
    return f"wait {duration}" if duration else "pause until it is promoted"

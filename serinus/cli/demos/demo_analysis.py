"""The demo of analyses: a version with 20 % failed responses is released, and rolled back automatically."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec

from serinus.api.analysis import AnalysisRun, MetricResult
from serinus.api.messages.counted import counted
from serinus.api.messages.visible import visible_json
from serinus.api.resources import ANALYSIS_RUNS
from serinus.cli.demos.demo_screen import DemoScreen
from serinus.cli.demos.demo_stage import (
    MANIFESTS,
    NAME,
    NAMESPACE,
    NEW,
    OLD,
    STUCK_SECONDS,
    DemoFailed,
    DemoSettings,
    Stage,
    background,
)
from serinus.cli.demos.demo_targets import DemoTargets
from serinus.cli.demos.demo_verdict import LEAST_RATE, WORSE, SecondAct, VerdictOutcome
from serinus.demo.prometheus import HOW_TO_GET_ONE, NoPrometheus, configuration, running, scraped
from serinus.demo.verdict import Cost, Moments, cost, problems, success_rate, summary
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.informer import Informer
from serinus.local.cannot_run import CannotRun
from serinus.local.traefik.gateway import free_port

ERRORS = 20
"""Percent of the new version's answers that fail."""
LOOK_SECONDS = 3.0
"""How long the demo shows the state after the rollback."""
_WRITTEN = {"prometheus": "http://127.0.0.1:9090", "web": "http://127.0.0.1:8080"}
"""The address in the manifest of each provider."""


class AnalysisWalk(Stage):
    """`monitor`: the address of Prometheus; "" without one: the demo then queries the application directly."""

    manifests = MANIFESTS / "analysis"

    def __init__(self, settings: DemoSettings, client: Client, screen: DemoScreen, monitor: str) -> None:
        super().__init__(settings, client, screen)
        self._monitor, self._provider = monitor, "prometheus" if monitor else "web"
        self._runs = Informer(client, ANALYSIS_RUNS, AnalysisRun, namespace=NAMESPACE, clock=SystemClock())
        self._runs.on_change(lambda _old, _new: self._see())
        self._moments = Moments()
        self._told = 0
        self._decided_by: float | None = None
        """The value of the first act's newest measurement."""
        self._first_act = True
        self._spent, self._requests = Cost(), 0
        self._outcome = VerdictOutcome()

    async def run(self) -> bool:
        """Run the demo. True if it met its promises. The last line: a JSON summary, or the next steps (terminal)."""
        async with (
            background(self.watch.rollouts.run()),
            background(self.watch.ingresses.run()),
            background(self._runs.run()),
            background(self.redraw()),
        ):
            trouble = ""
            try:
                await self._first_version()
                async with background(self.traffic.run()):
                    await self._bad_version()
                    self._spent, self._requests = cost(self.traffic.answers, self._moments), self.traffic.total
                    self._first_act = False
                    if self.settings.rate >= LEAST_RATE:
                        self._outcome = await SecondAct(
                            self, self._provider, self._with_address, self._runs.items
                        ).play()
            except DemoFailed as error:
                trouble = str(error)
            return self._tell_end(trouble)

    def _second_problems(self) -> list[str]:
        return self._outcome.problems() if self.settings.rate >= LEAST_RATE else []

    def _with_address(self, template: str) -> str:
        """The template with the address of the monitoring system in place of that of the manifest."""
        return template.replace(_WRITTEN[self._provider], self._monitor or self.settings.gateway)

    async def _first_version(self) -> None:
        self.screen.view.doing = f"Installing the first version ({OLD}) and its analysis"
        template = self._with_address((self.manifests / f"{self._provider}.yaml").read_text())
        await self.kubectl("apply", "-f", "-", shown=f"kubectl apply -f {self._provider}.yaml", stdin=template)
        await self.kubectl("apply", "-f", "services.yaml", "-f", "ingress.yaml", "-f", "rollout.yaml")
        await self.until("the first version to be healthy", lambda: self.status("phase") == "Healthy")
        await self.until_answered()
        self.watch.started_from = self.status("stable_rs")
        if self._monitor:
            await self._until_scraped()
            self.screen.say(f"Prometheus has found the pod and reads its metrics every second: {self._monitor}/graph")
        self.screen.say(f"The first version is healthy and answers: every square is {OLD}.")

    async def _until_scraped(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + STUCK_SECONDS
        while not await scraped(self._monitor):
            if loop.time() > end:
                raise DemoFailed(f"Prometheus has found no pod within {STUCK_SECONDS:.0f} s")
            await asyncio.sleep(0.1)

    async def _bad_version(self) -> None:
        say, view = self.screen.say, self.screen.view
        view.doing = f"{counted(round(self.settings.rate), 'request')} a second go through the gateway"
        await self.look(2.0)
        say(f"Now {NEW} is released. {ERRORS} % of its answers are errors, and no person watches:")
        text = (self.manifests / "rollout.yaml").read_text().replace(f"rollouts-demo:{OLD}", f"rollouts-demo:{NEW}")
        text = text.replace('value: "0"', f'value: "{ERRORS}"')
        self._moments.released = asyncio.get_running_loop().time()
        await self.kubectl("apply", "-f", "-", shown="kubectl apply -f rollout.yaml", stdin=text)
        await self.until("the new version to get traffic", lambda: self.watch.weight > 0)
        say(f"Weight {self.watch.weight}: {self.watch.weight} of 100 requests see {NEW}, and its analysis has begun.")
        view.doing = f"{NEW} serves, and is judged by what it does"
        await self.until("the verdict", lambda: self._moments.decided is not None)
        await self.until(f"weight 0 of {NEW}", lambda: self.watch.weight == 0)
        self._moments.taken_back = self._moments.taken_back or asyncio.get_running_loop().time()
        say(f"Weight 0: {OLD} answers all requests again.")
        await self.until("the Rollout to say so", lambda: self.status("phase") == "Degraded")
        view.doing = f"Done: {NEW} was rolled back"
        await self.look(LOOK_SECONDS)

    @property
    def _judged(self) -> MetricResult | None:
        """The result of the metric in the newest run."""
        runs = sorted(self._runs.items.values(), key=lambda run: run.metadata.creation_timestamp or "")
        return runs[-1].status.metric_results[0] if runs and runs[-1].status.metric_results else None

    @property
    def _threshold(self) -> float:
        for run in self._runs.items.values():
            for arg in run.spec.args:
                if arg.name == "least" and arg.value:
                    return float(arg.value)
        return 0.0

    @property
    def _value(self) -> float | None:
        """Of the newest measurement."""
        judged = self._judged
        return success_rate(judged.measurements[-1].value) if judged and judged.measurements else None

    def noticed(self) -> None:
        if self._moments.decided and self._moments.taken_back is None and self.watch.weight == 0:
            self._moments.taken_back = asyncio.get_running_loop().time()

    def _see(self) -> None:
        """The watch calls this when a run has changed."""
        self.watch.changed.set()
        if not self._first_act:
            return
        judged, now = self._judged, asyncio.get_running_loop().time()
        if judged is None:
            return
        if judged.count > self._told:
            self._told = judged.count
            self._decided_by = self._value
            value = "no requests yet" if self._value is None else f"{self._value:.3f}"
            phase = judged.measurements[-1].phase.lower()
            self.screen.say(f"  {judged.name} {value}, at least {self._threshold} is wanted: {phase}")
            if self._moments.decided is None:
                self._moments.measured = now
        if judged.phase == "Failed" and self._moments.decided is None:
            self._moments.decided = now

    def _tell_end(self, trouble: str) -> bool:
        now = asyncio.get_running_loop().time()
        spent = self._spent
        failures = (
            [trouble] if trouble else [*problems(self._decided_by, self._threshold, spent), *self._second_problems()]
        )
        self.screen.close()
        for problem in failures:
            print(f"Not as promised: {problem}")
        end = summary(
            self._provider,
            self._moments,
            self._decided_by,
            self._threshold,
            spent,
            self._requests,
            now - self.began,
        )
        end["second_act"] = self._outcome.summary()
        if not failures:
            print(
                f"{end['verdict_seconds']:.1f} s after its release {NEW} was judged: {self._decided_by} of its requests were"
                f" good, {self._threshold} are wanted. Weight 0 was seen {end['taken_back_seconds']:.2f} s after the"
                f" measurement that decided."
            )
            print(
                f"{spent.meanwhile} of {counted(self._requests, 'request')} failed meanwhile, the last one {spent.last:.2f} s after that."
            )
            seconds = self._outcome.seconds
            print(
                f"No second act: its verdict needs {LEAST_RATE:.0f} requests a second, --rate is lower."
                if seconds is None
                else f"{seconds:.1f} s after its release {WORSE} was judged, with a stated error bound: {self._outcome.sentence}."
            )
            print("How to write your own: docs/analysis.md and docs/verdicts.md")
        if not self._monitor:
            print(HOW_TO_GET_ONE)
        if not self.screen.live:
            print(visible_json(msgspec.json.encode(end).decode()), flush=True)
        return not failures


async def watched(
    settings: DemoSettings, client: Client, open_screen: Callable[[], DemoScreen], program: str | None
) -> bool:
    """The whole demo with this Prometheus, or without one. CannotRun if it does not start."""
    # Beside the instance's directory, in which `down` accepts no other program's files.
    directory = settings.kubeconfig.parents[1] / "prometheus"
    targets = DemoTargets(client, NAMESPACE, f"app={NAME}", directory / "targets.json")
    try:
        async with AsyncExitStack() as parts:
            monitor = ""
            if program is not None:
                port = free_port("127.0.0.1", 0)
                monitor = await parts.enter_async_context(
                    running(program, directory, configuration(targets.file), port)
                )
                await parts.enter_async_context(background(targets.pods.run()))
            shown = open_screen()
            parts.callback(shown.close)
            return await AnalysisWalk(settings, client, shown, monitor).run()
    except NoPrometheus as error:
        raise CannotRun(f"{error}. Without one: --prometheus none") from None

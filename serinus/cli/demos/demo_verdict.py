"""The second act of the demo of analyses: thresholds and a sequential verdict judge a slightly worse version."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serinus.api.analysis import AnalysisRun, MetricResult
from serinus.api.messages.counted import counted
from serinus.cli.demos.demo_stage import MANIFESTS, NAME, Stage

GOOD, WORSE = "orange", "purple"
GOOD_ERRORS, WORSE_ERRORS = 1, 3
"""Percent of the answers that fail."""
THRESHOLDS = {"95-percent-of-new": 95, "99-percent-of-new": 99, "99-percent-of-old": 99}
"""Metric of the template -> its threshold in percent."""
LEAST_RATE = 100.0
"""Requests a second that a verdict within a minute needs."""


@dataclass
class VerdictOutcome:
    """The result of each rule for the same traffic. `thresholds`: metric -> (looks that failed, looks)."""

    verdict: str = ""
    sentence: str = ""
    looks: int = 0
    seconds: float | None = None
    """From the release to the verdict."""
    thresholds: Mapping[str, tuple[int, int]] | None = None

    def problems(self) -> list[str]:
        """The promises that the demo did not meet, one sentence each."""
        return (
            [] if self.verdict == "harm" else [f"the sequential verdict on {WORSE} was {self.verdict or 'not given'!r}"]
        )

    def summary(self) -> dict[str, Any]:
        """`thresholds`: looks that failed, of all looks. They decide nothing."""
        return {
            "verdict": self.verdict,
            "looks": self.looks,
            "verdict_seconds": self.seconds,
            "thresholds": {name: list(counts) for name, counts in (self.thresholds or {}).items()},
        }

    def lines(self) -> list[str]:
        """A row for each rule, with the worse version and the stable version."""
        thresholds = self.thresholds or {}
        verdict = f"{self.verdict} after {counted(self.looks, 'look')}: aborted"
        lenient, strict, of_good = (thresholds.get(name, (0, 0)) for name in THRESHOLDS)
        return [
            f"{'':24}{WORSE}, {WORSE_ERRORS} % errors{'':22}{GOOD}, {GOOD_ERRORS} % errors: it serves already",
            f"{'at least 95 % good':24}{_words(lenient, 'abort it', 'miss it')}",
            f"{'at least 99 % good':24}{_words(strict, 'abort it', 'miss it'):40}"
            f"{_words(of_good, 'abort a good version', 'keep it')}",
            f"{'sequential verdict':24}{verdict:40}a good version is aborted in at most 5 %",
        ]


def _words(counts: tuple[int, int], failed: str, passed: str) -> str:
    bad, looks = counts
    if not looks:
        return "no look before the verdict"
    return f"{bad} of {counted(looks, 'look')} fail: would {failed if bad else passed}"


class SecondAct:
    """`runs`: the AnalysisRuns as the watch has them."""

    def __init__(
        self, stage: Stage, provider: str, fill_in: Callable[[str], str], runs: Mapping[Any, AnalysisRun]
    ) -> None:
        self._stage, self._provider, self._fill_in, self._runs = stage, provider, fill_in, runs

    async def play(self) -> VerdictOutcome:
        """Release the good version, then the worse one, and wait until it is rolled back."""
        stage, loop = self._stage, asyncio.get_running_loop()
        say, view = stage.screen.say, stage.screen.view
        folder = stage.manifests = MANIFESTS / "verdict"
        view.doing = "Second act: a version that is only a little worse"
        say(
            f"Second act. Every real service has some errors: {GOOD} fails {GOOD_ERRORS} % of its answers, and serves all requests."
        )
        before = stage.status("stable_rs")
        template = self._fill_in((folder / f"{self._provider}.yaml").read_text())
        await stage.kubectl("apply", "-f", "-", shown=f"kubectl apply -f {self._provider}.yaml", stdin=template)
        await stage.kubectl("apply", "-f", "rollout.yaml")
        await stage.command(
            "kubectl-argo-rollouts", ["promote", NAME, "--full"], f"kubectl argo rollouts promote {NAME} --full"
        )
        await stage.until(
            f"{GOOD} to serve", lambda: stage.status("phase") == "Healthy" and stage.status("stable_rs") != before
        )
        good = stage.watch.started_from = stage.status("stable_rs")
        text = (folder / "rollout.yaml").read_text().replace(f"rollouts-demo:{GOOD}", f"rollouts-demo:{WORSE}")
        say(f"Now {WORSE} is released. {WORSE_ERRORS} % of its answers are errors:")
        released = loop.time()
        await stage.kubectl(
            "apply", "-f", "-", shown="kubectl apply -f rollout.yaml", stdin=text.replace('value: "1"', 'value: "3"')
        )
        await stage.until("the new version to get traffic", lambda: stage.status("current_pod_hash") != good)
        view.doing = f"{WORSE} serves half of the requests, and is compared with {GOOD}"
        outcome = VerdictOutcome()
        await stage.until("the verdict", lambda: self._seen(outcome, released))
        await stage.until("the Rollout to be rolled back", lambda: stage.status("phase") == "Degraded")
        say(f"Rolled back: {GOOD} answers all requests again. What each rule said of the same requests:")
        say("\n".join(outcome.lines()))
        return outcome

    def _seen(self, outcome: VerdictOutcome, released: float) -> bool:
        """Copy the results of the newest run. True if it has the sequential verdict."""
        run = max(self._runs.values(), key=lambda one: int(one.metadata.resource_version or 0), default=None)
        results = {result.name: result for result in run.status.metric_results} if run is not None else {}
        verdict = results.get("verdict")
        value = _value(verdict) if verdict is not None else {}
        looks = int(value.get("looks") or 0)
        if verdict is None or not value:
            return False
        if looks > outcome.looks:
            evidence = value.get("evidence") or {}
            self._stage.screen.say(
                f"  look {looks}: evidence of harm {evidence.get('harm'):.3g} of {evidence.get('harmLimit'):g}"
            )
        outcome.looks = looks
        outcome.thresholds = {
            name: (results[name].failed, results[name].failed + results[name].successful)
            for name in THRESHOLDS
            if name in results
        }
        if verdict.phase in ("", "Running", "Pending"):
            return False
        outcome.verdict = str(value.get("verdict") or "")
        outcome.sentence = str(value.get("missing") or "")
        outcome.seconds = round(asyncio.get_running_loop().time() - released, 3)
        return True


def _value(result: MetricResult) -> dict[str, Any]:
    try:
        value = json.loads(result.measurements[-1].value) if result.measurements else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}

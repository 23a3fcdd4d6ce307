"""Metrics of a history for its monitoring: their tolerances, and the troubles of the monitoring itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

Json = dict[str, Any]

Verdict = Literal["good", "bad", "silent", "undecided", "undecided in steps"]
"""The monitoring result for an image, at any time. "silent": it never gives a valid answer, so that the
analysis ends in Error. "undecided in steps" is good in the background."""

Truth = Literal["good", "bad", "silent", "undecided"]
SCORES: dict[str, float] = {"good": 0.99, "undecided": 0.92, "bad": 0.5}
SUCCESS, FAILURE = ">= 0.95", "< 0.9"

BACKGROUND = "background"
"""The name of the AnalysisTemplate that is used in the background."""

TROUBLES = ("slow", "hangs", "down", "failing", "nonsense", "nan", "flaps")
ERRORS = 4
"""The errors in a row that a metric tolerates by default (`consecutiveErrorLimit`)."""


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True):
    """The monitoring has faults for a while: `at`, `length`, `delay` in seconds, `rate` 0 to 1 of the queries.

    slow      it answers late                    hangs    no answer within the metric's own limit
    down      the connection is refused          failing  503
    nonsense  no JSON, null, or no data          nan      not a number
    flaps     for once it gives the opposite

    A trouble never brings a metric beyond its tolerance, so that the verdict still matches the image.
    """

    kind: str
    at: float
    length: float
    rate: float
    delay: float = 0.0


@dataclass(frozen=True)
class Probe:
    """One metric. `count` 0: without end. `both`: it has a success and a failure condition, so it may be undecided."""

    template: str
    name: str
    kind: str
    count: int
    failures: int
    undecided: int
    errors: int
    successes: int
    both: bool
    dry: bool

    def phase(self, truth: str) -> str:
        """Of a measurement that finds this ("nan" besides the truths)."""
        if truth == "good":
            return "Successful"
        if truth == "silent":
            return "Error"
        return "Inconclusive" if self.both and truth in ("undecided", "nan") else "Failed"

    def tolerates(self, phase: str, result: Json, truth: Truth) -> bool:
        """Whether the verdict is unchanged by one more measurement with this result, after this metricResult of a run."""
        if self.dry or truth == "silent":
            return self.dry
        had: int = result.get(phase.lower(), 0)
        if phase == "Error":
            return not self.successes and int(result.get("consecutiveError", 0)) < self.errors
        if self.successes or (phase == "Failed" and had >= self.failures):
            return False
        if phase == "Inconclusive" and had >= self.undecided:
            return False
        if truth == "good" or not self.count:
            return True
        # As many as its verdict needs must be left.
        own, needed = ("failed", self.failures) if truth == "bad" else ("inconclusive", self.undecided)
        return result.get("count", 0) - result.get(own, 0) < self.count - needed - 1


def probe(template: str, metric: Json, dry: set[str]) -> Probe:
    kind = next(iter(metric["provider"]))
    count = int(metric.get("count", 0)) or (0 if "interval" in metric else 1)
    return Probe(
        template,
        metric["name"],
        kind,
        count,
        failures=metric.get("failureLimit", 0),
        undecided=metric.get("inconclusiveLimit", 0),
        errors=metric.get("consecutiveErrorLimit", ERRORS),
        successes=metric.get("consecutiveSuccessLimit", 0),
        both="failureCondition" in metric,
        dry=metric["name"] in dry,
    )


def probes(templates: tuple[Json, ...]) -> dict[str, Probe]:
    """By "template/metric"."""
    found: dict[str, Probe] = {}
    for template in templates:
        name, spec = template["metadata"]["name"], template["spec"]
        dry = {rule["metricName"] for rule in spec.get("dryRun", [])}
        for metric in spec["metrics"]:
            found[f"{name}/{metric['name']}"] = probe(name, filled(metric, spec["args"]), dry)
    return found


def filled(metric: Json, args: list[Json]) -> Json:
    """The metric with its limits as numbers, where they are arguments."""
    values = {f"{{{{ args.{arg['name']} }}}}": str(arg["value"]) for arg in args if "value" in arg}

    def plain(value: Any) -> Any:
        text = values.get(value, "") if isinstance(value, str) else ""
        return int(text) if text.isdigit() else value

    return {key: plain(value) for key, value in metric.items()}


def truth_of(verdict: str, template: str) -> Truth:
    if verdict == "undecided in steps":
        return "good" if template == BACKGROUND else "undecided"
    return verdict  # type: ignore[return-value]

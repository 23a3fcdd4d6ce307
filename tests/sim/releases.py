"""Histories with sequential verdicts: one release after the other, each of a version that is good or bad, under faults.

The Rollouts are those of `generate.plain` with other steps and analyses. A random source of their own chooses these, so
all other histories stay unchanged.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from msgspec import structs

from serinus.analysis.sequential.metric import PLUGIN
from tests.sim.faults import KINDS, Episode
from tests.sim.generate import plain
from tests.sim.history import History, Kill, template
from tests.sim.probes import BACKGROUND, TROUBLES, Trouble
from tests.sim.workloads import Image

Json = dict[str, Any]
NAMES = tuple(f"r{place}" for place in range(1, 9))
"""Images of the releases, in order."""
LENGTH = 4000.0
"""Seconds in which faults happen."""
WATCHED = ("rollouts", "replicasets", "pods", "services", "ingresses", "analysisruns", "analysisruns")
STEP = "step"
"""The template of analysis steps and of blue-green analyses."""
ARGS: list[Json] = [
    {"name": "canary", "valueFrom": {"podTemplateHashValue": "Latest"}},
    {"name": "stable", "valueFrom": {"podTemplateHashValue": "Stable"}},
]


class Releases(msgspec.Struct, frozen=True):
    """`gaps`: seconds from each outcome to the next release; below 0: the next one begins so long after the last one."""

    history: History
    gaps: tuple[float, ...]
    resumes: tuple[bool, ...]
    """Whether a user promotes a version whose verdict was inconclusive. Otherwise the user aborts it."""


def releases(seed: int) -> Releases:
    rng = Random(f"sequential {seed}")
    base = plain(seed)
    rate, traffic = rng.choice((0.002, 0.01, 0.05)), rng.choice((10.0, 50.0, 200.0))
    spec: Json = {**base.rollout["spec"], "template": template("v1"), "replicas": rng.choice((1, 2, 3, 5))}
    spec.pop("rollbackWindow", None)  # a version inside it is not judged
    spec["progressDeadlineSeconds"] = 600
    spec.pop("progressDeadlineAbort", None)
    spec["analysis"] = {"successfulRunHistoryLimit": 1, "unsuccessfulRunHistoryLimit": 1}
    budget = rate if "blueGreen" in spec["strategy"] else rng.choice((None, None, rate))
    count, interval = rng.choice((20, 60, 120)), rng.choice((5, 10, 30))
    spec["strategy"], templates = _strategy(rng, spec["strategy"], budget, count, interval)
    times = [1.0 if rng.random() < 0.6 else rng.choice((3.0, 3.0, 10.0, 0.5)) for _ in NAMES]
    history = structs.replace(
        base,
        rollout={**base.rollout, "spec": spec},
        images=dict.fromkeys(("v1", *NAMES), base.images["v1"]) | {"v1": Image(1.0)},
        error_rates={"v1": rate} | {n: min(0.6, rate * ratio) for n, ratio in zip(NAMES, times, strict=True)},
        traffic=traffic,
        templates=templates,
        actions=(),
        kills=_kills(rng),
        episodes=_episodes(rng),
        late_episodes=(),
        troubles=_troubles(rng),
        elected=False,
        length=LENGTH,
    )
    gaps = tuple(rng.choice((5.0, 30.0, 120.0)) if rng.random() < 0.85 else -rng.uniform(5.0, 60.0) for _ in NAMES)
    return Releases(history, gaps, tuple(rng.random() < 0.3 for _ in NAMES))


def _strategy(
    rng: Random, strategy: Json, budget: float | None, count: int, interval: int
) -> tuple[Json, tuple[Json, ...]]:
    if "blueGreen" in strategy:
        spec = {**strategy["blueGreen"], "postPromotionAnalysis": asked(STEP)}
        spec.pop("autoPromotionEnabled", None)
        return {"blueGreen": spec}, (_template(rng, STEP, budget, count, interval, compares=False),)
    canary: Json = {**strategy["canary"]}
    weights = sorted(rng.sample((5, 10, 20, 33, 50), rng.choice((1, 2, 3))))
    steps: list[Json] = []
    in_steps, behind = rng.random() < 0.7, rng.random() < 0.5
    for place, weight in enumerate(weights):
        steps.append({"setWeight": weight})
        if in_steps and place == len(weights) - 1:
            steps.append({"analysis": asked(STEP)})
        else:
            steps.append({"pause": {"duration": rng.choice((20, 60, 300))}})
    canary["steps"] = steps
    found = [_template(rng, STEP, budget, count, interval)] if in_steps else []
    if behind or not in_steps:
        canary["analysis"] = asked(BACKGROUND)
        found.append(_template(rng, BACKGROUND, budget, count, interval))
    return {"canary": canary}, tuple(found)


def asked(name: str) -> Json:
    return {"templates": [{"templateName": name}], "args": ARGS}


def _template(
    rng: Random, name: str, budget: float | None, count: int, interval: int, *, compares: bool = True
) -> Json:
    totals = rng.random() < 0.5
    url = f"http://monitoring/{{{{args.canary}}}}/{{{{args.stable}}}}/{0 if totals else interval}/{name}/errors"
    counts: Json = {"web": {"url": url, "timeoutSeconds": 5}, "canary": _paths("canary")}
    if compares:
        counts["stable"] = _paths("stable")
    if totals:
        counts["totals"] = True
    config: Json = {"counts": counts, "noData": "5m", "undecided": rng.choice(("pass", "inconclusive"))}
    if budget is not None:
        config["budget"] = budget
    metric = {"name": "errors", "interval": f"{interval}s", "count": count, "provider": {"plugin": {PLUGIN: config}}}
    spec = {"args": [{"name": "canary"}, {"name": "stable"}], "metrics": [metric]}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": name}, "spec": spec}


def _paths(side: str) -> Json:
    return {name: f"{{$.{side}.{name}}}" for name in ("requests", "errors")}


def _kills(rng: Random) -> tuple[Kill, ...]:
    return tuple(
        Kill(
            round(rng.uniform(5.0, LENGTH), 2), rng.randint(1, 4), rng.random() < 0.5, round(rng.uniform(0.1, 30.0), 2)
        )
        for _ in range(rng.choice((0, 2, 5, 10)))
    )


def _episodes(rng: Random) -> tuple[Episode, ...]:
    return tuple(
        Episode(
            rng.choice(KINDS),
            at=round(rng.uniform(0.0, LENGTH), 2),
            length=round(rng.uniform(1.0, 30.0), 2),
            rate=rng.choice((0.05, 0.2, 0.5)),
            delay=round(rng.uniform(0.1, 5.0), 2),
            plural=rng.choice(WATCHED),
        )
        for _ in range(rng.choice((0, 10, 30)))
    )


def _troubles(rng: Random) -> tuple[Trouble, ...]:
    return tuple(
        Trouble(
            rng.choice(TROUBLES),
            at=round(rng.uniform(0.0, LENGTH), 2),
            length=round(rng.uniform(5.0, 90.0), 2),
            rate=rng.choice((0.2, 0.5, 0.9)),
            delay=round(rng.uniform(0.5, 15.0), 2),
        )
        for _ in range(rng.choice((0, 5, 15)))
    )

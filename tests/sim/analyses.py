"""Gives a third of the histories analyses: steps, background, before and after a blue-green switch, experiments.

All of it comes from a random source of its own, so that histories without analyses are what they were.
"""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec import structs

from tests.sim.faults import Episode
from tests.sim.history import Action, History, Kill
from tests.sim.monitoring import OWNER, PROBE, VERSION
from tests.sim.probes import BACKGROUND, FAILURE, SUCCESS, TROUBLES, Trouble, Verdict

Json = dict[str, Any]
SHARE = 1 / 3
TRIAL = "trial"
"""The template of Experiments."""
STEPS = ("step-a", "step-b")
"""Those of analysis steps."""
WATCHED = ("analysisruns", "analysisruns", "experiments", "analysistemplates", "jobs")
ARGS: list[Json] = [
    {"name": "version", "valueFrom": {"podTemplateHashValue": "Latest"}},
    {"name": "owner", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
]


def with_analyses(history: History) -> History:
    """The history, with analyses if its seed selects them."""
    rng = Random(f"analyses {history.seed}")
    if rng.random() >= SHARE:
        return history
    spec: Json = {**history.rollout["spec"]}
    spec["strategy"], templates = _strategy(rng, spec["strategy"])
    if "blueGreen" in spec["strategy"]:
        spec.pop("progressDeadlineAbort", None)  # it counts the time of an analysis, which troubles make longer
    spec["progressDeadlineSeconds"] = 100  # an Experiment's pods have it too, and faults delay controllers
    if rng.random() < 0.3:
        spec["analysis"] = {"successfulRunHistoryLimit": rng.choice((0, 1, 3)), "unsuccessfulRunHistoryLimit": 1}
    verdicts, judged = _verdicts(rng, spec["strategy"])
    return structs.replace(
        history,
        rollout={**history.rollout, "spec": spec},
        templates=templates,
        verdicts=verdicts,
        troubles=_troubles(rng, history.length),
        late_troubles=_troubles(rng, 60.0),
        actions=_actions(rng, history),
        kills=(*history.kills, *_kills(rng, history.length)),
        episodes=(*history.episodes, *_episodes(rng, history.length)),
        late_episodes=(*history.late_episodes, *_episodes(rng, 60.0)),
        closing="judged" if judged else history.closing,
    )


# The subjects of analyses


def _strategy(rng: Random, strategy: Json) -> tuple[Json, tuple[Json, ...]]:
    if "blueGreen" in strategy:
        places = [p for p in ("prePromotionAnalysis", "postPromotionAnalysis") if rng.random() < 0.6]
        places = places or [rng.choice(("prePromotionAnalysis", "postPromotionAnalysis"))]
        parts = {place: asked(place[: place.index("P")]) for place in places}
        return {"blueGreen": {**strategy["blueGreen"], **parts}}, tuple(
            _template(rng, p[: p.index("P")]) for p in places
        )
    canary, used = {**strategy["canary"]}, list[str]()
    steps: list[Json] = [*canary.get("steps", [])]
    uses = [u for u, chance in (("step", 0.7), (BACKGROUND, 0.45), (TRIAL, 0.25)) if rng.random() < chance]
    for use in uses or ["step"]:
        if use == BACKGROUND:
            canary["analysis"] = {**asked(BACKGROUND), "startingStep": rng.choice((0, 0, 1, 2))}
            used.append(BACKGROUND)
        elif use == TRIAL:
            steps.insert(rng.randint(0, len(steps)), _experiment(rng))
            used.append(TRIAL)
        else:
            for name in STEPS[: rng.choice((1, 1, 2))]:
                steps.insert(rng.randint(0, len(steps)), {"analysis": asked(name)})
    # Both templates of steps always exist: other steps, which a user may write, use them.
    return {"canary": {**canary, "steps": steps}}, tuple(_template(rng, name) for name in (*used, *STEPS))


def asked(template: str) -> Json:
    return {"templates": [{"templateName": template}], "args": ARGS}


def _experiment(rng: Random) -> Json:
    """Compares both versions. An analysis is always required, so that the end does not depend on which one is faster."""
    templates: list[Json] = []
    for name, ref in (("baseline", "stable"), ("candidate", "canary"))[rng.choice((0, 0, 1)) :]:
        labels = {"metadata": {"labels": {"trial": name}}} if rng.random() < 0.8 else {}
        templates.append({"name": name, "specRef": ref, "replicas": rng.choice((1, 1, 2)), **labels})
    if rng.random() < 0.3:
        templates[0]["service"] = {}
    made: Json = {"templates": templates, "scaleDownDelaySeconds": rng.choice((0, 5, 20))}
    with_analysis = rng.random() < 0.8
    if not with_analysis or rng.random() < 0.4:
        made["duration"] = rng.choice(("3s", "15s", "40s"))
    if with_analysis:
        made["analyses"] = [{"name": "compare", "templateName": TRIAL, "requiredForCompletion": True, "args": ARGS}]
    return {"experiment": made}


def _template(rng: Random, name: str) -> Json:
    metrics = [_metric(rng, name, f"m{i}") for i in range(rng.choice((1, 1, 2, 3)))]
    spec: Json = {
        "args": [{"name": "version"}, {"name": "owner"}, {"name": "template", "value": name}],
        "metrics": metrics,
    }
    if len(metrics) > 1 and rng.random() < 0.3:
        spec["dryRun"] = [{"metricName": metrics[-1]["name"]}]
    if rng.random() < 0.2:
        spec["measurementRetention"] = [{"metricName": "m0", "limit": 1}]
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": name}, "spec": spec}


def _metric(rng: Random, template: str, name: str) -> Json:
    kind = rng.choice(("web", "web", "prometheus", "prometheus", "job"))
    failures, undecided = rng.choice((0, 0, 1, 2)), rng.choice((0, 0, 1))
    least = max(failures, undecided) + 1
    count = rng.randint(least, least + 2)
    made: Json = {"name": name, "count": count, "failureLimit": failures}
    if undecided:
        made["inconclusiveLimit"] = undecided
    if rng.random() < 0.5 or kind == "job":
        # A fault of the API hinders a Job as well: those errors are not the monitoring's, which counts its own.
        made["consecutiveErrorLimit"] = rng.choice((0, 1, 2)) if kind != "job" else 30
    if rng.random() < 0.2:
        made["initialDelay"] = rng.choice(("2s", "10s"))
    if count > 1 or rng.random() < 0.3:
        made["interval"] = rng.choice(("1s", "3s", "7s", "15s"))
    if template == BACKGROUND and kind != "job" and rng.random() < 0.4:
        del made["count"]
        made["interval"] = rng.choice(("3s", "7s", "15s"))
    elif kind != "job" and not failures and not undecided and count > 1 and rng.random() < 0.2:
        made["consecutiveSuccessLimit"] = rng.randint(1, count)
    return made | _provider(rng, kind, template, name)


def _provider(rng: Random, kind: str, template: str, name: str) -> Json:
    if kind == "job":
        notes = {PROBE: f"{template}/{name}", VERSION: "{{args.version}}", OWNER: "{{args.owner}}"}
        pod = {"containers": [{"name": "check", "image": "check"}], "restartPolicy": "Never"}
        job = {"metadata": {"annotations": notes}, "spec": {"template": {"spec": pod}, "backoffLimit": 0}}
        return {"provider": {"job": job}}
    at = f"http://monitoring/{{{{args.owner}}}}/{{{{args.version}}}}/{template}/{name}"
    value = "result.score" if kind == "web" else "result[0]"
    conditions = {"successCondition": f"{value} {SUCCESS}"}
    if rng.random() < 0.7:
        conditions["failureCondition"] = f"{value} {FAILURE}"
    seconds = rng.choice((2, 5, 20))
    web, prometheus = {"url": at, "timeoutSeconds": seconds}, {"address": at, "query": "score", "timeout": seconds}
    return {**conditions, "provider": {kind: web if kind == "web" else prometheus}}


# The results


def _verdicts(rng: Random, strategy: Json) -> tuple[dict[str, Verdict], bool]:
    """(by image, whether the closing waits for the verdict about x2)."""
    verdicts: dict[str, Verdict] = {}
    for image in ("v2", "v3", "v4", "v5"):
        verdicts[image] = rng.choices(("good", "bad", "silent", "undecided", "undecided in steps"), (5, 3, 1, 1.5, 1))[
            0
        ]
    if rng.random() < 0.4:
        return verdicts, False
    verdicts["x2"] = rng.choices(("good", "bad", "silent", "undecided in steps"), (3, 5, 1.5, 2))[0]
    if verdicts["x2"] in ("bad", "silent") and not stops(strategy):
        verdicts["x2"] = "good"  # only the background would find out, perhaps too late
    return verdicts, True


def stops(strategy: Json) -> bool:
    """Whether an update waits somewhere, for a verdict or an approval, so that it cannot be faster than its verdict."""
    if "blueGreen" in strategy:
        return True
    steps: list[Json] = strategy["canary"].get("steps") or []
    return any("analysis" in s or s.get("pause") == {} or "analyses" in s.get("experiment", {}) for s in steps)


# Other events


def _actions(rng: Random, history: History) -> tuple[Action, ...]:
    out: list[Action] = []
    for action in history.actions:
        if action.kind == "steps" and rng.random() < 0.5:
            steps: list[Json] = [*action.value]
            steps.insert(rng.randint(0, len(steps)), {"analysis": asked(rng.choice(STEPS))})
            out.append(structs.replace(action, value=steps))
        else:
            out.append(action)
    for _ in range(rng.choice((0, 1, 2, 4))):
        kind = rng.choices(("image", "promote", "retry", "run-deleted", "run-ended"), (4, 2, 1, 1, 0.7))[0]
        value: Any = rng.choice(("v2", "v3", "v4", "v5")) if kind == "image" else rng.randrange(1000)
        out.append(Action(round(rng.uniform(3.0, history.length), 2), kind, value))
    if rng.random() < 0.3:
        out += _there_and_back(rng, history.length)
    return tuple(sorted(out, key=lambda a: a.at))


def _there_and_back(rng: Random, length: float) -> list[Action]:
    """A version is replaced before it was judged; the next one goes live, and the first is released again."""
    at, (first, second) = rng.uniform(3.0, length / 2), rng.sample(("v2", "v3", "v4", "v5"), 2)
    found: list[Action] = []
    for pause, kind, value in (
        (0.0, "image", first),
        (rng.choice((1.0, 5.0, 15.0)), "image", second),
        (rng.uniform(5.0, 20.0), rng.choice(("promote", "promote-full")), None),
        (rng.uniform(1.0, 20.0), "image", first),
    ):
        at += pause
        found.append(Action(round(at, 2), kind, value))
    return found


def _kills(rng: Random, length: float) -> tuple[Kill, ...]:
    return tuple(
        Kill(round(rng.uniform(5.0, length), 2), rng.randint(1, 3), rng.random() < 0.5, round(rng.uniform(0.1, 6.0), 2))
        for _ in range(rng.choice((0, 0, 1, 3)))
    )


def _episodes(rng: Random, length: float) -> tuple[Episode, ...]:
    return tuple(
        Episode(
            rng.choice(("late", "deaf", "broken", "expired", "repeated", "unheard", "conflict", "slow")),
            at=round(rng.uniform(0.0, length), 2),
            length=round(rng.uniform(1.0, 15.0), 2),
            rate=rng.choice((0.2, 0.5)),
            delay=round(rng.uniform(0.1, 5.0), 2),
            plural=rng.choice(WATCHED),
        )
        for _ in range(rng.choice((0, 1, 2)))
    )


def _troubles(rng: Random, length: float) -> tuple[Trouble, ...]:
    return tuple(
        Trouble(
            rng.choice(TROUBLES),
            at=round(rng.uniform(0.0, length), 2),
            length=round(rng.uniform(5.0, 90.0), 2),
            rate=rng.choice((0.2, 0.5, 0.9)),
            delay=round(rng.uniform(0.5, 15.0), 2),
        )
        for _ in range(rng.choice((0, 1, 2, 4)))
    )

"""The data of one Rollout's page: live versions, wait reasons, next step, history, and available actions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from msgspec import ValidationError, to_builtins

from serinus.api.analysis import AnalysisRun
from serinus.api.decoding.reading import converted
from serinus.api.messages.event_reasons import kept
from serinus.api.values.times import parse_time
from serinus.dashboard.actions import Refusals, image_change, offers, rollback
from serinus.dashboard.commands import seen
from serinus.dashboard.rows import newest_first, number, read
from serinus.engine.core.step_kinds import step_words
from serinus.engine.explain.metrics import measured, words
from serinus.engine.explain.why import Why, glance
from serinus.view.notification_events import outcome
from serinus.view.rollout_info import (
    HASH,
    AnalysisRunInfo,
    ExperimentInfo,
    ReplicaSetInfo,
    RolloutInfo,
    Surroundings,
    rollout_info,
)
from serinus.view.status_icons import icon

Json = dict[str, Any]

NOTIFICATIONS = 50
"""Notifications that the page lists: pending ones first, then the newest."""

EVENTS = 50
"""Routine Events that the page lists, newest first."""

KEPT_EVENTS = 200
"""Aborts, verdicts, promotions, warnings and commands that the page lists. Routine Events do not displace them."""


def detail(
    rollout: Json, around: Surroundings, refusals: Refusals, events: Iterable[Json], why: Why | None = None
) -> Json:
    """`why`: the engine's explanation; without it the page uses the status."""
    info, why, events = rollout_info(rollout, around), why or _reasons(rollout), list(events)
    meta = info.metadata
    return {
        "ns": str(meta.get("namespace") or ""),
        "name": str(meta.get("name") or ""),
        "created": parse_time(str(meta.get("creationTimestamp") or "")),
        "status": info.status,
        "icon": icon("Rollout", info.status),
        "message": info.message,
        "live": live(info, whole(rollout)),
        "why": {"reasons": [], "next": "", "observed": [], **to_builtins(why)},
        "judged": [words(metric) for metric in why.metrics],
        "shortSteps": list(why.short_steps),
        "strategy": info.strategy,
        "step": info.step,
        "weight": number(info.set_weight),
        "actual": number(info.actual_weight),
        "steps": _steps(rollout, info, why.reasons[0].until if why.reasons else None),
        "traffic": traffic(rollout, info),
        "whole": whole(rollout),
        "replicas": {f: getattr(info, f) for f in ("desired", "current", "updated", "ready", "available")},
        "containers": _containers(rollout, info, around.workload, refusals),
        "revisions": _revisions(rollout, info, around, refusals),
        "offers": [asdict(offer) for offer in offers(rollout, info, refusals)],
        "events": _events(events),
        "notifications": [asdict(one) for one in outcome(events, meta.get("annotations"))[:NOTIFICATIONS]],
        "conditions": _conditions(rollout),
        "seen": seen(rollout),
    }


def live(info: RolloutInfo, whole: int = 100) -> str:
    """A sentence with each version's share of the traffic."""
    stable = next((rs for rs in info.replica_sets if rs.stable or rs.active), None)
    new = next((rs for rs in info.replica_sets if rs.canary or rs.preview), None)
    if stable is None:
        return "No version is live yet."
    if new is None:
        return f"Revision {stable.revision} has all of the traffic."
    if info.strategy != "Canary":
        return f"Revision {stable.revision} has all of the traffic, revision {new.revision} is in preview."
    actual = int(info.actual_weight or 0)
    parts = (whole - actual, actual)
    left, share = (f"{p} %" if whole == 100 else f"{p}/{whole}" for p in parts)
    return f"Revision {stable.revision} has {left} of the traffic, revision {new.revision} has {share}."


def whole(rollout: Json) -> int:
    """The weight that stands for all of the traffic."""
    canary = (rollout["spec"].get("strategy") or {}).get("canary") or {}
    return int((canary.get("trafficRouting") or {}).get("maxTrafficWeight") or 100)


def traffic(rollout: Json, info: RolloutInfo) -> list[Json]:
    """Desired and actual share of each version, out of `whole`, as far as the status has them."""
    stable = next((rs for rs in info.replica_sets if rs.stable or rs.active), None)
    new = next((rs for rs in info.replica_sets if rs.canary or rs.preview), None)
    weights: Json = ((rollout.get("status") or {}).get("canary") or {}).get("weights") or {}
    set_, actual = int(info.set_weight or 0), int(info.actual_weight or 0)
    shares: list[Json] = []
    if new is not None and info.strategy == "Canary":
        shares.append({"role": "canary", "revision": new.revision, "set": set_, "actual": actual})
    elif new is not None:
        shares.append({"role": "preview", "revision": new.revision, "set": 0, "actual": 0})
    taken = sum(int(s["actual"]) for s in shares)
    wanted = sum(int(s["set"]) for s in shares)
    for extra in weights.get("additional") or []:
        weight = int(extra.get("weight") or 0)
        shares.append(
            {"role": str(extra.get("serviceName") or "other"), "revision": 0, "set": weight, "actual": weight}
        )
        taken, wanted = taken + weight, wanted + weight
    if stable is not None:
        role = "stable" if info.strategy == "Canary" else "active"
        left = {"set": whole(rollout) - wanted, "actual": whole(rollout) - taken}
        shares.insert(0, {"role": role, "revision": stable.revision, **left})
    return shares


def _steps(rollout: Json, info: RolloutInfo, until: float | None) -> list[Json]:
    status: Json = rollout.get("status") or {}
    steps: list[Json] = (((rollout["spec"].get("strategy") or {}).get("canary") or {}).get("steps")) or []
    index, aborted = int(status.get("currentStepIndex") or 0), bool(status.get("abort"))
    found: list[Json] = []
    for i, step in enumerate(steps):
        state = "todo" if aborted or i > index else "done" if i < index else "current"
        words = step_words(step)
        found.append(
            {
                "title": words[:1].upper() + words[1:],
                "state": state,
                "until": until if state == "current" and step.get("pause") is not None else None,
                "detail": step,
            }
        )
    return found


def _containers(rollout: Json, info: RolloutInfo, workload: Json | None, refusals: Refusals) -> list[Json]:
    referenced = bool(rollout["spec"].get("workloadRef"))
    owner = workload if referenced and workload else rollout
    pod: Json = ((owner.get("spec") or {}).get("template") or {}).get("spec") or {}
    return [
        {
            "name": str(c.get("name") or ""),
            "image": str(c.get("image") or ""),
            "init": field == "initContainers",
            "offer": asdict(image_change(info, str(c.get("name") or ""), refusals, referenced)),
        }
        for field in ("initContainers", "containers")
        for c in pod.get(field) or []
    ]


def _revisions(rollout: Json, info: RolloutInfo, around: Surroundings, refusals: Refusals) -> list[Json]:
    runs = {str(run["metadata"].get("uid")): run for run in around.analysis_runs}
    current = (rollout.get("status") or {}).get("currentPodHash")
    referenced = bool(rollout["spec"].get("workloadRef"))
    of: dict[int, Json] = {}
    for rs in newest_first(info.replica_sets):
        entry = of.setdefault(rs.revision, _revision(rs.revision))
        entry["sets"].append(_set(rs))
        if (rs.metadata.get("labels") or {}).get(HASH) != current and entry["rollback"] is None:
            entry["rollback"] = asdict(rollback(info, rs, refusals, referenced))
    for experiment in info.experiments:
        of.setdefault(experiment.revision, _revision(experiment.revision))["experiments"].append(
            _experiment(experiment, runs)
        )
    for run in info.analysis_runs:
        of.setdefault(run.revision, _revision(run.revision))["analyses"].append(_analysis(run, _whole_run(run, runs)))
    return [of[revision] for revision in sorted(of, reverse=True)]


def _revision(revision: int) -> Json:
    return {"revision": revision, "sets": [], "experiments": [], "analyses": [], "rollback": None}


def _set(rs: ReplicaSetInfo) -> Json:
    return {
        "name": str(rs.metadata.get("name") or ""),
        "status": rs.status,
        "icon": icon("ReplicaSet", rs.status),
        "roles": rs.roles,
        "images": [*rs.init_images, *rs.images],
        "desired": rs.desired,
        "replicas": rs.replicas,
        "available": rs.available,
        "deadline": parse_time(rs.scale_down_deadline) if rs.desired else None,
        "created": parse_time(str(rs.metadata.get("creationTimestamp") or "")),
        "pods": [
            {
                "name": str(pod.metadata.get("name") or ""),
                "status": pod.status,
                "icon": icon("Pod", pod.status),
                "ready": f"{pod.ready}/{pod.containers}",
                "restarts": pod.restarts,
                "created": parse_time(str(pod.metadata.get("creationTimestamp") or "")),
            }
            for pod in sorted(rs.pods, key=lambda pod: str(pod.metadata.get("name")))
        ],
    }


def _analysis(run: AnalysisRunInfo, whole: Json) -> Json:
    """`whole`: the complete AnalysisRun."""
    return {
        "name": str(run.metadata.get("name") or ""),
        "status": run.status,
        "icon": icon("Analysis", run.status),
        **{f: getattr(run, f) for f in ("successful", "failed", "inconclusive", "error")},
        "message": str((whole.get("status") or {}).get("message") or ""),
        "metrics": metrics(whole),
    }


def metrics(run: Json) -> list[Json]:
    """Each metric of an AnalysisRun: its measurements and its conditions."""
    try:
        found = measured(converted(run, AnalysisRun))
    except ValidationError:
        return []  # unreadable data of another controller: its verdict and message are shown all the same
    return [_with_icons(to_builtins(metric)) for metric in found]


def _with_icons(metric: Json) -> Json:
    points = [{**point, "icon": icon("Analysis", point["phase"])} for point in metric["points"]]
    return {**metric, "icon": icon("Analysis", metric["phase"]), "points": points}


def _reasons(rollout: Json) -> Why:
    """The reasons from the status, for when the engine's explanation is unavailable."""
    typed = read(rollout)
    return glance(typed) if typed else Why("", "")


def _experiment(experiment: ExperimentInfo, runs: dict[str, Json]) -> Json:
    return {
        "name": str(experiment.metadata.get("name") or ""),
        "status": experiment.status,
        "icon": icon("Analysis", experiment.status),
        "message": experiment.message,
        "sets": [_set(rs) for rs in experiment.replica_sets],
        "analyses": [_analysis(run, _whole_run(run, runs)) for run in experiment.analysis_runs],
    }


def _whole_run(run: AnalysisRunInfo, runs: dict[str, Json]) -> Json:
    return runs.get(str(run.metadata.get("uid")), {})


def _events(events: Iterable[Json]) -> list[Json]:
    # Event times have a resolution of one second, so resource versions give the order.
    latest = sorted(events, key=lambda e: int(str((e.get("metadata") or {}).get("resourceVersion") or 0)), reverse=True)
    found: list[Json] = [
        {
            "at": parse_time(str(e.get("lastTimestamp") or e.get("eventTime") or e.get("firstTimestamp") or "")),
            "type": str(e.get("type") or ""),
            "reason": str(e.get("reason") or ""),
            "message": str(e.get("message") or ""),
            "count": int(e.get("count") or 1),
            "by": str((e.get("source") or {}).get("component") or e.get("reportingComponent") or ""),
        }
        for e in latest
    ]
    newest = sorted(found, key=lambda e: e["at"] or 0, reverse=True)
    left = {True: KEPT_EVENTS, False: EVENTS}
    shown: list[Json] = []
    for event in newest:
        is_kept = kept(event["reason"], event["type"])
        if left[is_kept]:
            left[is_kept] -= 1
            shown.append(event)
    return shown


def _conditions(rollout: Json) -> list[Json]:
    found: list[Json] = (rollout.get("status") or {}).get("conditions") or []
    return [{f: str(c.get(f) or "") for f in ("type", "status", "reason", "message")} for c in found]

"""The data of one Rollout's page: live versions, wait reasons, next step, history, and available actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from msgspec import to_builtins

from serinus.api.values.times import parse_time
from serinus.dashboard.actions import Refusals, image_change, offers
from serinus.dashboard.commands import shown_state
from serinus.dashboard.page.now import now_box
from serinus.dashboard.page.revisions import revisions
from serinus.dashboard.page.steps import steps
from serinus.dashboard.rows import number, read
from serinus.engine.explain.why import Why, glance
from serinus.view.event_history import RevisionHistory, history
from serinus.view.notification_events import outcome
from serinus.view.rollout_info import REVISION, RolloutInfo, Surroundings, rollout_info
from serinus.view.status_icons import icon

Json = dict[str, Any]

NOTIFICATIONS = 50
"""Notifications that the page lists: pending ones first, then the newest."""


def detail(
    rollout: Json,
    around: Surroundings,
    refusals: Refusals,
    events: Iterable[Json],
    why: Why | None = None,
    templates: Mapping[str, Json] | None = None,
) -> Json:
    """`why`: the engine's explanation; without it the page uses the status. `templates`: pod templates by the name of
    their ReplicaSet, as far as they are known."""
    info, why, events = rollout_info(rollout, around), why or _reasons(rollout), list(events)
    meta, revision = info.metadata, _revision(rollout)
    past = {one.revision: one for one in history(events, revision)}
    current = past[revision].entries if revision in past else []
    return {
        "ns": str(meta.get("namespace") or ""),
        "name": str(meta.get("name") or ""),
        "created": parse_time(str(meta.get("creationTimestamp") or "")),
        "status": info.status,
        "icon": icon("Rollout", info.status),
        "message": info.message,
        "live": live(info, whole(rollout)),
        "why": {"reasons": [], "next": "", "observed": [], **to_builtins(why)},
        "box": now_box(info, why),
        "strategy": info.strategy,
        "step": info.step,
        "weight": number(info.set_weight),
        "actual": number(info.actual_weight),
        "steps": steps(rollout, info, around, current, why.reasons[0].until if why.reasons else None),
        "traffic": traffic(rollout, info),
        "whole": whole(rollout),
        "replicas": {f: getattr(info, f) for f in ("desired", "current", "updated", "ready", "available")},
        "containers": _containers(rollout, info, around.workload, refusals),
        "revisions": revisions(rollout, info, around, refusals, templates or {}, past),
        "offers": [asdict(offer) for offer in offers(rollout, info, refusals)],
        "history": [_past(one) for one in past.values()],
        "notifications": [asdict(one) for one in outcome(events, meta.get("annotations"))[:NOTIFICATIONS]],
        "conditions": _conditions(rollout),
        "seen": shown_state(rollout),
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
    """Desired and actual share of each version, out of `whole`, as far as the status has them: the new version first."""
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
    desired = sum(int(s["set"]) for s in shares)
    for extra in weights.get("additional") or []:
        weight = int(extra.get("weight") or 0)
        shares.append(
            {"role": str(extra.get("serviceName") or "other"), "revision": 0, "set": weight, "actual": weight}
        )
        taken, desired = taken + weight, desired + weight
    if stable is not None:
        role = "stable" if info.strategy == "Canary" else "active"
        left = {"set": whole(rollout) - desired, "actual": whole(rollout) - taken}
        shares.append({"role": role, "revision": stable.revision, **left})
    return shares


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


def _reasons(rollout: Json) -> Why:
    """The reasons from the status, for when the engine's explanation is unavailable."""
    typed = read(rollout)
    return glance(typed) if typed else Why("", "")


def _past(one: RevisionHistory) -> Json:
    return {"revision": one.revision, "entries": [vars(entry) for entry in one.entries]}


def _revision(rollout: Json) -> int:
    noted = str((rollout["metadata"].get("annotations") or {}).get(REVISION) or "")
    return int(noted) if noted.isdigit() else 0


def _conditions(rollout: Json) -> list[Json]:
    conditions: list[Json] = (rollout.get("status") or {}).get("conditions") or []
    return [{f: str(c.get(f) or "") for f in ("type", "status", "reason", "message")} for c in conditions]

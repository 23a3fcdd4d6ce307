"""Rules against wrong plays. Each rule takes a trace and returns a sentence for each violation.

Traces of real clusters are exact to some 30 ms between kinds of objects: a state of less than `SKEW` proves nothing,
unless two lines are of one object.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tests.support.plays.story import CANARY_INGRESS, HASH, WEIGHT, Moment, after, moments

Json = dict[str, Any]
Trace = Sequence[Json]

SKEW = 0.03
SPEC = "spec.replicas"


def canary_service_flips_after_an_abort(trace: Trace) -> list[str]:
    lines = [m.line for m in after(trace, "kubectl argo rollouts abort") if m.object == "Service/web-canary"]
    writes = sum(int(line.get("flipped", 1)) for line in lines)
    return [f"the canary Service was written {writes} times"] if writes > 1 else []


def it_heals_late(trace: Trace) -> list[str]:
    """Healthy follows when the pods have had their 1.5 s after the last missing object has appeared."""
    told = [m for m in moments(trace) if m.do]
    cause = next(m.t for m in moments(trace) if m.t > told[-1].t and m.object.startswith(("Service/", "Ingress/")))
    healthy = next(m.t for m in moments(trace) if m.line.get("status.phase") == "Healthy")
    return [f"Healthy {healthy - cause:.1f} s after the cause was gone"] if healthy - cause > 2 else []


def it_is_degraded_while_objects_are_still_being_applied(trace: Trace) -> list[str]:
    told = [m.t for m in moments(trace) if m.do]
    degraded = [m.t for m in moments(trace) if m.line.get("status.phase") == "Degraded"]
    since = [t - max(begun for begun in told if begun <= t) for t in degraded]
    return [f"Degraded {seconds:.1f} s after it was applied" for seconds in since if seconds < 2]


def it_answers_an_appearing_object_late(trace: Trace) -> list[str]:
    wrong: list[str] = []
    waiting: Moment | None = None
    for m in moments(trace):
        if m.object.startswith(("Service/", "Ingress/")) and m.rollout("status.phase") == "Degraded":
            waiting = m
        elif waiting is not None and m.object.startswith(("Rollout/", "ReplicaSet/")):
            if m.t - waiting.t > 0.5:
                wrong.append(f"{waiting.object} was seen after {m.t - waiting.t:.1f} s")
            waiting = None
    return wrong


def a_rejected_edit_takes_the_canary_service_away(trace: Trace) -> list[str]:
    found = [
        m for m in moments(trace) if m.object == "Service/web-canary" and m.line.get(f"selector.{HASH}", "") is None
    ]
    return [f"{m.t}: the canary Service selects pods of every version" for m in found]


def healthy_while_the_canary_has_traffic(trace: Trace) -> list[str]:
    found = [m for m in moments(trace) if m.line.get("status.phase") == "Healthy" and 0 < m.weight() < 100]
    return [f"{m.t}: Healthy with {m.weight()} % on the canary" for m in found if _apart(m)]


def more_weight_than_pods_carry(trace: Trace) -> list[str]:
    """While the Services select two versions; weight that the stable version has no pods for either may stay."""
    wrong: list[str] = []
    history = [m for m in moments(trace) if m.object]
    for m, following in pairwise(history):
        written = m.changes(CANARY_INGRESS, WEIGHT)
        size = m.rollout(SPEC) or 0
        if not _apart(m) or not size or (following.t - m.t < SKEW and not written):
            continue
        ready = m.ready(m.leads_to("web-canary"))
        stable_carries = 100 * m.ready(m.leads_to("web")) // size
        if m.weight() > max(-(-100 * ready // size), 100 - stable_carries):
            wrong.append(f"{m.t}: {m.weight()} % on {ready} ready pods of {size}")
    return wrong


def _apart(m: Moment) -> bool:
    return m.leads_to("web") != m.leads_to("web-canary")


def an_aborted_update_comes_back_in_rounds(trace: Trace) -> list[str]:
    """The stable side grows once, to its full size."""
    told = after(trace, "kubectl argo rollouts abort")
    stable = f"ReplicaSet/web-{told[0].rollout('status.stableRS')}"
    sizes = [m.line["replicas"] for m in told if m.changes(stable, "replicas")]
    return [f"the stable side grew to {sizes}"] if sizes != [told[0].rollout(SPEC)] else []


def an_aborted_version_keeps_traffic_that_the_stable_one_could_take(trace: Trace) -> list[str]:
    """1.6 s after the abort the first new pods of the stable version serve, and 0.1 s later all desired ones."""
    told = after(trace, "kubectl argo rollouts abort")
    back = next(m.t for m in told if m.changes(CANARY_INGRESS, WEIGHT) and m.weight() == 0)
    return [f"the last of it came back after {back - told[0].t:.1f} s"] if back - told[0].t > 2 else []


def all_traffic_jumps_at_full_promotion(trace: Trace) -> list[str]:
    """When the stable Service moves to the new version, the gateway has sent it everything before."""
    told = after(trace, "kubectl argo rollouts promote web --full")
    moved = next(m for m in told if m.object == "Service/web")
    before = [m.weight() for m in told[: told.index(moved)] if m.changes(CANARY_INGRESS, WEIGHT)]
    return [f"weights until the switch: {before}"] if not before or before[-1] < 100 else []


def a_service_leads_nowhere(trace: Trace, *services: str) -> list[str]:
    """A Service that has selected ready pods of its version always selects some from then on."""
    wrong: list[str] = []
    served: set[str] = set()
    history = [m for m in moments(trace) if m.object]
    for m, following in pairwise(history):
        for service in services:
            target = m.leads_to(service)
            ready = m.ready(target) if target else 0
            served |= {service} if ready else set()
            if target and service in served and not ready and following.t > m.t:
                wrong.append(f"{m.t}: {service} leads to {target}, of which no pod is ready")
    return wrong


def the_stable_service_leads_nowhere(trace: Trace) -> list[str]:
    return a_service_leads_nowhere(trace, "web")


def the_preview_service_leads_nowhere(trace: Trace) -> list[str]:
    return a_service_leads_nowhere(trace, "web-preview")


def fewer_pods_serve_than_are_wanted(trace: Trace) -> list[str]:
    """Once the desired number served."""
    wrong: list[str] = []
    full = False
    history = [m for m in moments(trace) if m.object.startswith(("Pod/", "Rollout/"))]
    for m, following in pairwise(history):
        full = full or m.ready() >= m.rollout(SPEC)
        if full and m.ready() < m.rollout(SPEC) and following.t - m.t >= SKEW:
            wrong.append(f"{m.t}: {m.ready()} of {m.rollout(SPEC)}")
    return wrong


def a_wait_is_cut_short(trace: Trace, seconds: float, begins: str, ends: str) -> list[str]:
    """`begins`, `ends`: the field of any object whose change begins the wait, and the next change that ends it."""
    wrong: list[str] = []
    began: float | None = None
    for m in moments(trace):
        if m.do:
            began = None  # a user may end any wait
        elif began is not None and m.line.get(ends, m) is None:
            if m.t - began < seconds - SKEW:
                wrong.append(f"{m.t}: {seconds} s took {m.t - began:.2f}")
            began = None
        if m.line.get(begins) is not None:
            began = m.t
    return wrong


def pods_go_before_they_have_drained(trace: Trace, seconds: float = 2) -> list[str]:
    """Pods of a version stay for a drain after the Service or weight that routed to it has changed."""
    wrong: list[str] = []
    moved: dict[str, float] = {}
    size: dict[str, int] = {}
    before: Moment | None = None
    for m in moments(trace):
        name = m.object
        if before is not None and before.weight() != m.weight():
            moved["stable" if m.weight() > before.weight() else "canary"] = m.t
        for service, side in (("web", "stable"), ("web-canary", "canary")):
            if before is not None and before.leads_to(service) != m.leads_to(service):
                moved[str(before.leads_to(service))] = moved[side] = m.t
        if name.startswith("ReplicaSet/") and "replicas" in m.line:
            now, pods = int(m.line["replicas"]), name.rpartition("-")[2]
            stable = m.rollout("status.stableRS")
            since = max(moved.get(pods, -99.0), moved.get("stable" if pods == stable else "canary", -99.0))
            if now < size.get(name, 0) and m.t - since < seconds - SKEW and not _just_asked(m, before):
                wrong.append(f"{m.t}: {name} shrinks {m.t - since:.2f} s after its traffic moved")
            size[name] = now
        before = m
    return wrong


def _just_asked(m: Moment, before: Moment | None) -> bool:
    """The user has changed the size."""
    return before is not None and m.rollout(SPEC) != before.rollout(SPEC)


def a_pause_begins_again_when_promoted(trace: Trace) -> list[str]:
    """`promote` of a Rollout that was paused by hand: its timed pause has long passed."""
    told = after(trace, "kubectl argo rollouts promote")
    goes_on = next(m.t for m in told if m.line.get("status.currentStepIndex") is not None)
    return [f"it went on {goes_on - told[0].t:.1f} s after promote"] if goes_on - told[0].t > 1 else []


def a_condition_flips(trace: Trace) -> list[str]:
    """A condition that changes from one status and reason to another and back within a second informs no reader."""
    wrong: list[str] = []
    past: dict[str, list[tuple[float, str]]] = {}
    for m in moments(trace):
        for field, value in m.line.items():
            if m.object != "Rollout/web" or not field.startswith("status.conditions.") or value is None:
                continue
            stood = past.setdefault(field, [])
            said = str(value).partition(" | ")[0]
            if len(stood) > 1 and stood[-2][1] == said != stood[-1][1] and m.t - stood[-1][0] < 1:
                wrong.append(f"{m.t}: {field} went {said} -> {stood[-1][1]} -> {said}")
            stood.append((m.t, said))
    return wrong


def results_stand_in_another_order_than_metrics(trace: Trace, *metrics: str) -> list[str]:
    """`metrics`: in the order of the templates."""
    wrong: list[str] = []
    for line in trace:
        found = [str(result["name"]) for result in line.get("status.metricResults") or []]
        if found != [name for name in metrics if name in found]:
            wrong.append(f"{line['t']}: {line['object']} shows {found}")
    return wrong


def an_interval_is_cut_short(trace: Trace, seconds: float) -> list[str]:
    """Of plays with one metric."""
    asked = [float(line["t"]) for line in trace if "asked" in line]
    return [f"{b}: {b - a:.2f} s after the last question" for a, b in pairwise(asked) if b - a < seconds - SKEW]

"""The ten promises of the design, each a function that reports how it was broken.

A promise is checked when something happens that could break it: a write of a controller (`WRITES`), a decision
(`PLANS`), a change of what the gateway or a pod does (`lost requests`), and the end, when all is settled (`SETTLED`).

Only events that a controller could not have received yet excuse it: pods that the history crashed or evicted less than
`PATIENCE` seconds ago count as if they were still there, and the smallest size that the Rollout had in that time counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from serinus.api.names import HASH, MANAGED_BY
from serinus.api.values.int_or_percent import scaled
from serinus.engine.core.plan import Plan, Snapshot
from tests.sim import verdict_promises
from tests.sim.history import NAME, TIER, image_of
from tests.sim.inputs import METADATA
from tests.sim.routers import CANARY
from tests.sim.store import Change, encode
from tests.sim.watchdog import OnPlan, OnWrite, Watchdog
from tests.sim.workloads import kind_of_owner, owner_of
from tests.sim.world import World

Json = dict[str, Any]
SLACK = 1.0
"""Seconds: deadlines are written in whole ones."""

DRAIN = 2
"""Seconds that a canary which was never stable has to drain at least."""


# 1. Drain after observe


def drain_after_observe(dog: Watchdog, change: Change) -> Iterator[str]:
    """No pod that may still get traffic is removed. (The gateway checks that no request is lost.)"""
    world = dog.world
    if change.plural != "replicasets" or change.old is None:
        return
    pod_hash, before = change.old["metadata"]["labels"].get(HASH, ""), change.old["spec"]["replicas"]
    after = change.new["spec"]["replicas"] if change.new else 0
    if after >= before or world.rollout is None or kind_of_owner(change.old) == "Experiment":
        return
    share = world.leading().get(pod_hash, 0.0)
    asked = dog.fewest_replicas()
    if world.canary.get("trafficRouting") or world.blue_green:
        need = -(-round(share * 1000) * asked // 1000)
        if after < need:
            yield f"{_name(change)} goes from {before} to {after} pods while {share:.0%} of the requests go there"
        yield from _too_soon(dog, pod_hash, after)
    elif share and after == 0 and asked:
        yield f"{_name(change)} goes from {before} to {after} pods while a Service leads only there"


def _too_soon(dog: Watchdog, pod_hash: str, after: int) -> Iterator[str]:
    """The scale-down delay, counted from the last write of a Service or Ingress that routed there."""
    led = dog.last_led.get(pod_hash)
    if after or led is None or led == float("inf") or not dog.serving_pods(pod_hash):
        return
    if not dog.fewest_replicas() and pod_hash in (
        dog.world.status.get("stableRS"),
        dog.world.status.get("currentPodHash"),
    ):
        return  # no pods are desired any more
    if _asked_for(dog, pod_hash):
        return  # it is the current version again, and starts with the pods of its first step
    waited, delay = dog.world.loop.at - led, _delay(dog, pod_hash)
    if waited < delay - SLACK:
        yield f"{pod_hash} loses its pods {waited:.1f} s after its traffic, and is to have {delay} s"


def _asked_for(dog: Watchdog, pod_hash: str) -> bool:
    """Whether the Rollout's template is this version's; its status shows that only with the next write."""

    def image(template: Json) -> str:
        return str(template["spec"]["containers"][0]["image"])

    rs = dog.world.sets().get(pod_hash)
    return rs is not None and image(rs["spec"]["template"]) == image(dog.world.spec["template"])


def _delay(dog: Watchdog, pod_hash: str) -> float:
    world = dog.world
    strategy = world.canary or world.blue_green
    if strategy.get("dynamicStableScale") or strategy.get("scaleDownDelayRevisionLimit") is not None:
        return 0
    delay, current = strategy.get("scaleDownDelaySeconds", 30), world.status.get("currentPodHash")
    if pod_hash == current:
        # A canary that restarts, with other steps, is resized by them; its pods end gracefully.
        return strategy.get("abortScaleDownDelaySeconds", 30) if world.status.get("abort") else 0
    settled_ = current == world.status.get("stableRS")
    return delay if settled_ and dog.role.get(pod_hash) == "stable" else min(DRAIN, delay)


def keeps_enough_pods(dog: Watchdog, change: Change) -> Iterator[str]:
    """Where pods alone divide the traffic, no fewer of them serve than maxUnavailable allows."""
    world = dog.world
    if change.plural != "replicasets" or change.old is None or not world.canary or world.canary.get("trafficRouting"):
        return
    before, after = change.old["spec"]["replicas"], change.new["spec"]["replicas"] if change.new else 0
    if after >= before or kind_of_owner(change.old) == "Experiment":
        return
    asked = dog.fewest_replicas()
    least = asked - _unavailable(world.canary, asked)
    kept = sum(min(dog.ready_pods(h), rs["spec"]["replicas"]) for h, rs in world.sets().items())
    if kept < least and not _keeps_ready(dog, change, after):
        yield f"{_name(change)} goes from {before} to {after} pods, which leaves {kept} that serve, and {least} are wanted"


def _keeps_ready(dog: Watchdog, change: Change, after: int) -> bool:
    """Whether only pods that do not serve, and so are of no use, are removed."""
    old = change.old or {}
    return after >= dog.serving_pods(old["metadata"]["labels"].get(HASH, ""))


def _unavailable(canary: Json, replicas: int) -> int:
    surge = scaled(canary.get("maxSurge"), replicas, round_up=True, default="25%")
    missing = scaled(canary.get("maxUnavailable"), replicas, round_up=False, default="25%")
    return min(replicas, missing if surge or missing else 1)


def confirmed_means_received(dog: Watchdog, change: Change) -> Iterator[str]:
    """A weight is recorded as verified when the gateway has received the object with this weight."""
    world = dog.world
    if change.plural != "rollouts" or not world.history.reports or change.new is None:
        return
    said: Json = ((change.new.get("status") or {}).get("canary") or {}).get("weights") or {}
    was: Json = (((change.old or {}).get("status") or {}).get("canary") or {}).get("weights") or {}
    now = world.canary_weight()
    if said.get("verified") is not True or said == was or not now or said["canary"]["weight"] != now[0]:
        return
    share = world.weight()
    assert share is not None
    if abs(world.gateway.canary[1] - share[0] / share[1]) > 1e-9:
        yield f"weight {now[0]} is recorded as verified, and the gateway sends {world.gateway.canary[1]:.0%} to {CANARY}"


# 2. Weight never exceeds capacity


def weight_never_exceeds_capacity(dog: Watchdog, change: Change) -> Iterator[str]:
    """A version gets x % only when it has the ready pods for it, save where the user set its size by hand."""
    world = dog.world
    if (
        change.plural not in (world.router.plural, "services")
        or not world.canary.get("trafficRouting")
        or change.new is None
    ):
        return
    found = world.weight()
    if "pingPong" in world.canary:
        return  # the Service may be the stable version's: `share_never_exceeds_capacity` is about every version
    if not found or not found[0] or any("setCanaryScale" in step for step in world.canary.get("steps", [])):
        return
    weight, top = found
    selected = world.selected()
    canary, stable = selected.get("web-canary", ""), selected.get(NAME, "")
    asked = dog.fewest_replicas()
    if canary == stable or not asked:
        return
    if world.router.subsets is not None and not canary:
        return  # a subset without a hash selects the pods of every version
    able = top * dog.ready_pods(canary) // asked
    if top * dog.ready_pods(canary) % asked:  # one more where the stable version's pods do not carry that one either
        able = max(able, min(able + 1, top - top * dog.ready_pods(stable) // asked))
    if weight > able:
        yield f"{_name(change)} gives {canary} {weight} of {top}, and its pods carry {able}"


def share_never_exceeds_capacity(dog: Watchdog, change: Change) -> Iterator[str]:
    """The same of every version, the stable one too: its share rises only as far as its ready pods carry it.

    Unless the versions that lose theirs have no pods that serve, or fewer than it has.
    """
    world = dog.world
    if (
        change.plural not in (world.router.plural, "services")
        or not world.canary.get("trafficRouting")
        or change.new is None
    ):
        return
    if any("setCanaryScale" in step for step in world.canary.get("steps", [])):
        return  # its size was set by hand
    if change.plural == "services" and world.weight_by_hand and "pingPong" in world.canary:
        return  # by hand the Service of the next version got all requests; the controller's next write gives them back
    now, asked = world.leading(), dog.fewest_replicas()
    lost = max((dog.serving_pods(h) for h, share in dog.leading.items() if now.get(h, 0.0) < share), default=0)
    for pod_hash, share in now.items():
        have = dog.ready_pods(pod_hash)
        if share > dog.leading.get(pod_hash, 0.0) and lost > have and share * asked >= have + 1:
            yield f"{_name(change)} gives {pod_hash} {share:.0%}, and {have} of {asked} pods serve it; {lost} are left"


# 3. No empty target


def no_empty_target(dog: Watchdog, change: Change) -> Iterator[str]:
    """A Service or a weight never routes to a ReplicaSet without ready pods, unless nothing else exists."""
    world = dog.world
    if not world.spec.get("replicas", 1):
        return
    if change.plural == "services" and change.new is not None and change.old is not None:
        to = change.new["spec"].get("selector", {}).get(HASH, "")
        if to == change.old["spec"].get("selector", {}).get(HASH, "") or not to:
            return
        if world.router.subsets is not None and to in world.router.subsets.nobody:
            return  # a share of the requests that goes there is found with the weights
        if not dog.ready_pods(to) and any(dog.serving_pods(h) for h in world.sets()):
            yield f"Service {change.name} is led to {to}, which has no ready pods"
    elif change.plural == world.router.plural:
        for pod_hash, share in world.leading().items():
            if (
                share > dog.leading.get(pod_hash, 0.0)
                and not dog.ready_pods(pod_hash)
                and any(dog.serving_pods(h) for h in world.sets())
            ):
                yield f"{share:.0%} of the requests are led to {pod_hash}, which has no ready pods"


# 4. Touch only our own objects and fields


def touch_only_ours(dog: Watchdog, change: Change) -> Iterator[str]:
    """In shared objects only our own selector, weights and annotations change."""
    for path in changed(change.old or {}, change.new or {}):
        if path.startswith(("metadata.resourceVersion", "metadata.generation")):
            continue
        restored = (
            change.plural == "replicasets" and change.name in dog.world.edited and path.startswith("spec.template")
        )
        ours = OURS.get(change.plural) or _ours_by_router(dog.world, change.plural)
        if not path.startswith(ours) and not _made(dog, change) and not restored:
            yield f"{_name(change)}: {path} is not ours to change"


def _ours_by_router(world: World, plural: str) -> tuple[str, ...]:
    subsets = world.router.subsets
    if subsets is not None and plural == subsets.plural:
        return subsets.ours
    return world.router.ours if plural == world.router.plural else ()


OURS: dict[str, tuple[str, ...]] = {
    "services": (f"spec.selector.{HASH}", f"metadata.annotations.{MANAGED_BY}"),
    "rollouts": ("status", "metadata.annotations.rollout.argoproj.io/revision"),
    "leases": ("",),
    "analysisruns": ("status", "spec.terminate"),
    "experiments": ("status", "spec.terminate"),
    "pods": ("metadata.deletionTimestamp", "metadata.labels", "metadata.annotations"),
    "replicasets": (
        "spec.replicas",
        "spec.minReadySeconds",
        "spec.template.metadata",  # the metadata of a role
        "metadata.annotations",
    ),
}


def _made(dog: Watchdog, change: Change) -> bool:
    """Whether the object is a Rollout's own, or one that its router creates and deletes as a whole."""
    some, router = change.new or change.old or {}, dog.world.router
    own = owner_of(some) == NAME or kind_of_owner(some) in ("Experiment", "AnalysisRun")
    own = own or (router.made and (change.plural, change.name) == (router.plural, router.name))
    return (change.old is None or change.new is None) and own


def changed(old: Json, new: Json, before: str = "") -> Iterator[str]:
    """Paths at which two objects differ."""
    for key in {**old, **new}:
        was, now = old.get(key), new.get(key)
        if was is now or was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            yield from changed(was, now, f"{before}{key}.")
        else:
            yield f"{before}{key}"


def _name(change: Change) -> str:
    return f"{change.plural} {change.name}"


# 5. Level-triggered, and 9. A revision is its template's meaning


def level_triggered(dog: Watchdog, change: Change) -> Iterator[str]:
    """No object is created twice: there is one ReplicaSet for a template's meaning, in any spelling."""
    if change.plural != "replicasets" or change.old is not None or change.new is None:
        return
    if dog.world.edited and kind_of_owner(change.new) == "Experiment":
        return  # it compares versions, of which a user has made one like the other
    image, owner = image_of(change.new), change.new["metadata"]["ownerReferences"][0]["uid"]
    for rs in dog.world.store.all("replicasets"):
        theirs = rs["metadata"].get("ownerReferences") or [{"uid": ""}]
        if rs["metadata"]["name"] in dog.world.edited:
            continue
        if rs["metadata"]["name"] != change.name and image_of(rs) == image and theirs[0]["uid"] == owner:
            yield f"{change.name} is made, and {rs['metadata']['name']} is of the same template"


def ends_as_without_faults(dog: Watchdog, end: Json, twin: Json) -> None:
    """After the faults the Rollout settles in the state that the same input reaches without them."""
    for key, there in twin.items():
        if end.get(key) != there:
            dog.broke("level_triggered", f"it ends with {key} {end.get(key)!r}, and without faults with {there!r}")
            return


# 6. Always a reason


def always_a_reason(dog: Watchdog, snapshot: Snapshot, plan: Plan) -> Iterator[str]:
    """Every decision has a because, every wait a sentence; a Rollout that is not Healthy gives the reason."""
    for action in plan.actions:
        if not action.because:
            yield f"{action.verb} {action.kind} {action.name} has no because"
    for wait in plan.waits:
        if not wait.message or not wait.reason:
            yield "a wait has no sentence"
    status = snapshot.rollout.status
    if plan.actions or plan.status is not None or status.phase in ("Healthy", ""):
        return
    if not plan.waits and not status.message:
        yield f"nothing is done in phase {status.phase}, and nothing says why"
    timed = [w for w in plan.waits if w.until is not None]
    if timed and (plan.requeue_at is None or plan.requeue_at > min(w.until or 0 for w in timed) + SLACK):
        yield f"nobody looks again when the wait {timed[0].reason} ends"


# 7. Nothing to do, no writes


def nothing_to_do_nothing_done(dog: Watchdog) -> Iterator[str]:
    """A settled Rollout costs no call."""
    world = dog.world
    for wire in world.wires.values():
        idle = world.loop.at - wire.last_work
        if not wire.dead and idle < 60.0:
            last = wire.requests.most_common(3)
            yield f"{wire.name} called {idle:.0f} s ago, long after the last change ({last})"


# 8. Bounded


def bounded(dog: Watchdog) -> Iterator[str]:
    """Status, history and the controller's memory do not grow."""
    world = dog.world
    size = len(encode(world.status))
    if size > 6000:
        yield f"the status has {size} bytes"
    limit = world.spec.get("revisionHistoryLimit", 10)
    # A version that has pods is no history yet: it serves until another can.
    old = [rs for rs in world.store.all("replicasets") if owner_of(rs) == NAME and not rs["spec"]["replicas"]]
    if len(old) > limit + 2 and not world.spec.get("paused"):
        yield f"{len(old)} ReplicaSets are kept, and {limit} old ones are wanted"
    if len(world.status.get("conditions", [])) > 8:
        yield "conditions are repeated"
    for controller, task in world.controllers.values():
        open_ = len(controller.reconciler._applier.writes)  # pyright: ignore[reportPrivateUsage]
        if open_ and not task.done() and (controller.election is None or controller.election.leading):
            yield f"{open_} own writes are still waited for"


# 10. Commands are safe


def promoted_with_all_pods(dog: Watchdog, change: Change) -> Iterator[str]:
    """A version that replaces another as the stable one has all of its pods: it could carry all traffic.

    While pods are restarted (`restartAt`), as many may be missing as the user allows.
    """
    if change.plural != "rollouts" or change.old is None or change.new is None:
        return
    was, stable = ((obj.get("status") or {}).get("stableRS", "") for obj in (change.old, change.new))
    if was in ("", stable):
        return  # the very first version replaces none
    ready, asked = dog.ready_pods(stable), dog.fewest_replicas()
    restarted: bool = change.new["spec"].get("restartAt") != (change.old.get("status") or {}).get("restartedAt")
    if ready < asked - (max(1, _unavailable(dog.world.canary, asked)) if restarted else 0):
        yield f"{stable} becomes the stable version with {ready} of {asked} pods"


def commands_are_safe(dog: Watchdog, change: Change) -> Iterator[str]:
    """Only a user ends a pause that waits for approval, and only a user's command makes an aborted version stable."""
    if change.plural != "rollouts" or change.old is None or change.new is None:
        return
    was: Json = change.old.get("status") or {}
    now: Json = change.new.get("status") or {}
    pod_hash = now.get("currentPodHash", "")
    same = was.get("currentPodHash", "") == pod_hash
    stable = now.get("stableRS", "")
    if (
        same
        and pod_hash
        and was.get("currentStepHash") == now.get("currentStepHash")  # other steps end an abort
        and was.get("abort")
        and not was.get("promoteFull")
        and stable == pod_hash
        and was.get("stableRS") not in ("", stable)
    ):
        yield f"{stable} was aborted, and becomes stable"
    canary: Json = change.new["spec"]["strategy"].get("canary") or {}
    steps = canary.get("steps") or []
    first, then = was.get("currentStepIndex") or 0, now.get("currentStepIndex") or 0
    if not same or was.get("currentStepHash") != now.get("currentStepHash") or was.get("promoteFull") or then <= first:
        return
    if any(step.get("pause") == {} for step in steps[first:then]) and dog.permits >= dog.world.permits:
        free = pod_hash == stable or "rollbackWindow" in change.new["spec"]
        if not free:
            yield f"step {first + 1} waits for a person, and nobody promoted it"
    if then > first:
        dog.permits = dog.world.permits


# The end


def settles_in_order(dog: Watchdog) -> Iterator[str]:
    """The status of a settled Rollout is true: phase, sizes, Services and weight match."""
    world = dog.world
    status, sets = world.status, world.sets()
    sizes = {h: rs["spec"]["replicas"] for h, rs in sets.items() if rs["spec"]["replicas"]}
    wanted, stable = world.spec.get("replicas", 1), status.get("stableRS", "")
    weight, phase = world.canary_weight(), status.get("phase")
    if phase not in ("Healthy", "Paused", "Degraded"):
        yield f"it stays {phase}: {status.get('message', '')}"
    if phase == "Healthy":
        if sizes != ({stable: wanted} if wanted else {}):
            yield f"it is Healthy with pods {sizes}, and {wanted} of {stable} are wanted"
        if wanted:
            yield from _healthy_traffic(dog, stable)
    said: Json = (status.get("canary") or {}).get("weights") or {}
    if said and weight and said["canary"]["weight"] != weight[0]:
        yield f"it says that the canary gets {said['canary']['weight']}, and the Ingress says {weight[0]}"
    if said and said["canary"]["weight"] and not weight:
        yield f"it says that the canary gets {said['canary']['weight']}, and there is no Ingress for that"
    if status.get("abort") and weight and weight[0] and not world.spec.get("paused"):
        yield f"it is aborted, and the canary gets {weight[0]}"


def _healthy_traffic(dog: Watchdog, stable: str) -> Iterator[str]:
    world = dog.world
    weight = world.canary_weight()
    if weight and weight[0]:
        yield f"it is Healthy, and the canary gets {weight[0]}"
    for name, selected in world.led().items():
        if selected and selected != stable:
            yield f"it is Healthy, and Service {name} leads to {selected}, not to {stable}"


def sizes_follow_replicas(dog: Watchdog) -> Iterator[str]:
    """For any waiting time and any fault of an update: the version in charge has the desired size."""
    world, status = dog.world, dog.world.status
    wanted, sets = world.spec.get("replicas", 1), world.sets()
    stable = sets.get(status.get("stableRS", ""))
    if stable is None or not wanted or world.canary.get("dynamicStableScale"):
        return
    waits = status.get("phase") == "Paused" or world.spec.get("paused")
    if waits and not any(c["type"] == "Healthy" for c in status.get("conditions", [])):
        return  # paused from the beginning, aborted or not: the first version has no pods until it is resumed
    if world.canary and not world.canary.get("trafficRouting"):
        have = sum(rs["spec"]["replicas"] for rs in sets.values())
        if have < wanted - _unavailable(world.canary, wanted):
            yield f"it stays {status.get('phase')} with {have} pods, and {wanted} are wanted"
    elif stable["spec"]["replicas"] != wanted:
        yield f"it stays {status.get('phase')} with {stable['spec']['replicas']} pods of the stable version, {wanted} are wanted"


def pods_carry_their_role(dog: Watchdog) -> Iterator[str]:
    """The pods of a Healthy Rollout have the metadata of the version in charge over that of the template, and no other."""
    world, status = dog.world, dog.world.status
    if status.get("phase") != "Healthy" or world.spec.get("paused"):
        return
    field = METADATA["canary" if world.canary else "blueGreen"][1]
    asked: Json = ((world.canary or world.blue_green).get(field) or {}).get("labels") or {}
    for pod in world.workloads.pods.values():
        if pod.pod_hash == status.get("stableRS") and not pod.ending:
            have = {key: value for key, value in pod.labels.items() if key in ("tier", "role")}
            if have != {**TIER, **asked}:
                yield f"pod {pod.name} has the labels {have}, and is to have { ({**TIER, **asked}) }"


def settled(dog: Watchdog) -> None:
    """Checks every promise that must hold once nothing happens any more."""
    if dog.world.rollout is None:
        return
    for promise in SETTLED + (verdict_promises.SETTLED if dog.world.history.templates else ()):
        for what in promise(dog):
            dog.broke(promise.__name__, what)


def watch(world: World) -> Watchdog:
    """The watchdog that checks the promises of a world from now on."""
    return Watchdog(world, WRITES + (verdict_promises.WRITES if world.history.templates else ()), PLANS)


WRITES: tuple[OnWrite, ...] = (
    drain_after_observe,
    keeps_enough_pods,
    weight_never_exceeds_capacity,
    share_never_exceeds_capacity,
    no_empty_target,
    touch_only_ours,
    level_triggered,
    promoted_with_all_pods,
    confirmed_means_received,
    commands_are_safe,
)
PLANS: tuple[OnPlan, ...] = (always_a_reason,)
SETTLED: tuple[Callable[[Watchdog], Iterator[str]], ...] = (
    nothing_to_do_nothing_done,
    bounded,
    settles_in_order,
    sizes_follow_replicas,
    pods_carry_their_role,
)

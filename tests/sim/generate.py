"""A random history for each seed: valid Rollouts of every strategy, and a bad day for each of them."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.sim.analyses import with_analyses
from tests.sim.faults import KINDS, WATCHED, Episode
from tests.sim.history import NAME, Action, Closing, History, Kill, template
from tests.sim.inputs import with_inputs
from tests.sim.workloads import Image

Json = dict[str, Any]
GOOD = ("v1", "v2", "v3", "v4", "v5")
BAD = "bad"
LENGTH = 120.0


def generate(seed: int) -> History:
    return with_inputs(with_analyses(plain(seed)))


def plain(seed: int) -> History:
    """The history before analyses and further inputs are added to it."""
    rng = Random(f"history {seed}")
    images = {name: Image(round(rng.choice((0.3, 1.0, 3.0, 8.0)) * rng.uniform(0.5, 1.5), 2)) for name in (*GOOD, "x1", "x2")}  # fmt: skip
    images[BAD] = Image(never=True)
    strategy = rng.choices(("routed", "basic", "blueGreen"), (5, 3, 3))[0]
    spec, services = {"routed": _routed, "basic": _basic, "blueGreen": _blue_green}[strategy](rng)
    rollout: Json = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": NAME, "annotations": {"team": "shop"}},
        "spec": {
            "replicas": rng.choice((0, 1, 1, 2, 3, 4, 5, 5, 7, 10)),
            "selector": {"matchLabels": {"app": NAME}},
            "template": template("v1"),
            "strategy": spec,
            **_rollout_options(rng, blue_green=strategy == "blueGreen"),
        },
    }
    return History(
        seed,
        rollout,
        services,
        strategy == "routed",
        images,
        grace=round(rng.uniform(1.0, 6.0), 2),
        actions=_actions(rng, strategy, spec),
        kills=_kills(rng),
        episodes=_episodes(rng, LENGTH),
        late_episodes=_episodes(rng, 60.0),
        closing=_closing(rng, spec),
        elected=rng.random() < 0.15,
        length=LENGTH,
    )


def _maybe(rng: Random, chance: float, key: str, values: tuple[Any, ...]) -> Json:
    return {key: rng.choice(values)} if rng.random() < chance else {}


def _rollout_options(rng: Random, *, blue_green: bool) -> Json:
    return {
        "progressDeadlineSeconds": rng.choice((30, 60, 100)),
        **_maybe(rng, 0.3, "minReadySeconds", (1, 3)),
        **_maybe(rng, 0.2, "progressDeadlineAbort", (True,)),
        **_maybe(rng, 0.3, "revisionHistoryLimit", (1, 2) if blue_green else (0, 1, 2)),
        **_maybe(rng, 0.25, "rollbackWindow", ({"revisions": 1}, {"revisions": 3})),
    }


def _pause(rng: Random) -> Json:
    return {"pause": {} if rng.random() < 0.4 else {"duration": rng.choice((1, 5, 20, "10", "15s"))}}


def steps(rng: Random, *, routed: bool) -> list[Json]:
    out: list[Json] = []
    for _ in range(rng.randint(0, 4)):
        out.append({"setWeight": rng.choice((5, 10, 20, 25, 33, 50, 75, 90, 100))})
        if rng.random() < 0.7:
            out.append(_pause(rng))
        if routed and rng.random() < 0.2:
            scale = rng.choice(({"replicas": 1}, {"replicas": 3}, {"weight": 50}, {"matchTrafficWeight": True}))
            out.insert(rng.randint(0, len(out)), {"setCanaryScale": scale})
    return out


def _routed(rng: Random) -> tuple[Json, tuple[str, ...]]:
    routing: Json = {"nginx": {"stableIngress": NAME}, **_maybe(rng, 0.15, "maxTrafficWeight", (1000,))}
    canary: Json = {
        "canaryService": "web-canary",
        "stableService": NAME,
        "trafficRouting": routing,
        "steps": steps(rng, routed=True),
        **_maybe(rng, 0.3, "abortScaleDownDelaySeconds", (0, 5, 20)),
        **_maybe(rng, 0.3, "minPodsPerReplicaSet", (2, 3)),
    }
    if rng.random() < 0.35:
        canary["dynamicStableScale"] = True
    else:
        canary |= _maybe(rng, 0.6, "scaleDownDelaySeconds", (2, 5, 15, 40))
        canary |= _maybe(rng, 0.2, "scaleDownDelayRevisionLimit", (0, 1, 2))
    return {"canary": canary}, (NAME, "web-canary")


def _basic(rng: Random) -> tuple[Json, tuple[str, ...]]:
    surge, unavailable = rng.choice(((1, 0), (0, 1), ("25%", "25%"), ("50%", 0), (2, 2), ("100%", 0), (None, None)))
    canary: Json = {"steps": steps(rng, routed=False)}
    if surge is not None:
        canary |= {"maxSurge": surge, "maxUnavailable": unavailable}
    if rng.random() < 0.4:
        canary |= {"stableService": "web-stable", "canaryService": "web-canary"}
        return {"canary": canary}, (NAME, "web-stable", "web-canary")
    return {"canary": canary}, (NAME,)


def _blue_green(rng: Random) -> tuple[Json, tuple[str, ...]]:
    strategy: Json = {
        "activeService": NAME,
        **_maybe(rng, 0.5, "autoPromotionEnabled", (False,)),
        **_maybe(rng, 0.4, "autoPromotionSeconds", (1, 5, 20)),
        **_maybe(rng, 0.6, "scaleDownDelaySeconds", (1, 5, 15, 40)),
        **_maybe(rng, 0.2, "scaleDownDelayRevisionLimit", (0, 1)),
        **_maybe(rng, 0.3, "abortScaleDownDelaySeconds", (0, 5)),
        **_maybe(rng, 0.3, "previewReplicaCount", (1, 2)),
    }
    services: tuple[str, ...] = (NAME,)
    if rng.random() < 0.7:
        strategy["previewService"] = "web-preview"
        services = (NAME, "web-preview")
    return {"blueGreen": strategy}, services


def waits_for_a_person(spec: Json) -> bool:
    """Whether an update stops somewhere until a user promotes it."""
    if "blueGreen" in spec:
        return spec["blueGreen"].get("autoPromotionEnabled") is False
    return any(step.get("pause") == {} for step in spec["canary"].get("steps", []))


def _closing(rng: Random, spec: Json) -> Closing:
    closings: tuple[Closing, ...] = ("abort", "pause", "back", "release")
    return rng.choice(closings)


def _actions(rng: Random, strategy: str, spec: Json) -> tuple[Action, ...]:
    out: list[Action] = []
    for _ in range(rng.randint(2, 9)):
        at = round(rng.uniform(3.0, LENGTH), 2)
        kinds = {"image": 6, "promote": 5, "promote-full": 1, "abort": 2, "retry": 1.5, "scale": 2, "undo": 1,
                 "respell": 0.7, "restart": 0.7, "paused": 0.6, "unpaused": 0.8, "delete": 0.15, "note": 0.5,
                 "crash": 2, "evict": 1.5}  # fmt: skip
        if strategy != "blueGreen":
            kinds |= {"steps": 0.8, "skip": 0.5}
        if strategy == "routed":
            kinds |= {"router-edited": 0.8, "router-deleted": 0.8}
        kind = rng.choices(tuple(kinds), tuple(kinds.values()))[0]
        value: Any = None
        if kind == "image":
            value = rng.choice((*GOOD, BAD)) if rng.random() < 0.4 else rng.choice(GOOD)
        elif kind == "scale":
            value = rng.choice((0, 1, 2, 3, 5, 8, 10))
        elif kind == "steps":
            value = steps(rng, routed=strategy == "routed")
        elif kind in ("crash", "evict"):
            value = [rng.randrange(1000), round(rng.uniform(0.5, 15.0), 2)]
        out.append(Action(at, kind, value))
    return tuple(sorted(out, key=lambda a: a.at))


def _kills(rng: Random) -> tuple[Kill, ...]:
    count = rng.choice((0, 0, 1, 2, 4))
    return tuple(
        Kill(round(rng.uniform(0.0, LENGTH), 2), rng.randint(1, 4), rng.random() < 0.5, round(rng.uniform(0.1, 6.0), 2))
        for _ in range(count)
    )


def _episodes(rng: Random, length: float) -> tuple[Episode, ...]:
    out: list[Episode] = []
    for _ in range(rng.choice((0, 2, 4, 6))):
        kind = rng.choice(KINDS)
        lasting = kind in ("deaf", "away")
        out.append(
            Episode(
                kind,
                at=round(rng.uniform(0.0, length), 2),
                length=round(rng.uniform(1.0, 10.0) if lasting else rng.uniform(3.0, 60.0), 2),
                rate=round(rng.choice((0.05, 0.2, 0.5)), 2),
                delay=round(rng.uniform(0.1, 5.0), 2),
                plural=rng.choice(WATCHED) if kind in ("late", "deaf", "broken", "expired", "repeated") else "",
                only=rng.choice((None, None, 0, 1)) if kind in ("away", "slow") else None,
            )
        )
    return tuple(out)

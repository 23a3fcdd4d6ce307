"""Actions of users and the world in a history: each kind of action is a function of the world and its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serinus.commands import decision
from serinus.commands.promotion import promotion, promotion_action
from serinus.kube.clock import rfc3339
from tests.sim.history import NAME, Action, respelled, template
from tests.sim.inputs import METADATA
from tests.sim.store import Json, Refusal
from tests.sim.world import SOMEBODY, USER, World

Do = Callable[[World, Any], None]
FOREIGN = "example.com/tuned"
SENSELESS: list[Json] = [{"setWeight": 101}]
EDITED: list[Json] = [
    {"manager": "rollouts-controller", "fieldsV1": {"f:spec": {"f:selector": {}, "f:template": {}}}},
    {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:template": {}}}},
]
"""The API server's managedFields after a user edits the template that the controller wrote."""


def act(world: World, action: Action) -> None:
    """Does it; a refusal of the API (the Rollout is gone, say) is ignored, as with kubectl."""
    try:
        ACTIONS[action.kind](world, action.value)
    except (Refusal, decision.Refusal):
        return


def _spec(world: World, patch: Json) -> None:
    world.store.patch("rollouts", NAME, {"spec": patch}, USER)


def _status(world: World, patch: Json) -> None:
    world.store.patch("rollouts", NAME, {"status": patch}, USER, status=True)


def image(world: World, value: str) -> None:
    _spec(world, {"template": template(value)})


def undo(world: World, _: Any) -> None:
    """The template of the ReplicaSet before the last, as `undo` finds it."""
    sets = sorted(world.store.all("replicasets"), key=_revision)
    if len(sets) > 1:
        old = sets[-2]["spec"]["template"]["spec"]["containers"][0]["image"].partition(":")[2]
        image(world, old)


def _revision(rs: Json) -> int:
    return int((rs["metadata"].get("annotations") or {}).get("rollout.argoproj.io/revision", "0"))


def respell(world: World, _: Any) -> None:
    if world.rollout:
        _spec(world, {"template": respelled(world.spec["template"])})


def promote(world: World, _: Any, *, full: bool = False, skip: bool = False) -> None:
    if world.rollout is None:
        return
    status, spec = promotion(promotion_action(full=full, skip_current=skip), world.rollout)
    world.permits += 1
    if status is not None:
        world.store.patch("rollouts", NAME, status, USER, status=True)
    if spec is not None:
        world.store.patch("rollouts", NAME, spec, USER)


def abort(world: World, _: Any) -> None:
    _status(world, {"abort": True})


def retry(world: World, _: Any) -> None:
    _status(world, {"abort": False})


def scale(world: World, value: int) -> None:
    _spec(world, {"replicas": value})


def edit_steps(world: World, value: list[Json]) -> None:
    _spec(world, {"strategy": {"canary": {"steps": value}}})


def paused(world: World, value: Any, *, to: bool = True) -> None:
    _spec(world, {"paused": to})


def restart(world: World, _: Any) -> None:
    _spec(world, {"restartAt": rfc3339(world.loop.now())})


def delete(world: World, _: Any) -> None:
    """The Rollout is deleted and, a little later, applied again as it was."""
    old = world.rollout
    if old is None:
        return
    world.store.delete("rollouts", NAME, USER)
    again = {k: v for k, v in old.items() if k != "status"}
    again["metadata"] = {"name": NAME, "annotations": {"team": "shop"}}
    world.loop.call_later(15.0, world.store.create, "rollouts", again, USER)


def note(world: World, _: Any) -> None:
    """A user annotates objects that the controller writes too."""
    for plural in dict.fromkeys(("services", "ingresses", world.router.plural, "rollouts")):
        for obj in world.store.all(plural):
            patch = {"metadata": {"annotations": {FOREIGN: str(world.loop.at)}}}
            world.store.patch(plural, obj["metadata"]["name"], patch, SOMEBODY)


def crash(world: World, value: list[float]) -> None:
    pods = [p for p in world.workloads.pods.values() if p.serving and not p.ending]
    if pods:
        world.workloads.crash(pods[int(value[0]) % len(pods)], value[1])


def evict(world: World, value: list[float]) -> None:
    pods = [p for p in world.workloads.pods.values() if not p.ending]
    if pods:
        world.workloads.evict(pods[int(value[0]) % len(pods)])


def edit_router(world: World, _: Any) -> None:
    """A user sets the weight by hand and leaves the rest."""
    router = world.router
    obj = world.store.get(router.plural, router.name)
    patch: Json = router.by_hand(obj) if obj is not None else {}
    metadata: Json = patch.get("metadata") or {}
    notes = {**(metadata.get("annotations") or {}), FOREIGN: "hand"}
    patch = {**patch, "metadata": {**metadata, "annotations": notes}}
    world.store.patch(router.plural, router.name, patch, SOMEBODY)


def delete_router(world: World, _: Any) -> None:
    """Only the router's own objects are created again."""
    if world.router.made:
        world.store.delete(world.router.plural, world.router.name, SOMEBODY)


def delete_run(world: World, value: int) -> None:
    """A user deletes an AnalysisRun."""
    runs = world.store.all("analysisruns")
    if runs:
        world.store.delete("analysisruns", runs[value % len(runs)]["metadata"]["name"], SOMEBODY)


def end_run(world: World, value: int) -> None:
    """A user ends a run now, with its measurements so far."""
    runs = [r for r in world.store.all("analysisruns") if (r.get("status") or {}).get("phase") == "Running"]
    if runs:
        name = runs[value % len(runs)]["metadata"]["name"]
        world.store.patch("analysisruns", name, {"spec": {"terminate": True}}, SOMEBODY)


def edit_set(world: World, value: list[Any]) -> None:
    """A user puts another image into a ReplicaSet, past its Rollout."""
    sets = list(world.sets().values())
    if sets:
        rs = sets[int(value[0]) % len(sets)]
        spec = template(value[1])["spec"]
        world.edited.add(rs["metadata"]["name"])
        patch = {"metadata": {"managedFields": EDITED}, "spec": {"template": {"spec": spec}}}
        world.store.patch("replicasets", rs["metadata"]["name"], patch, SOMEBODY)


def strip_set(world: World, value: list[Any]) -> None:
    """A user removes an annotation that the controller keeps on a ReplicaSet, or changes its size."""
    sets = list(world.sets().values())
    if sets:
        name = sets[int(value[0]) % len(sets)]["metadata"]["name"]
        key: Any = value[1]
        patch = {"spec": {"replicas": key}} if isinstance(key, int) else {"metadata": {"annotations": {key: None}}}
        world.store.patch("replicasets", name, patch, SOMEBODY)


def take_metadata(world: World, _: Any) -> None:
    """The metadata of both roles is removed from the spec."""
    for strategy, fields in METADATA.items():
        if strategy in world.spec.get("strategy", {}):
            _spec(world, {"strategy": {strategy: dict.fromkeys(fields)}})


def break_steps(world: World, seconds: float) -> None:
    """The steps are invalid for a while, and then fixed."""
    canary = world.canary
    if not canary:
        return
    before = canary.get("steps") or []
    if before == SENSELESS:
        return
    edit_steps(world, SENSELESS)

    def mend() -> None:
        if world.rollout is None:  # deleted, and applied again as it was: with these steps
            world.loop.call_later(1.0, mend)
        elif world.canary.get("steps") == SENSELESS:
            act(world, Action(world.loop.at, "steps", before))

    world.loop.call_later(seconds, mend)


def lose_template(world: World, value: list[float]) -> None:
    """An AnalysisTemplate is deleted, and applied again."""
    templates = world.store.all("analysistemplates")
    if not templates:
        return
    lost = templates[int(value[0]) % len(templates)]
    world.store.delete("analysistemplates", lost["metadata"]["name"], SOMEBODY)
    again = {**lost, "metadata": {"name": lost["metadata"]["name"]}}

    def apply() -> None:
        if world.store.get("analysistemplates", again["metadata"]["name"]) is None:
            world.store.create("analysistemplates", again, USER)

    world.loop.call_later(value[1], apply)


ACTIONS: dict[str, Do] = {
    "image": image,
    "undo": undo,
    "respell": respell,
    "promote": promote,
    "promote-full": lambda w, v: promote(w, v, full=True),
    "skip": lambda w, v: promote(w, v, skip=True),
    "abort": abort,
    "retry": retry,
    "scale": scale,
    "steps": edit_steps,
    "paused": paused,
    "unpaused": lambda w, v: paused(w, v, to=False),
    "restart": restart,
    "delete": delete,
    "note": note,
    "crash": crash,
    "evict": evict,
    "router-edited": edit_router,
    "router-deleted": delete_router,
    "run-deleted": delete_run,
    "run-ended": end_run,
    "set-edited": edit_set,
    "set-stripped": strip_set,
    "metadata-taken": take_metadata,
    "steps-broken": break_steps,
    "template-lost": lose_template,
}

"""What people and the world do in a history: each kind of action is a function of the world and its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serinus.cli.problems import Problem
from serinus.cli.rollouts.promote import requests
from serinus.kube.clock import rfc3339
from tests.sim.history import NAME, Action, respelled, template
from tests.sim.store import Json, Refusal
from tests.sim.world import SOMEBODY, USER, World

Do = Callable[[World, Any], None]
FOREIGN = "example.com/tuned"


def act(world: World, action: Action) -> None:
    """Does it; what the API refuses (the Rollout is gone, say) is refused, as with kubectl."""
    try:
        ACTIONS[action.kind](world, action.value)
    except (Refusal, Problem):
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
    status, spec = requests(world.rollout, full=full, skip_current=skip)
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
    """Somebody annotates what the controller writes to as well."""
    for plural in ("services", "ingresses", "rollouts"):
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
    """Somebody turns the weight by hand; they mean no harm to the rest."""
    patch = {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary-weight": "0", FOREIGN: "hand"}}}
    world.store.patch("ingresses", f"{NAME}-{NAME}-canary", patch, SOMEBODY)


def delete_router(world: World, _: Any) -> None:
    world.store.delete("ingresses", f"{NAME}-{NAME}-canary", SOMEBODY)


def delete_run(world: World, value: int) -> None:
    """Somebody deletes an AnalysisRun."""
    runs = world.store.all("analysisruns")
    if runs:
        world.store.delete("analysisruns", runs[value % len(runs)]["metadata"]["name"], SOMEBODY)


def end_run(world: World, value: int) -> None:
    """Somebody has a run end now, with what it has measured."""
    runs = [r for r in world.store.all("analysisruns") if (r.get("status") or {}).get("phase") == "Running"]
    if runs:
        name = runs[value % len(runs)]["metadata"]["name"]
        world.store.patch("analysisruns", name, {"spec": {"terminate": True}}, SOMEBODY)


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
}

"""Writes that the API server refuses, and writers that undo the controller's writes, against the whole controller.

Each row of the first table is a kind of written object; each is refused in several ways.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from serinus.kube.transport import Request, Response
from tests.support.controller.canary_scene import begin, phase, rollout, settled_on
from tests.support.controller.trouble import MINUTES, Trouble, events, status
from tests.support.long import crossed, few

pytestmark = pytest.mark.looptime(start=0)

Json = dict[str, Any]

REFUSALS = {
    "invalid": (422, "Invalid", "metadata.labels: Invalid value"),
    "bad request": (400, "BadRequest", "unable to decode"),
    "no right": (403, "Forbidden", 'User "serinus" cannot do this'),
    "quota": (403, "Forbidden", "exceeded quota: compute, requested: pods=1, used: pods=5, limited: pods=5"),
    "too large": (413, "RequestEntityTooLarge", "limit is 3145728"),
    "webhook": (409, "Conflict", 'admission webhook "x.example.com" denied the request: not signed'),
    "webhook away": (500, "InternalError", 'failed calling webhook "x.example.com": connection refused'),
}


@dataclass
class Kind:
    """The refused requests, and a Rollout whose update needs them."""

    matches: Callable[[str, str], bool]
    named: str
    """The name in the status."""
    change: Callable[[Json], None] = lambda _: None


def step(first: Json) -> Callable[[Json], None]:
    def change(obj: Json) -> None:
        obj["spec"]["strategy"]["canary"]["steps"].insert(0, first)

    return change


def without_routing(obj: Json) -> None:
    obj["spec"]["strategy"]["canary"] = {"steps": [{"setWeight": 20}, {"pause": {"duration": 5}}]}


EXPERIMENT = {"duration": "5s", "templates": [{"name": "a", "specRef": "canary"}]}
ANALYSIS = {"templates": [{"templateName": "ok"}]}

KINDS = {
    "ReplicaSet create": Kind(lambda m, p: m == "POST" and p.endswith("/replicasets"), "ReplicaSet web-"),
    "ReplicaSet create, no router": Kind(
        lambda m, p: m == "POST" and p.endswith("/replicasets"), "ReplicaSet web-", without_routing
    ),
    "ReplicaSet patch": Kind(lambda m, p: m == "PATCH" and "/replicasets/" in p, "ReplicaSet web-"),
    "Service patch": Kind(lambda m, p: m == "PATCH" and p.endswith("/services/web-canary"), "Service web-canary"),
    "Ingress patch": Kind(lambda m, p: m == "PATCH" and "/ingresses/" in p, "Ingress web-web-canary"),
    "Rollout patch": Kind(lambda m, p: m == "PATCH" and p.endswith("/rollouts/web"), "Rollout web"),
    "Experiment create": Kind(
        lambda m, p: m == "POST" and p.endswith("/experiments"), "Experiment web-", step({"experiment": EXPERIMENT})
    ),
    "AnalysisRun create": Kind(
        lambda m, p: m == "POST" and p.endswith("/analysisruns"), "AnalysisRun web-", step({"analysis": ANALYSIS})
    ),
}


class Refusing(Trouble):
    """Refuses matching requests; counts the tries."""

    def __init__(self, store: Any, kind: Kind, how: str) -> None:
        super().__init__(store)
        self.kind, self.how, self.on, self.tries = kind, how, False, list[str]()
        self.answer = self.refuse

    async def refuse(self, request: Request) -> Response | None:
        if not self.on or not self.kind.matches(request.method, request.path):
            return None
        self.tries.append(request.path)
        return status(*REFUSALS[self.how])


async def template(play: Any) -> None:
    metric = {"name": "m", "provider": {"web": {"url": "http://127.0.0.1:9/", "jsonPath": "{$.ok}"}}}
    await play.store.put("analysistemplates", {"metadata": {"name": "ok"}, "spec": {"metrics": [metric]}})


def condition(play: Any, kind: str) -> Json | None:
    found = play.store.get("rollouts", "web").get("status", {}).get("conditions", [])
    return next((c for c in found if c["type"] == kind), None)


def wanted(kind: Kind, image: str) -> Json:
    obj = rollout(image)
    kind.change(obj)
    return obj


async def scene(play: Any, kind: Kind, how: str) -> tuple[Any, Refusing]:
    """A Rollout that serves blue, and an API that refuses this kind of write from now on."""
    await begin(play)
    await template(play)
    await play.store.put("rollouts", wanted(kind, "blue"))
    api = Refusing(play.store, kind, how)
    controller, _ = play.controller(api, plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    api.on = True
    return controller, api


ROWS = [
    (what, how)
    for what in KINDS
    for how in REFUSALS
    if how == "no right" or what in ("ReplicaSet create", "Ingress patch")
]


@pytest.mark.parametrize(("what", "how"), few(ROWS, [*{what: (what, how) for what, how in ROWS}.values(), *ROWS[:7:3]]))
async def test_a_refused_write_is_in_the_status_at_once_and_tried_ever_more_rarely(
    play: Any, what: str, how: str
) -> None:
    """The object and the server's words; no hot retry, one Event, and a settled status while nothing changes."""
    kind = KINDS[what]
    controller, api = await scene(play, kind, how)
    await play.store.put("rollouts", wanted(kind, "green"))
    await play.until(lambda: api.tries, seconds=60)
    await asyncio.sleep(2)
    told = play.store.get("rollouts", "web")["status"]
    assert told["phase"] == "Degraded"
    assert kind.named in told["message"]
    assert REFUSALS[how][2] in told["message"]
    await asyncio.sleep(20 * MINUTES)
    assert len(api.tries) <= 60, "at most about one a minute for each object"
    version = play.store.get("rollouts", "web")["metadata"]["resourceVersion"]
    await asyncio.sleep(5 * MINUTES)
    assert play.store.get("rollouts", "web")["metadata"]["resourceVersion"] == version, "nothing is written meanwhile"
    assert len({line for line in events(play, "web") if REFUSALS[how][2] in line}) <= 2
    assert 'reason="WriteRefused"' in controller.metrics.text().decode()


@pytest.mark.parametrize("what", few(KINDS, ["ReplicaSet patch", "Ingress patch", "AnalysisRun create"]))
async def test_when_its_cause_is_mended_the_update_goes_on_by_itself(play: Any, what: str) -> None:
    kind = KINDS[what]
    _, api = await scene(play, kind, "quota")
    await play.store.put("rollouts", wanted(kind, "green"))
    await asyncio.sleep(8 * MINUTES)
    assert phase(play) == "Degraded"
    api.on = False
    await play.until(lambda: condition(play, "WriteRefused") is None, seconds=62)
    if what not in ("AnalysisRun create", "Experiment create"):  # nothing here would end these
        await play.until(lambda: settled_on(play, "green"), seconds=5 * MINUTES)


@pytest.mark.parametrize(
    "what", few([k for k in KINDS if k != "Rollout patch"], ["ReplicaSet create", "Service patch"])
)
async def test_the_progress_deadline_runs_meanwhile(play: Any, what: str) -> None:
    """With progressDeadlineAbort the stable version has everything back; the message names the refused write."""
    kind = KINDS[what]
    _, api = await scene(play, kind, "invalid")
    obj = wanted(kind, "green")
    obj["spec"] |= {"progressDeadlineSeconds": 120, "progressDeadlineAbort": True}
    await play.store.put("rollouts", obj)
    await play.until(lambda: api.tries, seconds=60)
    await play.until(lambda: play.store.get("rollouts", "web")["status"].get("abort"), seconds=200)
    progressing = condition(play, "Progressing")
    assert progressing is not None
    assert progressing["reason"] == "RolloutAborted"
    assert REFUSALS["invalid"][2] in progressing["message"]


@pytest.mark.parametrize("what", ["ReplicaSet create", "ReplicaSet create, no router"])
async def test_a_later_revision_gets_its_chance_at_once(play: Any, what: str) -> None:
    kind = KINDS[what]
    _, api = await scene(play, kind, "webhook")
    await play.store.put("rollouts", wanted(kind, "green"))
    await asyncio.sleep(15 * MINUTES)
    assert phase(play) == "Degraded"
    api.on = False
    await play.store.put("rollouts", wanted(kind, "red"))
    await asyncio.sleep(2)
    assert condition(play, "WriteRefused") is None
    await play.until(lambda: settled_on(play, "red"), seconds=5 * MINUTES)


async def test_nothing_else_is_held_up_the_stable_version_follows_its_size(play: Any) -> None:
    """The new version cannot be created; the old one is scaled all the same, and keeps all requests."""
    kind = KINDS["ReplicaSet create"]
    await scene(play, kind, "no right")
    obj = wanted(kind, "green")
    await play.store.put("rollouts", obj)
    await asyncio.sleep(5)
    obj = copy.deepcopy(obj)
    obj["spec"]["replicas"] = 7
    await play.store.put("rollouts", obj)
    await asyncio.sleep(5)
    (rs,) = [o for (plural, space, _), o in play.store.objects.items() if (plural, space) == ("replicasets", "a")]
    assert rs["spec"]["replicas"] == 7


async def test_a_weight_that_is_refused_is_not_recorded_and_ends_no_step(play: Any) -> None:
    """The status keeps the weight in force at the gateways; no pause or analysis begins on it."""
    kind = KINDS["Ingress patch"]
    await scene(play, kind, "webhook")
    await play.store.put("rollouts", wanted(kind, "green"))
    await asyncio.sleep(5 * MINUTES)
    told = play.store.get("rollouts", "web")["status"]
    assert told["canary"]["weights"]["canary"]["weight"] == 0
    assert (told["currentStepIndex"], told.get("pauseConditions")) == (0, None)


async def test_a_refused_status_is_told_in_an_event_and_the_metric(play: Any) -> None:
    """The one refusal that the status cannot show."""
    kind = Kind(lambda m, p: m == "PATCH" and p.endswith("/rollouts/web/status"), "")
    controller, api = await scene(play, kind, "no right")
    await play.store.put("rollouts", wanted(kind, "green"))
    await asyncio.sleep(20 * MINUTES)
    assert len(api.tries) <= 40
    assert [line for line in events(play, "web") if REFUSALS["no right"][2] in line]
    assert 'reason="WriteRefused"' in controller.metrics.text().decode()
    api.on = False
    await play.until(lambda: settled_on(play, "green"), seconds=5 * MINUTES)


async def test_a_first_version_that_is_refused_says_so_and_comes_when_it_may(play: Any) -> None:
    kind = KINDS["ReplicaSet create"]
    await begin(play)
    api = Refusing(play.store, kind, "quota")
    api.on = True
    play.controller(api, plan=None)
    await asyncio.sleep(3)
    told = play.store.get("rollouts", "web")["status"]
    assert (told["phase"], told.get("stableRS", "")) == ("Degraded", "")
    assert [c["reason"] for c in told["conditions"] if c["type"] == "Progressing"] == ["ReplicaSetCreateError"]
    await asyncio.sleep(11 * MINUTES)
    progressing = condition(play, "Progressing")
    assert progressing is not None
    assert progressing["reason"] == "ProgressDeadlineExceeded"
    api.on = False
    await play.until(lambda: settled_on(play, "blue"), seconds=3 * MINUTES)


@pytest.mark.parametrize(
    ("what", "how"), crossed(["replicasets", "services", "analysisruns"], ["invalid", "quota", "webhook away"])
)
async def test_an_experiment_that_cannot_have_what_it_needs_ends_in_error_and_says_why(
    play: Any, what: str, how: str
) -> None:
    await template(play)
    api = Refusing(play.store, Kind(lambda m, p: m == "POST" and p.endswith(f"/{what}"), ""), how)
    api.on = True
    pod = {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80}]}]},
    }
    selector = {"matchLabels": {"app": "x"}}
    one: Json = {"name": "a", "replicas": 1, "selector": selector, "template": pod, "service": {}}
    spec: Json = {"templates": [one], "analyses": [{"name": "judge", "templateName": "ok"}], "duration": "60s"}
    await play.store.put("experiments", {"metadata": {"name": "exp", "namespace": "a"}, "spec": spec})
    play.controller(api, plan=None)
    await play.until(lambda: api.tries, seconds=30)
    await asyncio.sleep(3)
    told = play.store.get("experiments", "exp")["status"]
    assert told["phase"] == "Error"
    assert REFUSALS[how][2] in told["message"]
    await asyncio.sleep(10 * MINUTES)
    assert len(api.tries) <= 2, "what is over is not tried again"


# Another writer undoes the controller's writes


@dataclass
class Fight:
    """`undo` changes an object back as soon as it is as Serinus wrote it; it stops when `on` is False."""

    plural: str
    name: str
    undo: Callable[[Json], bool]
    field: str
    on: bool = True
    manager: str = "other-tool"
    rounds: int = 0

    async def run(self, store: Any) -> None:
        while True:
            seen = store.version
            names = [
                n for p, n in ((p, n) for p, _, n in store.objects) if p == self.plural and n.startswith(self.name)
            ]
            for name in names if self.on else ():
                obj = copy.deepcopy(store.get(self.plural, name))
                if self.undo(obj):
                    self.rounds += 1
                    owned: Json = {}
                    at = owned
                    for part in self.field.split("/"):
                        at = at.setdefault(f"f:{part}", {})
                    obj["metadata"]["managedFields"] = [{"manager": self.manager, "fieldsV1": owned, "time": "2026"}]
                    await store.replace(self.plural, obj)
            await store.changed_since(seen)
            await asyncio.sleep(0.02)


def strip(part: str, key: str) -> Callable[[Json], bool]:
    return lambda obj: obj["metadata"].get(part, {}).pop(key, None) is not None


def reset(value: Any, *path: str, when: Callable[[Any], bool] = lambda _: True) -> Callable[[Json], bool]:
    def undo(obj: Json) -> bool:
        at = obj
        for part in path[:-1]:
            at = at.get(part, {})
        if path[-1] not in at or at[path[-1]] == value or not when(at[path[-1]]):
            return False
        at[path[-1]] = value
        return True

    return undo


WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"
HASH = "rollouts-pod-template-hash"
FIGHTS = {
    "annotation that is copied": (
        "replicasets", "web-", strip("annotations", "team"), "metadata/annotations/team", "metadata.annotations.team",
    ),
    "revision on the Rollout": (
        "rollouts", "web", strip("annotations", "rollout.argoproj.io/revision"),
        "metadata/annotations/rollout.argoproj.io/revision", "metadata.annotations[rollout.argoproj.io/revision]",
    ),
    "selector": (
        "services", "web-stable", reset("other", "spec", "selector", HASH), f"spec/selector/{HASH}", f"spec.selector.{HASH}",
    ),
    "size": ("replicasets", "web-", reset(2, "spec", "replicas", when=lambda n: n > 2), "spec/replicas", "spec.replicas"),
    "weight": (
        "ingresses", "web-web-canary", reset("33", "metadata", "annotations", WEIGHT),
        f"metadata/annotations/{WEIGHT}", f"metadata.annotations[{WEIGHT}]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FIGHTS)
async def test_two_writers_do_not_race_and_the_other_one_is_named(play: Any, what: str) -> None:
    """Prompt repairs first, then a growing delay; one sentence with the field and the field manager; it recovers automatically."""
    plural, name, undo, owned, field = FIGHTS[what]
    await begin(play)
    obj = rollout("blue")
    obj["metadata"]["annotations"] = {"team": "a"}
    await play.store.put("rollouts", obj)
    controller, _ = play.controller(plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    fight = Fight(plural, name, undo, owned)
    play.tasks.append(asyncio.create_task(fight.run(play.store)))
    before = len(play.store.writes())
    await asyncio.sleep(10)
    assert 3 <= fight.rounds <= 8, "repaired at once at first, not hundreds of times"
    told = condition(play, "FieldConflict")
    assert told is not None
    assert field in told["message"]
    assert '"other-tool"' in told["message"]
    assert 'reason="FieldConflict"' in controller.metrics.text().decode()
    await asyncio.sleep(20 * MINUTES)
    assert len(play.store.writes()) - before <= 3 * 40
    lines = {line for line in events(play, "web") if line.startswith("FieldConflict")}
    assert len(lines) == 1, "said once"
    fight.on = False
    await play.until(lambda: condition(play, "FieldConflict") is None, seconds=4 * MINUTES)
    await play.until(lambda: settled_on(play, "blue"), seconds=10)
    settled = len(play.store.requests)
    await asyncio.sleep(5 * MINUTES)
    assert [r for r in play.store.requests[settled:] if r[0] != "GET"] == [], "a settled Rollout costs nothing"


async def test_sizes_that_serinus_changes_itself_are_no_conflict(play: Any) -> None:
    """A user scales the Rollout up and down all the time: no writer undoes a change."""
    await begin(play)
    play.controller(plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    for round_ in range(30):
        obj = rollout("blue")
        obj["spec"]["replicas"] = 5 + round_ % 2
        await play.store.put("rollouts", obj)
        await asyncio.sleep(2)
        assert condition(play, "FieldConflict") is None
    (rs,) = [o for (plural, space, _), o in play.store.objects.items() if (plural, space) == ("replicasets", "a")]
    assert rs["spec"]["replicas"] == 6


# Blue-green, pods, orphans


def blue_green(image: str) -> Json:
    obj = rollout(image)
    strategy = {"activeService": "web-stable", "previewService": "web-canary", "scaleDownDelaySeconds": 5}
    obj["spec"]["strategy"] = {"blueGreen": strategy}
    return obj


@pytest.mark.parametrize("what", ["replicasets", "services/web-stable", "services/web-canary"])
async def test_blue_green_keeps_the_active_version_while_a_write_is_refused(play: Any, what: str) -> None:
    """Degraded with the reason; the version that has the requests keeps all of its pods; it recovers automatically."""
    await begin(play)
    await play.store.put("rollouts", blue_green("blue"))
    verb = "POST" if what == "replicasets" else "PATCH"
    api = Refusing(play.store, Kind(lambda m, p: m == verb and p.endswith(f"/{what}"), ""), "no right")
    play.controller(api, plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    (old,) = play.store.names("replicasets")
    api.on = True
    await play.store.put("rollouts", blue_green("green"))
    await asyncio.sleep(15 * MINUTES)
    told = play.store.get("rollouts", "web")["status"]
    assert (told["phase"], told["message"].partition(":")[0]) == ("Degraded", "WriteRefused")
    assert REFUSALS["no right"][2] in told["message"]
    assert len(api.tries) <= 30
    if what != "services/web-canary":
        assert play.store.get("replicasets", old)["spec"]["replicas"] == 5
        assert condition(play, "Progressing")["reason"] == "ProgressDeadlineExceeded"  # type: ignore[index]
    api.on = False
    await play.until(lambda: settled_on(play, "green"), seconds=3 * MINUTES)


async def test_orphans_that_cannot_be_adopted_are_told_and_nothing_is_made_twice(play: Any) -> None:
    await begin(play)
    api = Refusing(play.store, Kind(lambda m, p: m == "PATCH" and "/replicasets/" in p, ""), "no right")
    _, task = play.controller(api, plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    task.cancel()
    (name,) = play.store.names("replicasets")
    orphan = copy.deepcopy(play.store.get("replicasets", name))
    del orphan["metadata"]["ownerReferences"]
    await play.store.replace("replicasets", orphan)
    api.on = True
    play.controller(api, plan=None)
    await asyncio.sleep(10 * MINUTES)
    assert phase(play) == "Degraded"
    assert play.store.names("replicasets") == [name]
    assert len(api.tries) <= 30
    api.on = False
    await play.until(lambda: settled_on(play, "blue"), seconds=2 * MINUTES)


async def test_pods_that_cannot_be_patched(play: Any) -> None:
    """Each pod is a write of its own: the sentence stays short for any number of pods."""
    await begin(play)
    api = Refusing(play.store, Kind(lambda m, p: m == "PATCH" and "/pods/" in p, ""), "no right")
    play.controller(api, plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    (name,) = play.store.names("replicasets")
    rs = play.store.get("replicasets", name)
    owner = {"kind": "ReplicaSet", "name": name, "uid": rs["metadata"]["uid"], "controller": True}
    for number in range(5):
        labels = rs["spec"]["template"]["metadata"]["labels"]
        metadata = {"name": f"{name}-{number}", "namespace": "a", "labels": labels, "ownerReferences": [owner]}
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        await play.store.put("pods", {"metadata": metadata, "spec": {}, "status": ready})
    api.on = True
    obj = rollout("blue")
    obj["spec"]["strategy"]["canary"]["stableMetadata"] = {"labels": {"role": "stable"}}
    await play.store.put("rollouts", obj)
    await play.until(lambda: api.tries, seconds=4 * MINUTES)
    await asyncio.sleep(5)
    told = play.store.get("rollouts", "web")["status"]
    assert told["phase"] == "Degraded"
    assert len(told["message"]) < 1000
    await asyncio.sleep(10 * MINUTES)
    assert len(api.tries) <= 5 * 20


async def test_a_service_that_another_writer_keeps_is_not_given_back_in_a_race(play: Any) -> None:
    """The Rollout is gone; another writer sets its label on the Service again each time."""
    await begin(play)
    play.controller(plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    await play.store.drop("rollouts", "web")
    await asyncio.sleep(5)

    def undo(obj: Json) -> bool:
        notes = obj["metadata"].setdefault("annotations", {})
        if "argo-rollouts.argoproj.io/managed-by-rollouts" in notes:
            return False
        notes["argo-rollouts.argoproj.io/managed-by-rollouts"] = "web"
        return True

    fight = Fight("services", "web-stable", undo, "metadata/annotations")
    play.tasks.append(asyncio.create_task(fight.run(play.store)))
    await asyncio.sleep(20)
    assert 2 <= fight.rounds <= 10


async def test_an_analysis_run_whose_measurements_are_refused_ends_in_error(play: Any) -> None:
    """The same measurements would be refused again: the run reports why, and is not measured for ever."""
    provider: Json = {"web": {"url": "http://127.0.0.1:9/", "jsonPath": "{$.ok}"}}
    spec = {"metrics": [{"name": "m", "provider": provider, "interval": "5s", "count": 3}]}
    await play.store.put("analysisruns", {"metadata": {"name": "run", "namespace": "a"}, "spec": spec})
    bodies: list[bytes] = []

    async def handler(request: Request) -> Response:
        if request.method == "PATCH" and "/analysisruns/" in request.path and b"metricResults" in request.body:
            bodies.append(request.body)
            return status(*REFUSALS["invalid"])
        return await play.store(request)

    play.controller(handler, plan=None)
    await play.until(lambda: bodies, seconds=60)
    await asyncio.sleep(1)
    told = play.store.get("analysisruns", "run")["status"]
    assert told["phase"] == "Error"
    assert REFUSALS["invalid"][2] in told["message"]
    await asyncio.sleep(5 * MINUTES)
    assert len(bodies) == 1

"""Objects as others may write them, in the controller: listed and watched into its cache, planned, explained, carried out.

Some are valid for the schema, some are sensible objects with places changed, some are no such object at all. One sensible
Rollout is among them: for any others, it is in the cache, and it has a plan.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random
from typing import Any

import msgspec

from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.resolution import resolve
from serinus.analysis.run_status import MetricMeasurement, assess
from serinus.analysis.schedule import tasks
from serinus.analysis.verdicts import judged
from serinus.api.analysis import AnalysisRun, Measurement
from serinus.api.schema.crds import crds
from serinus.cli.framework.errors import Problem
from serinus.cli.rollouts.lint import findings
from serinus.controller.cache import Cache
from serinus.controller.monitoring.metrics import Metrics
from serinus.controller.snapshot import experiment_snapshot, snapshot
from serinus.engine.experiment.experiment import plan_experiment
from serinus.engine.explain.why import explain
from serinus.engine.planner import plan
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.served_informer import ServedInformer
from serinus.kube.transport import Request, Response
from tests.safety.any_json import LARGEST, Json, anything, fitting, mutated, of_schema
from tests.safety.fuzz import Target
from tests.safety.large import (
    AT,
    HASHES,
    NOW,
    analysis_run,
    arm,
    ingress,
    meta,
    pods_of,
    replica_set,
    rollout,
    set_of_arm,
    template,
)
from tests.safety.large import service as a_service

SCHEMAS: dict[str, Json] = {
    crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for crd in crds()
}
GOOD = ("default", "good")
DEEP = b'{"a":' * 3_000 + b"1" + b"}" * 3_000
PLURALS = {
    "Rollout": "rollouts",
    "ReplicaSet": "replicasets",
    "Pod": "pods",
    "Service": "services",
    "Ingress": "ingresses",
    "AnalysisTemplate": "analysistemplates",
    "ClusterAnalysisTemplate": "clusteranalysistemplates",
    "AnalysisRun": "analysisruns",
    "Experiment": "experiments",
    "Deployment": "deployments",
    "VirtualService": "virtualservices",
    "HTTPRoute": "httproutes",
}


def canary() -> Json:
    steps: list[Json] = [
        {"setWeight": 20},
        {
            "analysis": {
                "templates": [{"templateName": "t"}],
                "args": [{"name": "a0", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}],
            }
        },
        {
            "experiment": {
                "templates": [{"name": "x", "specRef": "canary"}],
                "analyses": [{"name": "y", "templateName": "t"}],
            }
        },
        {"setCanaryScale": {"weight": 30}},
        {"plugin": {"name": "o/p", "config": {"a": 1}}},
        {"pause": {"duration": "1h"}},
    ]
    return rollout(steps=steps, analysis={"templates": [{"templateName": "t", "clusterScope": True}]}, maxSurge="25%")


def blue_green() -> Json:
    made = rollout()
    made["spec"]["strategy"] = {
        "blueGreen": {
            "activeService": "web",
            "previewService": "web-canary",
            "autoPromotionSeconds": 5,
            "prePromotionAnalysis": {"templates": [{"templateName": "t"}]},
        }
    }
    return made


def istio() -> Json:
    return rollout(
        trafficRouting={
            "istio": {"virtualService": {"name": "vs", "routes": ["primary"]}},
            "managedRoutes": [{"name": "r"}],
        }
    )


def referring() -> Json:
    made = rollout()
    del made["spec"]["template"]
    made["spec"]["workloadRef"] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "scaleDown": "onsuccess",
    }
    return made


def experiment() -> Json:
    asked = [{"name": "y", "templateName": "t", "args": [{"name": "a0", "value": "{{templates.t0.podTemplateHash}}"}]}]
    spec = {"templates": [arm(0), arm(1)], "analyses": asked, "duration": "1h"}
    status = {
        "phase": "Running",
        "availableAt": AT,
        "analysisRuns": [{"name": "y", "analysisRun": "exp-y", "phase": "Running"}],
    }
    return {"kind": "Experiment", "metadata": meta("exp"), "spec": spec, "status": status}


def pod() -> Json:
    owner = {"kind": "ReplicaSet", "name": f"web-{HASHES[1]}", "uid": f"uid-of-web-{HASHES[1]}", "controller": True}
    waiting = {"name": "web", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    status = {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [waiting]}
    return {
        "kind": "Pod",
        "metadata": meta("p", ownerReferences=[owner], labels={"rollouts-pod-template-hash": HASHES[1]}),
        "status": status,
    }


def deployment() -> Json:
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": pods_of()}
    return {"kind": "Deployment", "metadata": meta("web"), "spec": spec}


def virtual_service() -> Json:
    route = [{"destination": {"host": "web"}, "weight": 100}, {"destination": {"host": "web-canary"}, "weight": 0}]
    return {"kind": "VirtualService", "metadata": meta("vs"), "spec": {"http": [{"name": "primary", "route": route}]}}


def run_of(name: str) -> Json:
    made = analysis_run(0)
    made["metadata"]["name"] = name
    web = {"web": {"url": "http://{{args.a}}/", "jsonPath": "{$.a}"}}
    made["spec"] = {
        "metrics": [
            {"name": "m0", "provider": web, "successCondition": "result > {{args.b}}", "interval": "1m", "count": 3}
        ],
        "args": [{"name": "a", "value": "x"}, {"name": "b", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "dryRun": [{"metricName": "m.*"}],
        "measurementRetention": [{"metricName": "^m0$", "limit": 2}],
    }
    return {"kind": "AnalysisRun", **made}


def good() -> Json:
    made = rollout(steps=[{"setWeight": 20}, {"pause": {}}], trafficRouting=None, canaryService="", stableService="")
    return {**made, "metadata": meta("good", uid="uid-of-good")}


def sensible(random: Random) -> list[Json]:
    chosen = random.choice((canary, blue_green, istio, referring, rollout))()
    status: Json = random.choice(({}, chosen["status"], {**chosen["status"], "currentStepIndex": random.randrange(7)}))
    chosen["status"] = {**status, "abort": True} if random.random() < 0.2 else status
    return [
        chosen,
        *({"kind": "ReplicaSet", **replica_set(i)} for i in range(random.randrange(4))),
        {"kind": "ReplicaSet", **set_of_arm(0)},
        pod(),
        a_service("web"),
        a_service("web-canary"),
        ingress(),
        template("t", 1, 1),
        {**template("t", 1, 1), "kind": "ClusterAnalysisTemplate"},
        run_of(f"web-{HASHES[1]}-2-1"),
        run_of("exp-y"),
        experiment(),
        deployment(),
        virtual_service(),
    ]


def odd(random: Random, obj: Json) -> Any:
    kind, chance = obj["kind"], random.random()
    if chance < 0.45:
        return obj
    if chance < 0.85 or kind not in SCHEMAS:
        return mutated(random, obj, 4) if chance < 0.97 else anything(random)
    made = of_schema(random, SCHEMAS[kind])
    return {**made, "kind": kind, "metadata": obj["metadata"]}


def world(random: Random) -> dict[str, list[Any]]:
    """Objects by plural; versions are those of the API server, so each has one."""
    found: dict[str, list[Any]] = {}
    for number, obj in enumerate(sensible(random)):
        made = fitting(random, lambda random, obj=obj: odd(random, obj))
        if isinstance(made, dict) and isinstance(made.get("metadata"), dict):
            made["metadata"]["resourceVersion"] = str(number + 10)
        found.setdefault(PLURALS[obj["kind"]], []).append(made)
    found.setdefault("rollouts", []).append(good())
    if random.random() < 0.2:
        found.setdefault(random.choice(list(PLURALS.values())), []).append("DEEP")
    return found


def admissible(random: Random) -> dict[str, list[Any]]:
    """Objects of which some fields of spec and status are anything that their schema admits."""
    found: dict[str, list[Any]] = {}
    for number, obj in enumerate(sensible(random)):
        made = obj
        if obj["kind"] in SCHEMAS and random.random() < 0.7:
            made = fitting(random, lambda random, obj=obj: _put_somewhere(random, obj))
        made["metadata"]["resourceVersion"] = str(number + 10)
        found.setdefault(PLURALS[obj["kind"]], []).append(made)
    found["rollouts"].append(good())
    return found


def _put_somewhere(random: Random, obj: Json) -> Json:
    made = copy.deepcopy(obj)
    for _ in range(random.randrange(1, 5)):
        at, schema = made, SCHEMAS[obj["kind"]]
        name = random.choice(("spec", "spec", "status"))
        while name in schema.get("properties", {}):
            schema = schema["properties"][name]
            inner = list(schema.get("properties", {}))
            if not inner or random.random() < 0.15 or not isinstance(at.get(name, {}), dict):
                at[name] = of_schema(random, schema)
                break
            if name not in at:
                at[name] = (
                    of_schema(
                        random,
                        {**schema, "properties": {n: schema["properties"][n] for n in schema.get("required", ())}},
                    )
                    or {}
                )
            at, name = at[name], random.choice(inner)
    return made


def text_of(value: Any) -> bytes:
    return json.dumps(value).encode().replace(b'"DEEP"', DEEP)


class Api:
    """Answers lists; odd objects come once more by the watch. `fed`: resources whose watch has sent everything."""

    def __init__(self, objects: dict[str, list[Any]]) -> None:
        self.objects = objects
        self.fed: set[str] = set()

    async def __call__(self, request: Request) -> Response:
        plural = request.path.rsplit("/", 1)[-1]
        items = self.objects.get(plural, [])
        if request.query.get("watch") == "true":
            return Response(200, stream=self._stream(plural, items))
        return Response(200, text_of({"metadata": {"resourceVersion": "5"}, "items": items}))

    async def _stream(self, plural: str, items: list[Any]) -> AsyncIterator[bytes]:
        for index, item in enumerate(items):
            again = dict(item) if isinstance(item, dict) else item
            if isinstance(again, dict) and isinstance(again.get("metadata"), dict):
                again["metadata"] = {**again["metadata"], "resourceVersion": str(index + 100)}
            yield text_of({"type": "MODIFIED", "object": again}) + b"\n"
        self.fed.add(plural)
        await asyncio.Event().wait()


class Faults(logging.Handler):
    """Exceptions in the log: the controller caught them, and they are faults none the less."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.found.append(record.exc_info[1])


async def anything_goes(objects: dict[str, list[Any]]) -> None:
    """An exception in a decision sets one object aside; it must be raised soon, and no other object may be affected."""
    await _cached(objects, (Exception,))


async def admitted(objects: dict[str, list[Any]]) -> None:
    """An API server accepts these: each has a plan."""
    await _cached(objects, ())


async def _cached(objects: dict[str, list[Any]], aside: tuple[type[Exception], ...]) -> None:
    api, faults = Api(objects), Faults()
    logging.getLogger("serinus").addHandler(faults)
    logging.getLogger("serinus").propagate = False
    cache = Cache(Client(api), SystemClock(), Random(1), lambda _: None)
    running = asyncio.ensure_future(cache.run())
    try:
        async with asyncio.timeout(60):
            await cache.synced()
            while not _served(cache) <= api.fed and not running.done():  # noqa: ASYNC110
                await asyncio.sleep(0)
    finally:
        running.cancel()
        done = (await asyncio.gather(running, return_exceptions=True))[0]
        logging.getLogger("serinus").removeHandler(faults)
    if not isinstance(done, asyncio.CancelledError):
        raise AssertionError("the cache has ended") from (done if isinstance(done, BaseException) else None)
    for fault in faults.found:
        raise fault
    _decide(cache, aside)


def _served(cache: Cache) -> set[str]:
    """The resources that the API server has; those of routers are found out."""
    return {i.resource.plural for i in cache.informers() if not isinstance(i, ServedInformer) or i.version}


def _decide(cache: Cache, aside: tuple[type[Exception], ...]) -> None:
    assert GOOD in cache.rollouts.items, "one object hides another"
    for key in cache.rollouts.items:
        with suppress(*(() if key == GOOD else aside)):
            _rollout(cache, key)
    for key in cache.experiments.items:
        with suppress(*aside):
            _experiment(cache, key)
    metrics = Metrics()
    metrics.watch(cache, {})
    metrics.text()


def _rollout(cache: Cache, key: tuple[str, str]) -> None:
    cache.missing(cache.rollouts.items[key])
    seen = snapshot(cache, key, NOW)
    if seen is not None:
        made = plan(seen)
        msgspec.json.encode(made)
        msgspec.json.encode(explain(seen))
        assert key != GOOD or made.actions or made.status or made.waits


def _experiment(cache: Cache, key: tuple[str, str]) -> None:
    if (trial := experiment_snapshot(cache, key, NOW)) is not None:
        msgspec.json.encode(plan_experiment(trial))


def assessed(text: bytes) -> None:
    run = msgspec.json.decode(text, type=AnalysisRun)
    try:
        resolved = resolve(run.spec, {"s": {"k": "1"}, "web": None})
    except AnalysisProblem:
        return
    answers = (1.0, [1], None, "x" * 20_000)
    found: list[MetricMeasurement] = []
    for index, task in enumerate(tasks(run, resolved, NOW)):
        phase = judged(task.metric.metric, answers[index % len(answers)], NOW).phase
        found.append(
            MetricMeasurement(task, Measurement(phase, "m" * 5_000, AT, AT, "v"), NOW, {"query": "q" * 50_000})
        )
    status = assess(run, resolved, found, NOW).status
    assert len(msgspec.json.encode(status)) < 2 * len(text) + LARGEST


def run(random: Random) -> bytes:
    def make(random: Random) -> Any:
        if random.random() < 0.5:
            return mutated(random, run_of("run"), 6)
        return {**of_schema(random, SCHEMAS["AnalysisRun"], 0.6), "metadata": meta("run")}

    return text_of(fitting(random, make))


def linted(objects: list[Any]) -> None:
    near = [
        obj
        for obj in objects
        if isinstance(obj, dict) and "apiVersion" in obj and isinstance(obj.get("metadata"), dict)
    ]
    for obj in near:
        for finding in findings(obj, near):
            assert len(finding.message) < 2 * LARGEST


def files(random: Random) -> list[Any]:
    """Objects that the API server would accept: `lint` has checked the schema before."""
    found: list[Any] = []
    for obj in sensible(random):
        kind = obj["kind"]
        if kind in SCHEMAS and random.random() < 0.6:
            spec = fitting(
                random, lambda random, kind=kind: of_schema(random, SCHEMAS[kind]["properties"]["spec"], 0.4)
            )
            obj = {**obj, "spec": spec}
        found.append({"apiVersion": "v1", **obj})
    return found


TARGETS = [
    Target("controller.anything", world, anything_goes),
    Target("controller.admitted", admissible, admitted),
    Target("controller.runs", run, assessed, answers=(msgspec.ValidationError,)),
    Target("controller.lint", files, linted, answers=(Problem,)),
]

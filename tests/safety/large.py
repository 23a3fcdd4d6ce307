"""Objects as large as an API server accepts, by the number of some part: a user can write these to make a decision slow.

Each shape is a function of a number; it returns the work on an object of that size. `MANY` is about what fits into 1.5 MiB.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec

from serinus.analysis.resolution import resolve
from serinus.analysis.run_status import MetricMeasurement, assess
from serinus.analysis.schedule import tasks
from serinus.api.analysis import AnalysisRun, Measurement
from serinus.api.experiment import Experiment
from serinus.api.network import Ingress, Service
from serinus.api.rollout import Rollout
from serinus.api.workloads import Pod, ReplicaSet
from serinus.cli.rollouts.lint import findings
from serinus.engine.core.plan import Snapshot
from serinus.engine.experiment.experiment import plan_experiment
from serinus.engine.experiment.trial import ExperimentSnapshot
from serinus.engine.explain.why import explain
from serinus.engine.planner import plan

Json = dict[str, Any]
Work = Callable[[], Any]
NOW = 1_800_000_000.0
AT = "2026-01-01T00:00:00Z"
UID = "uid-of-web"
OWNER = {"kind": "Rollout", "name": "web", "uid": UID, "controller": True}
HASHES = ("68fb5766d6", "77f97bbcbf")
COUNTS = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}
SHAPES: dict[str, tuple[Callable[[int], Work], int]] = {}
"""Name -> (the work for a number, how many fit)."""


def shape(many: int) -> Callable[[Callable[[int], Work]], Callable[[int], Work]]:
    def keep(make: Callable[[int], Work]) -> Callable[[int], Work]:
        SHAPES[make.__name__] = make, many
        return make

    return keep


def meta(name: str, **more: Any) -> Json:
    made = {"name": name, "namespace": "default", "uid": f"uid-of-{name}", "resourceVersion": "7", "generation": 3}
    return {**made, "creationTimestamp": AT, **more}


def pods_of() -> Json:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}


def rollout(**canary: Any) -> Json:
    strategy: Json = {
        "canaryService": "web-canary",
        "stableService": "web",
        "steps": [{"setWeight": 20}, {"pause": {}}],
    }
    strategy["trafficRouting"] = {"nginx": {"stableIngress": "web"}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": meta("web", uid=UID),
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": pods_of(),
            "strategy": {"canary": strategy | canary},
        },
        "status": {"stableRS": HASHES[0], "currentPodHash": HASHES[1], "currentStepIndex": 0, "phase": "Progressing"},
    }


def replica_set(index: int) -> Json:
    pod_hash = HASHES[index] if index < len(HASHES) else f"hash{index}"
    labels = {"app": "web", "rollouts-pod-template-hash": pod_hash}
    template = pods_of()
    template["metadata"]["labels"] = labels
    template["spec"]["containers"][0]["image"] = f"web:{index}"
    notes = {"rollout.argoproj.io/revision": str(index + 1)}
    made = meta(f"web-{pod_hash}", labels=labels, annotations=notes, ownerReferences=[OWNER])
    return {"metadata": made, "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}}


def service(name: str, **spec: Any) -> Json:
    return {"kind": "Service", "metadata": meta(name), "spec": {"selector": {"app": "web"}, **spec}}


def ingress(rules: int = 1) -> Json:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
    hosts = [{"host": f"h{i}.test", "http": {"paths": [path]}} for i in range(rules)]
    return {"kind": "Ingress", "metadata": meta("web"), "spec": {"ingressClassName": "nginx", "rules": hosts}}


def template(name: str, metrics: int = 1, args: int = 0, *, first: int = 0, **more: Any) -> Json:
    """`first`: number of the first metric."""
    kinds = [{"name": f"m{first + i}", "provider": {"web": {"url": "http://x"}}, "count": 1} for i in range(metrics)]
    given = [{"name": f"a{i}", "value": "1"} for i in range(args)]
    spec = {"metrics": kinds, "args": given, **more}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": meta(name), "spec": spec}


def read(kind: Any, obj: Json) -> Any:
    return msgspec.json.decode(msgspec.json.encode(obj), type=kind)


def decided(obj: Json, *, sets: list[Json] | None = None, rules: int = 1, **more: Any) -> Work:
    """All computations about a Rollout: the plan, the reason of its wait, and the output of `lint`. No cached result is used."""
    text = msgspec.json.encode(obj)
    objects: list[Json] = more.pop("objects", [])
    base = Snapshot(
        NOW,
        read(Rollout, obj),
        tuple(read(ReplicaSet, one) for one in ([replica_set(0), replica_set(1)] if sets is None else sets)),
        services={name: read(Service, service(name)) for name in ("web", "web-canary")},
        ingresses={"web": read(Ingress, ingress(rules))},
        objects={f"{one['kind']}/{one['metadata']['name']}": one for one in objects},
        **more,
    )

    def work() -> None:
        for ask in (plan, explain):
            seen = msgspec.structs.replace(base, rollout=msgspec.json.decode(text, type=Rollout))
            msgspec.json.encode(ask(seen))
        near = [obj, *objects, service("web"), service("web-canary"), ingress(rules)]
        list(findings(obj, [{"apiVersion": "v1", **one} for one in near]))

    return work


@shape(20_000)
def steps(n: int) -> Work:
    return decided(rollout(steps=[{"setWeight": i % 100} if i % 2 else {"pause": {"duration": 1}} for i in range(n)]))


@shape(20_000)
def steps_behind(n: int) -> Work:
    obj = rollout(steps=[{"setWeight": 20}] * n)
    obj["status"]["currentStepIndex"] = n - 1
    return decided(obj)


@shape(3_000)
def steps_with_analyses(n: int) -> Work:
    asked = [
        {"analysis": {"templates": [{"templateName": "t"}], "args": [{"name": "a0", "value": str(i)}]}}
        for i in range(n)
    ]
    return decided(rollout(steps=asked), objects=[template("t", 3, 3)])


@shape(3_000)
def steps_with_header_routes(n: int) -> Work:
    match = [{"headerName": "x", "headerValue": {"exact": "y"}}]
    asked = [{"setHeaderRoute": {"name": f"r{i}", "match": match}} for i in range(n)]
    routing = {"nginx": {"stableIngress": "web"}, "managedRoutes": [{"name": f"r{i}"} for i in range(n)]}
    return decided(rollout(steps=asked, trafficRouting=routing))


@shape(5_000)
def steps_with_plugins(n: int) -> Work:
    obj = rollout(steps=[{"plugin": {"name": f"org/p{i}", "config": {"a": 1}}} for i in range(n)])
    said = [{"index": i, "name": f"org/p{i}", "operation": "Run", "phase": "Successful"} for i in range(n)]
    obj["status"] |= {"currentStepIndex": n - 1, "abort": True, "canary": {"stepPluginStatuses": said}}
    return decided(obj)


@shape(3_000)
def experiment_step(n: int) -> Work:
    arms = [{"name": f"t{i}", "specRef": "canary"} for i in range(n)]
    asked = [{"name": f"a{i}", "templateName": "t", "args": [{"name": "a0", "value": "1"}]} for i in range(n)]
    return decided(
        rollout(steps=[{"experiment": {"templates": arms, "analyses": asked}}]), objects=[template("t", 1, 1)]
    )


@shape(2_000)
def replica_sets(n: int) -> Work:
    return decided(rollout(), sets=[replica_set(i) for i in range(n)])


@shape(4_000)
def pods(n: int) -> Work:
    owners = [{"kind": "ReplicaSet", "name": f"web-{HASHES[1]}", "uid": f"uid-of-web-{HASHES[1]}", "controller": True}]
    made = tuple(
        read(Pod, {"metadata": meta(f"p{i}", ownerReferences=owners), "status": {"phase": "Pending"}}) for i in range(n)
    )
    obj = rollout()
    obj["spec"] |= {"replicas": n, "restartAt": AT}
    return decided(obj, pods=made)


@shape(2_000)
def containers(n: int) -> Work:
    obj = rollout()
    one = {
        "image": "web:1",
        "env": [{"name": f"E{i}", "value": "x"} for i in range(5)],
        "ports": [{"containerPort": 80}],
    }
    obj["spec"]["template"]["spec"]["containers"] = [{**one, "name": f"c{i}"} for i in range(n)]
    return decided(obj)


@shape(3_000)
def volumes(n: int) -> Work:
    obj = rollout()
    spec = obj["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": f"v{i}", "emptyDir": {}} for i in range(n)]
    spec["containers"][0]["volumeMounts"] = [{"name": f"v{i}", "mountPath": f"/v{i}"} for i in range(n)]
    return decided(obj)


@shape(5_000)
def selector(n: int) -> Work:
    obj = rollout()
    rules = [{"key": "app", "operator": "In", "values": ["web", f"v{i}"]} for i in range(n)]
    obj["spec"]["selector"] = {"matchExpressions": rules}
    return decided(obj, sets=[replica_set(i) for i in range(5)])


@shape(3_000)
def many_annotations(n: int) -> Work:
    obj = rollout(canaryMetadata={"annotations": {f"k{i}": "v" for i in range(n)}})
    obj["spec"]["strategy"]["canary"]["stableMetadata"] = {"labels": {f"l{i}": "v" for i in range(n)}}
    obj["metadata"]["annotations"] = {f"n{i}": "v" for i in range(n)}
    return decided(obj)


@shape(3_000)
def conditions(n: int) -> Work:
    obj = rollout()
    one = {"status": "True", "reason": "x", "message": "m", "lastUpdateTime": AT, "lastTransitionTime": AT}
    obj["status"]["conditions"] = [{**one, "type": f"T{i}"} for i in range(n)]
    obj["status"]["pauseConditions"] = [{"reason": f"r{i}", "startTime": AT} for i in range(n)]
    return decided(obj)


@shape(4_000)
def ingress_rules(n: int) -> Work:
    return decided(rollout(), rules=n)


def analysis_run(index: int, metrics: int = 1) -> Json:
    result = {"name": "m0", "phase": "Running", "measurements": [{"phase": "Successful", "value": "1"}]}
    spec = {"metrics": template("t", metrics)["spec"]["metrics"]}
    owned = meta(
        f"web-{HASHES[1]}-2-{index}", ownerReferences=[OWNER], labels={"rollouts-pod-template-hash": HASHES[1]}
    )
    return {"metadata": owned, "spec": spec, "status": {"phase": "Running", "metricResults": [result]}}


@shape(1_500)
def runs(n: int) -> Work:
    return decided(rollout(), analysis_runs=tuple(read(AnalysisRun, analysis_run(i)) for i in range(n)))


@shape(1_000)
def templates(n: int) -> Work:
    asked = {"templates": [{"templateName": f"t{i}"} for i in range(n)]}
    found = [template(f"t{i}", 1, 2, first=i) for i in range(n)]
    return decided(rollout(analysis=asked), objects=found)


@shape(1_000)
def nested_templates(n: int) -> Work:
    """Each refers to all others."""
    few = min(n, 60)
    others = [{"templateName": f"t{i % few}"} for i in range(n)]
    found = [template(f"t{i}", 1, first=i, templates=others) for i in range(few)]
    return decided(rollout(analysis={"templates": others[:1]}), objects=found)


@shape(4_000)
def metrics(n: int) -> Work:
    return decided(rollout(steps=[{"analysis": {"templates": [{"templateName": "t"}]}}]), objects=[template("t", n)])


@shape(5_000)
def arguments(n: int) -> Work:
    given = [{"name": f"a{i}", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}} for i in range(n)]
    asked = {"templates": [{"templateName": "t"}, {"templateName": "u"}], "args": given}
    return decided(rollout(steps=[{"analysis": asked}]), objects=[template("t", 1, n), template("u", 0, n)])


@shape(2_000)
def rules(n: int) -> Work:
    """Each metric has rules of its own."""
    asked: Json = {"templates": [{"templateName": "t"}]}
    asked["dryRun"] = asked["measurementRetention"] = [{"metricName": f"m{i}$", "limit": 1} for i in range(n)]
    return decided(rollout(steps=[{"analysis": asked}]), objects=[template("t", n)])


def carried_out(spec: Json, results: int = 0) -> Work:
    done = [
        {
            "name": f"m{i}",
            "phase": "Running",
            "count": 1,
            "measurements": [{"phase": "Successful", "value": "1", "finishedAt": AT}],
        }
        for i in range(results)
    ]
    run = read(
        AnalysisRun, {"metadata": meta("run"), "spec": spec, "status": {"phase": "Running", "metricResults": done}}
    )

    def work() -> None:
        resolved = resolve(run.spec, {})
        found = [
            MetricMeasurement(task, Measurement("Successful", "", AT, AT, "1"), NOW)
            for task in tasks(run, resolved, NOW)
        ]
        msgspec.json.encode(assess(run, resolved, found, NOW).status)

    return work


@shape(4_000)
def run_of_metrics(n: int) -> Work:
    spec = template("t", n)["spec"]
    return carried_out({"metrics": [{**m, "count": 9, "interval": "1m"} for m in spec["metrics"]]}, n)


@shape(4_000)
def run_of_arguments(n: int) -> Work:
    spec = template("t", n, n)["spec"]
    for i, metric in enumerate(spec["metrics"]):
        metric["provider"] = {"web": {"url": f"{{{{args.a{i}}}}}"}}
    return carried_out(spec)


@shape(1_500)
def run_of_rules(n: int) -> Work:
    spec = template("t", n)["spec"]
    spec["dryRun"] = [{"metricName": f"^m{i}$"} for i in range(n)]
    spec["measurementRetention"] = [{"metricName": f"^m{i}$", "limit": 2} for i in range(n)]
    return carried_out(spec)


def tried(spec: Json, objects: list[Json], sets: list[Json], runs: int = 0) -> Work:
    obj: Json = {"metadata": meta("exp"), "spec": spec, "status": {"phase": "Running", "availableAt": AT}}
    obj["status"]["templateStatuses"] = [{"name": t["name"], "status": "Running", **COUNTS} for t in spec["templates"]]
    if runs:
        obj["status"]["analysisRuns"] = [
            {"name": f"a{i}", "analysisRun": f"exp-a{i}", "phase": "Running"} for i in range(runs)
        ]
    owner = {"kind": "Experiment", "name": "exp", "uid": "uid-of-exp", "controller": True}
    owned = tuple(
        read(AnalysisRun, {**analysis_run(i), "metadata": meta(f"exp-a{i}", ownerReferences=[owner])})
        for i in range(runs)
    )
    seen = ExperimentSnapshot(
        NOW,
        read(Experiment, obj),
        tuple(read(ReplicaSet, one) for one in sets),
        analysis_runs=owned,
        objects={f"{one['kind']}/{one['metadata']['name']}": one for one in objects},
    )

    def work() -> None:
        msgspec.json.encode(plan_experiment(seen))

    return work


def arm(index: int) -> Json:
    labels = {"app": "web", "arm": str(index)}
    made = pods_of()
    made["metadata"]["labels"] = labels
    return {"name": f"t{index}", "selector": {"matchLabels": labels}, "template": made, "service": {}}


def set_of_arm(index: int) -> Json:
    one = arm(index)
    owner = {"kind": "Experiment", "name": "exp", "uid": "uid-of-exp", "controller": True}
    status = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    labels = {**one["selector"]["matchLabels"], "rollouts-pod-template-hash": f"h{index}"}
    made = meta(f"exp-t{index}", ownerReferences=[owner], labels=labels)
    return {"metadata": made, "spec": {"replicas": 1, "template": copy.deepcopy(one["template"])}, "status": status}


@shape(2_000)
def experiment_templates(n: int) -> Work:
    return tried({"templates": [arm(i) for i in range(n)]}, [], [set_of_arm(i) for i in range(n)])


@shape(2_000)
def experiment_analyses(n: int) -> Work:
    asked = [{"name": f"a{i}", "templateName": "t", "args": [{"name": "a0", "value": "1"}]} for i in range(n)]
    return tried({"templates": [arm(0)], "analyses": asked}, [template("t", 2, 1)], [set_of_arm(0)])


@shape(2_000)
def experiment_runs(n: int) -> Work:
    asked = [{"name": f"a{i}", "templateName": "t"} for i in range(n)]
    return tried({"templates": [arm(0)], "analyses": asked}, [template("t", 1)], [set_of_arm(0)], n)


@shape(1_000)
def experiment_of_both(n: int) -> Work:
    value = "{{templates.t0.podTemplateHash}}"
    asked = [{"name": f"a{i}", "templateName": f"c{i}", "args": [{"name": "a0", "value": value}]} for i in range(n)]
    found = [template(f"c{i}", 1, 1) for i in range(n)]
    return tried({"templates": [arm(i) for i in range(n)], "analyses": asked}, found, [set_of_arm(i) for i in range(n)])

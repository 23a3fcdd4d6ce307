"""Objects that no user would write and every API server would accept: drawn from the published schema of a Rollout."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from serinus.api.names import EPHEMERAL_METADATA, HASH, MANAGED_BY, REVISION, SCALE_DOWN_DEADLINE
from serinus.api.schema.crds import crds

Json = dict[str, Any]
SCHEMAS: dict[str, Json] = {
    crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for crd in crds()
}
SCHEMA = SCHEMAS["Rollout"]
UID = "uid-of-web"
NAMES = ["web", "web-canary", "web-preview", "other", "web-web-canary"]
TIMES = ["2026-01-01T00:00:00Z", "2027-01-15T08:00:00Z", "2030-01-01T00:00:00.123456Z", "0001-01-01T00:00:00Z"]
HASHES = ["68fb5766d6", "77f97bbcbf", "59b4dc6c7b", ""]
NUMBERS = [-1, 0, 1, 2, 3, 5, 20, 50, 100, 1000, 2**31 - 1, -(2**31)]

texts = st.sampled_from(["", "a", "25%", "25", "x y", "10s", "-1s", "1h", "Pods", "Percent", "é", *NAMES, *HASHES])
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.sampled_from(NUMBERS) | texts,
    lambda below: st.lists(below, max_size=2) | st.dictionaries(texts, below, max_size=2),
    max_leaves=4,
)
AMOUNTS = ["1", "500m", "1Gi", "1e3", "-1", "lots", "1e999999999", ".5", "0.1n"]

labels = st.dictionaries(
    st.sampled_from(["app", "tier", HASH]), st.sampled_from(["web", "x", "", *HASHES[:2]]), max_size=3
)


def any_of(schema: Json, fullness: float = 0.25) -> st.SearchStrategy[Any]:
    """Any value that this (structural) schema admits; optional fields are there now and then."""
    if schema.get("x-kubernetes-int-or-string"):
        return st.sampled_from([*NUMBERS, *AMOUNTS]) | texts
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string":
            return st.sampled_from(TIMES) if schema.get("format") == "date-time" else texts
        case "integer":
            return st.sampled_from(NUMBERS)
        case "number":
            return st.sampled_from(NUMBERS) | st.just(0.5)
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(st.deferred(lambda: any_of(schema.get("items", {}), fullness)), max_size=2)
        case "object":
            return _object(schema, fullness)
        case _:
            return anything


def _object(schema: Json, fullness: float) -> st.SearchStrategy[Any]:
    if isinstance(more := schema.get("additionalProperties"), dict):
        return st.dictionaries(texts, st.deferred(lambda: any_of(more, fullness)), max_size=2)
    fields: Json = schema.get("properties", {})
    if not fields:
        free = schema.get("x-kubernetes-preserve-unknown-fields")
        return st.dictionaries(texts, anything, max_size=2) if free else st.just({})
    needed = set(schema.get("required", ()))

    @st.composite
    def some(draw: st.DrawFn) -> Json:
        optional = [name for name in fields if name not in needed]
        most = max(1, int(len(optional) * fullness))
        chosen = draw(st.lists(st.sampled_from(optional), max_size=min(3, most), unique=True)) if optional else []
        return {name: draw(any_of(fields[name], fullness)) for name in [*sorted(needed), *chosen]}

    return some()


def places(schema: Json, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every field; inside arrays nothing is named."""
    for name, part in schema.get("properties", {}).items():
        yield (*at, name)
        yield from places(part, (*at, name))


PLACES = [path for path in places(SCHEMA) if path[0] in ("spec", "status") and len(path) > 1]
STRATEGY = [path for path in PLACES if "template" not in path]


def put(draw: st.DrawFn, obj: Json, path: tuple[str, ...]) -> None:
    """Any value at `path`; missing objects on the way to it are created with the fields that the schema requires."""
    at, schema = obj, SCHEMA
    for name in path[:-1]:
        schema = schema["properties"][name]
        if name not in at:
            at[name] = draw(
                any_of({**schema, "properties": {n: schema["properties"][n] for n in schema.get("required", ())}})
            )
        at = at[name]
    at[path[-1]] = draw(any_of(schema["properties"][path[-1]]))


@st.composite
def mutated(draw: st.DrawFn, base: Json, *, most: int = 4) -> Json:
    """A Rollout in order, but for a few of its fields (spec or status), which may be anything."""
    obj = copy.deepcopy(base)
    obj["metadata"] = {**obj["metadata"], "uid": UID, "namespace": "default", "generation": 3, "resourceVersion": "7"}
    for _ in range(draw(st.integers(0, most))):
        other = "blueGreen" if "canary" in obj["spec"].get("strategy", {}) else "canary"
        path = draw(st.sampled_from(STRATEGY) | st.sampled_from(PLACES))
        if path[1:3] != ("strategy", other) or draw(st.integers(0, 9)) == 0:
            put(draw, obj, path)
    if draw(st.booleans()):
        notes = st.sampled_from([REVISION, "rollout.argoproj.io/workload-generation", "note", MANAGED_BY])
        obj["metadata"]["annotations"] = draw(st.dictionaries(notes, texts, max_size=2))
    if draw(st.integers(0, 9)) == 0:
        obj["metadata"]["deletionTimestamp"] = TIMES[0]
    return obj


OWNERS: list[list[Json]] = [
    [],
    [{"kind": "Rollout", "name": "web", "uid": UID, "controller": True}],
    [{"kind": "Rollout", "name": "web", "uid": UID, "controller": False}],
    [{"kind": "Rollout", "name": "web", "uid": "uid-of-an-earlier-web", "controller": True}],
    [{"kind": "Deployment", "name": "web", "uid": "uid-of-deployment", "controller": True}],
    [
        {"kind": "Backup", "name": "nightly", "uid": "u"},
        {"kind": "Rollout", "name": "web", "uid": UID, "controller": True},
    ],
]


@st.composite
def metas(draw: st.DrawFn, name: str, *, ours: bool = False) -> Json:
    made: Json = {
        "name": name,
        "namespace": "default",
        "uid": f"uid-of-{name}",
        "resourceVersion": "3",
        "generation": 2,
    }
    made["creationTimestamp"] = draw(st.sampled_from(TIMES))
    made["labels"] = draw(labels | st.just({"app": "web", HASH: draw(st.sampled_from(HASHES))}))
    made["ownerReferences"] = OWNERS[1] if ours and draw(st.booleans()) else draw(st.sampled_from(OWNERS))
    keys = [REVISION, SCALE_DOWN_DEADLINE, EPHEMERAL_METADATA, MANAGED_BY, "rollout.argoproj.io/desired-replicas"]
    values = texts | st.sampled_from(["1", "2", *TIMES, "Abcd123", "{", '{"labels":{"a":"b"}}', '{"labels":[]}', "web"])
    made["annotations"] = draw(st.dictionaries(st.sampled_from(keys), values, max_size=3))
    if draw(st.integers(0, 4)) == 0:
        made["deletionTimestamp"] = TIMES[0]
    return made


sizes = st.integers(0, 4)


@st.composite
def replica_sets(draw: st.DrawFn, name: str, template: Json) -> Json:
    """Ours, another owner's, without an owner; half deleted; with a status that lags."""
    spec: Json = {"replicas": draw(sizes), "selector": {}}
    spec["template"] = draw(st.sampled_from([template, {}, {"metadata": {}, "spec": {"containers": []}}]))
    status = draw(
        st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "observedGeneration"), sizes)
        )
    )
    return {"kind": "ReplicaSet", "metadata": draw(metas(name, ours=True)), "spec": spec, "status": status}


@st.composite
def services(draw: st.DrawFn, name: str, *, fit: bool) -> Json:
    if fit:
        chosen = {"app": "web", **draw(st.sampled_from([{}, *({HASH: h} for h in HASHES)]))}
        return {"kind": "Service", "metadata": {**draw(metas(name)), "annotations": {}}, "spec": {"selector": chosen}}
    spec = draw(st.sampled_from([{}, {"selector": {"app": "web"}}]) | labels.map(lambda given: {"selector": given}))
    meta = draw(metas(name))
    meta["annotations"] = draw(st.sampled_from([{}, {}, {MANAGED_BY: "web"}, {MANAGED_BY: "another"}]))
    return {"kind": "Service", "metadata": meta, "spec": spec}


PATHS: list[Any] = [
    {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}},
    {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "other", "port": {"name": "http"}}}},
    {"path": "/static", "pathType": "Exact", "backend": {"resource": {"kind": "Bucket", "name": "static"}}},
    {"pathType": "Prefix", "backend": {}},
]


@st.composite
def ingresses(draw: st.DrawFn, name: str, *, fit: bool) -> Json:
    if fit:
        spec = {"rules": [{"host": "web.test", "http": {"paths": PATHS[:1]}}]}
        return {"kind": "Ingress", "metadata": draw(metas(name, ours=True)), "spec": spec}
    rules = st.fixed_dictionaries(
        {},
        optional={
            "host": texts,
            "http": st.fixed_dictionaries({"paths": st.lists(st.sampled_from(PATHS), max_size=2)}),
        },
    )
    spec = st.fixed_dictionaries(
        {},
        optional={
            "rules": st.lists(st.just({"http": {"paths": PATHS[:1]}}) | rules, max_size=2),
            "ingressClassName": texts,
            "defaultBackend": st.just(PATHS[0]["backend"]),
            "tls": st.just([{"hosts": ["web.test"]}]),
        },
    )
    return {"kind": "Ingress", "metadata": draw(metas(name)), "spec": draw(spec)}


@st.composite
def pods(draw: st.DrawFn, name: str, owners: list[str]) -> Json:
    meta = draw(metas(name))
    owner = draw(st.sampled_from([*owners, "somebody"]))
    meta["ownerReferences"] = [{"kind": "ReplicaSet", "name": owner, "uid": f"uid-of-{owner}", "controller": True}]
    conditions = draw(
        st.sampled_from([[], [{"type": "Ready", "status": "True"}], [{"type": "Ready", "status": "False"}]])
    )
    return {"kind": "Pod", "metadata": meta, "status": {"phase": "Running", "conditions": conditions}}


@st.composite
def workloads(draw: st.DrawFn, template: Json) -> Json:
    kind = draw(st.sampled_from(["Deployment"] * 3 + ["ReplicaSet", "PodTemplate"]))
    spec: Json = {"template": template, "selector": draw(st.sampled_from([{"matchLabels": {"app": "web"}}, {}]))}
    if draw(st.booleans()):
        spec["replicas"] = draw(sizes)
    body: Json = {"template": template} if kind == "PodTemplate" else {"spec": draw(st.sampled_from([spec, spec, {}]))}
    return {"kind": kind, "metadata": draw(metas("web")), **body}


@st.composite
def surroundings(draw: st.DrawFn, template: Json) -> list[Json]:
    """The objects around the Rollout `web`: any of them may be missing, another's, half deleted."""
    found: list[Json] = []
    for name in draw(st.lists(st.sampled_from([f"web-{h}" for h in HASHES[:3]]), max_size=3, unique=True)):
        found.append(draw(replica_sets(name, template)))
    owners = [obj["metadata"]["name"] for obj in found]
    for name in draw(st.sets(st.sampled_from(["pod-a", "pod-b"]))):
        found.append(draw(pods(name, owners)))
    fit = draw(st.integers(0, 3)) > 0
    for name in NAMES[:3]:
        if fit or draw(st.booleans()):
            found.append(draw(services(name, fit=fit)))
    for name in ("web", "web-web-canary"):
        if draw(st.booleans()) or (fit and name == "web"):
            found.append(draw(ingresses(name, fit=fit)))
    return found


@st.composite
def analysis_templates(draw: st.DrawFn) -> dict[str, Json]:
    """By "Kind/name"; much of the schema's valid input cannot be run."""
    found: dict[str, Json] = {}
    for name in draw(st.sets(st.sampled_from(["web", "a", "other"]), max_size=2)):
        usable = {"metrics": [{"name": "m", "provider": {"web": {"url": "http://127.0.0.1:1/{{args.x}}"}}}]}
        usable["args"] = [{"name": "x", "value": "1"}]
        spec = draw(st.just(usable) | any_of(SCHEMAS["AnalysisTemplate"]["properties"]["spec"], 0.5))
        kind = draw(st.sampled_from(["AnalysisTemplate", "AnalysisTemplate", "ClusterAnalysisTemplate"]))
        found[f"{kind}/{name}"] = {"kind": kind, "metadata": {"name": name, "resourceVersion": "1"}, "spec": spec}
    return found


@st.composite
def analysis_runs(draw: st.DrawFn) -> Json:
    """The Rollout's own, or another's of a name that one of its own might have."""
    name = draw(st.sampled_from(["web-77f97bbcbf-2-1", "web-77f97bbcbf-2", "web-68fb5766d6-1-pre", "run"]))
    made: Json = {"kind": "AnalysisRun", "metadata": draw(metas(name, ours=True))}
    for part in ("spec", "status"):
        made[part] = draw(any_of(SCHEMAS["AnalysisRun"]["properties"][part], 0.3))
    return made

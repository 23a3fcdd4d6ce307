"""Requests to an API server that no client sends: paths, verbs, queries, headers and bodies, nearly right or not at all.

Functions of a `Random`, as the driver requires.
"""

from __future__ import annotations

import copy
from random import Random
from typing import Any
from urllib.parse import quote

import msgspec
import yaml

from serinus.api.decoding.nesting import nests_too_deep
from serinus.api.schema.crds import crds
from serinus.api.schema.schemas import PREFIX, definitions
from serinus.kube.transport import APPLY_PATCH, JSON, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Request
from serinus.local.schema.kinds import Kind, Schemas
from tests.safety import any_json

Json = dict[str, Any]
YAML = "application/yaml"
MEDIA = (
    JSON,
    YAML,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    APPLY_PATCH,
    "application/vnd.kubernetes.protobuf",
    "text/plain",
    "",
    ";",
)
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW")
PARAMETERS = (
    "limit", "continue", "resourceVersion", "resourceVersionMatch", "timeoutSeconds", "labelSelector", "fieldSelector", "watch", "dryRun",
    "fieldManager", "fieldValidation", "force", "gracePeriodSeconds", "propagationPolicy", "orphanDependents", "pretty", "follow",
    "tailLines", "sinceSeconds", "limitBytes", "container", "previous", "timestamps", "allowWatchBookmarks", "sendInitialEvents",
    "includeObject", "unknown",
)  # fmt: skip
VALUES = (
    "", "true", "false", "1", "0", "-1", "²", "9" * 5000, "All", "Strict", "Warn", "Ignore", "NotOlderThan", "Exact", "Foreground",
    "Orphan",
    "a=b", "a in (b,c)", "!a", "a>1", "a in (", "metadata.name=m", "status.phase!=Running", "spec.nodeName=", ",", "\\", "m", "None",
    "Object", "eyJydiI6OTk5OTk5LCJuYW1lc3BhY2UiOiIiLCJuYW1lIjoiYSJ9",
)  # fmt: skip
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
ACCEPTS = (
    JSON, YAML, "*/*", "", TABLE, "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io",
    "text/html", "*/*;q=0", "a;b;c=;=d,,", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
)  # fmt: skip
OTHER_PATHS = (
    "/", "", "/api", "/apis", "/apis/apps", "/version", "/openapi/v2", "/openapi/v3/apis/apps/v1", "/healthz/x", "/%2e%2e", "/api/v1//",
    "/%", "/\x01", "/apis/authentication.k8s.io/v1/tokenreviews", "/apis/x.io/v1/namespaces/default/things/m/scale",
)  # fmt: skip
LENGTHS = (
    "Content-Length: -1",
    "Content-Length: 1e9",
    "Content-Length: 99999999999999999999",
    "Transfer-Encoding: chunked",
)
ROWS = (
    "Upgrade: websocket\r\nConnection: Upgrade", "Content-Encoding: gzip", "Accept: " + "a," * 3000, "Expect: 100-continue",
    "A" * 70_000 + ": b", "Warning: \x01", "X: é",
)  # fmt: skip
SUBRESOURCES = ("status", "scale", "log", "binding", "eviction", "exec", "finalize", "proxy", "nothing", "status/more")
COMMON = ("pods", "configmaps", "deployments", "rollouts", "services", "secrets")
SCHEMAS = Schemas()


def _kinds() -> list[Kind]:
    for crd in crds():
        assert not SCHEMAS.add_crd(crd)
    found = (SCHEMAS.kind(r.group, r.version, r.plural) for r in SCHEMAS.resources())
    return [kind for kind in found if kind is not None]


KINDS = _kinds()


def _definition(random: Random) -> Json:
    """A CustomResourceDefinition as it might be, of a kind that the other requests then use."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: Json = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    version["subresources"] = {
        "status": {},
        "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
    }
    version["additionalPrinterColumns"] = [
        {"name": "A", "type": "integer", "jsonPath": random.choice((".spec.a", ".spec[0]", ".spec['a b']", "x["))}
    ]
    names = {"plural": "things", "kind": "Thing"}
    obj = {
        "metadata": {"name": "things.x.io"},
        "spec": {"group": "x.io", "scope": "Namespaced", "names": names, "versions": [version]},
    }
    return any_json.mutated(random, obj) if random.random() < 0.3 else obj


def _object(random: Random, kind: Kind) -> Any:
    """An object of the kind: as its schema has it, or nearly, or anything."""
    if random.random() < 0.1:
        return any_json.anything(random)
    schema = kind.schema if kind.custom else _expanded(kind)
    obj: Json = any_json.of_schema(random, schema, random.choice((0.05, 0.3, 0.7)))
    if not isinstance(obj, dict):
        obj = {}
    if random.random() < 0.9:
        obj["apiVersion"], obj["kind"] = kind.resource.api_version, kind.resource.kind
    meta: Json = {"name": random.choice(("m", "m", "m", "n", any_json.text(random)))}
    for field in random.sample(
        ("labels", "annotations", "finalizers", "ownerReferences", "managedFields", "uid", "generateName"), 2
    ):
        if random.random() < (0.6 if field == "managedFields" else 0.3):
            meta[field] = _metadata(random, field)
    obj["metadata"] = meta if random.random() < 0.95 else any_json.anything(random)
    return obj


def _metadata(random: Random, field: str) -> Any:
    if random.random() < 0.3:
        return any_json.anything(random)
    if field == "managedFields":
        entry: Json = {
            "manager": random.choice(("a", 1, None)),
            "operation": random.choice(("Apply", "Update", "x", 1)),
        }
        entry |= {"apiVersion": "v1", "fieldsType": "FieldsV1", "time": any_json.text(random)}
        entry["fieldsV1"] = random.choice(
            (
                {"f:spec": {"f:a": {}}},
                {"f:spec": 1},
                {"k:{": {}},
                {".": {}},
                {"f:data": {"f:a": None}},
                any_json.anything(random),
            )
        )
        return [entry] * random.choice((1, 2, 12))
    if field == "finalizers":
        return random.choice((["a.b/c"], ["foregroundDeletion"], [1]))
    return {any_json.text(random)[:100]: any_json.text(random)[:100]}


def _expanded(kind: Kind, depth: int = 6) -> Json:
    def walk(schema: Json, left: int) -> Json:
        if "$ref" in schema:
            return walk(definitions()[schema["$ref"].removeprefix(PREFIX)], left) if left else {"type": "object"}
        out = dict(schema)
        if "properties" in out:
            out["type"] = "object"
            out["properties"] = {k: walk(v, left - 1) for k, v in out["properties"].items()} if left > 0 else {}
        for name in ("items", "additionalProperties"):
            if isinstance(out.get(name), dict):
                out[name] = walk(out[name], left - 1) if left > 0 else {}
        return out

    name = f"{kind.resource.group}/{kind.resource.version}/{kind.resource.kind}"
    if name not in _EXPANDED:
        _EXPANDED[name] = walk(kind.schema, depth)
    return _EXPANDED[name]


_EXPANDED: dict[str, Json] = {}


def _json_patch(random: Random) -> Any:
    paths = ("", "/", "/metadata", "/metadata/labels", "/metadata/labels/a", "/spec", "/spec/a", "/spec/containers/0", "/data/-",
             "/metadata/finalizers/-",
             "/metadata/name", "/0", "/metadata/annotations/~1", "/~2", "/spec/²")  # fmt: skip
    ops: list[Any] = []
    for _ in range(random.choice((1, 2, 5, 40))):
        op: Any = {
            "op": random.choice(("add", "remove", "replace", "move", "copy", "test", "nothing")),
            "path": random.choice(paths),
        }
        op |= {"from": random.choice(paths)} if random.random() < 0.6 else {}
        op |= {"value": any_json.anything(random, 1)} if random.random() < 0.7 else {}
        ops.append(op if random.random() < 0.95 else any_json.anything(random, 1))
    return ops if random.random() < 0.95 else any_json.anything(random)


def _with_directives(random: Random, value: Any) -> Any:
    """A strategic merge patch: directives in it, in their places and in others."""
    if not isinstance(value, dict):
        return value
    for key in list(value)[:5]:
        if random.random() < 0.2:
            directive = random.choice(("$setElementOrder/", "$deleteFromPrimitiveList/", "$unknown/")) + key
            value[directive] = random.choice(([], [{"name": "a"}], ["a", 1, None], any_json.anything(random, 1)))
        _with_directives(random, value[key])
    if random.random() < 0.1:
        value["$patch"] = random.choice(("delete", "replace", "merge", 1, {}))
    if random.random() < 0.05:
        value["$retainKeys"] = random.choice((["a"], 1, [{}]))
    return value


def _encoded(random: Random, value: Any, media: str) -> bytes:
    if media in (YAML, APPLY_PATCH) and random.random() < 0.4 and not nests_too_deep(value):
        body = yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "replace")
    else:
        body = msgspec.json.encode(value)
    if "protobuf" in media:
        body = b"k8s\0" + random.choice(
            (
                b"",
                b"\x0a\x06\x0a\x02v1\x12\x00\x12" + bytes([random.randrange(128)]) + random.randbytes(40),
                random.randbytes(60),
            )
        )
    chance = random.random()
    if chance < 0.05:
        return random.choice(
            (b"", b"null", b"[]", b"{", b"\xff\xfe", b"---\n---\n", b"a: &a [*a]", b"\0", b"[" * 100_000, b'{"a":' * 90)
        )
    if chance < 0.15 and body:
        at = random.randrange(len(body))
        return body[:at] + random.randbytes(random.randrange(3)) + body[at + random.randrange(3) :]
    return body


def _path(random: Random, kind: Kind) -> str:
    resource, chance = kind.resource, random.random()
    namespace = (
        random.choice(("default", "default", "default", "absent", ""))
        if resource.namespaced
        else random.choice(("", "", "default"))
    )
    path = resource.path(namespace)
    if chance < 0.65:
        path += "/" + random.choice(("m", "m", "n", quote(any_json.text(random)[:50], "")))
    if chance < 0.25:
        path += "/" + random.choice(SUBRESOURCES)
    if random.random() < 0.04:
        path = random.choice(OTHER_PATHS)
    return path


def request(random: Random) -> Request:
    if random.random() < 0.03:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        return Request("POST", path, {}, {"content-type": JSON}, msgspec.json.encode(_definition(random)))
    kind = random.choice(KINDS)
    if random.random() < 0.6:  # the same few kinds, so that requests reach each other's objects
        kind = next(k for k in random.sample(KINDS, len(KINDS)) if k.resource.plural in COMMON)
    method = (
        random.choice(VERBS)
        if random.random() < 0.2
        else random.choice(("POST", "POST", "PUT", "PATCH", "PATCH", "GET", "DELETE"))
    )
    path = _path(random, kind)
    if method == "POST" and random.random() < 0.8:
        path = kind.resource.path("default" if kind.resource.namespaced else "")
    media = random.choice(PATCHES) if method == "PATCH" else random.choice((JSON, JSON, JSON, JSON, YAML))
    if random.random() < 0.05:
        media = random.choice(MEDIA)
    value = _json_patch(random) if media == JSON_PATCH else _object(random, kind)
    if media == STRATEGIC_PATCH and not nests_too_deep(value):
        value = _with_directives(random, copy.deepcopy(value))
    body = (
        _encoded(random, value, media) if method in ("POST", "PUT", "PATCH", "BREW") or random.random() < 0.1 else b""
    )
    query = {random.choice(PARAMETERS): random.choice(VALUES) for _ in range(random.choice((0, 0, 1, 2, 4)))}
    if media == APPLY_PATCH and random.random() < 0.9:
        query["fieldManager"] = random.choice(("a", "b"))
        query["force"] = random.choice(("true", "false"))
    headers = {
        "content-type": media,
        "accept": random.choice(ACCEPTS),
        "user-agent": random.choice(("a/1", "", "\x7f", "b" * 300)),
    }
    return Request(method, path, query, headers, body)


def requests(random: Random) -> list[Request]:
    return [request(random) for _ in range(random.choice((3, 10, 25)))]


def bytes_on_the_wire(random: Random) -> list[bytes]:
    """The bytes of several connections: requests that are whole, cut off, mixed up, or no HTTP at all."""
    found: list[bytes] = []
    for _ in range(random.randrange(1, 6)):
        one = request(random)
        query = "&".join(f"{k}={quote(v)}" for k, v in one.query.items())
        rows = [
            f"{one.method} {quote(one.path)}?{query} HTTP/1.1",
            "Host: a",
            f"Authorization: {random.choice(('Bearer t', 'bearer t', 'Basic t', ''))}",
        ]
        length = len(one.body)
        rows.append(
            random.choice((f"Content-Length: {length}", f"Content-Length: {length}\r\nContent-Length: 1", *LENGTHS))
        )
        rows.append(random.choice((f"Content-Type: {one.headers['content-type']}", *ROWS)))
        data = "\r\n".join(rows).encode() + b"\r\n\r\n" + one.body
        if random.random() < 0.3:
            data = data[: random.randrange(len(data))]
        if random.random() < 0.2:
            data = random.randbytes(200) + data
        found.append(data * random.choice((1, 1, 3)))
    return found

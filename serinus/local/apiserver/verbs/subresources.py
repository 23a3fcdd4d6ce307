"""The subresources scale, eviction, binding and log."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import Any, Protocol

from serinus.api.resources import POD_DISRUPTION_BUDGETS
from serinus.api.values.int_or_percent import scaled
from serinus.kube.transport import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Response
from serinus.local.apiserver.core import ApiCall, Core
from serinus.local.apiserver.errors import (
    StatusError,
    about,
    bad_request,
    conflict,
    invalid,
    not_found,
    unsupported_media,
)
from serinus.local.apiserver.requests.negotiation import answer, body_of
from serinus.local.apiserver.requests.parameters import whole
from serinus.local.apiserver.requests.selectors import as_text, selects
from serinus.local.apiserver.storage.store import Entry
from serinus.local.apiserver.verbs import write
from serinus.local.apiserver.verbs.delete import delete_entry
from serinus.local.schema.field_errors import FieldError

Json = dict[str, Any]


class LogSource(Protocol):
    """Source of container logs."""

    async def read(
        self, namespace: str, pod: str, container: str, *, follow: bool, tail_lines: int | None, since_seconds: int | None,
        timestamps: bool, previous: bool, limit_bytes: int | None,
    ) -> AsyncIterator[bytes]:  # fmt: skip
        """The log in chunks: until its end, or without end with `follow`. Raises LogsUnavailable."""
        ...


class LogsUnavailable(Exception):
    """The log is not available (yet): the sentence has the reason."""


def _path(obj: Json, path: str) -> Any:
    value: Any = obj
    for part in path.strip(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _set_path(obj: Json, path: str, value: Any) -> None:
    *parents, last = path.strip(".").split(".")
    for part in parents:
        if not isinstance(obj.get(part), dict):
            obj[part] = {}
        obj = obj[part]
    obj[last] = value


def _count(value: Any) -> int:
    """A number of replicas. A definition may allow other types there, which count as 0."""
    return value if isinstance(value, int) else 0


def _map(value: Any) -> Json | None:
    return value if isinstance(value, dict) else None


_BUILT_IN_SCALE: Json = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": "",
}


def _scale_of(call: ApiCall, obj: Json) -> Json:
    paths = call.kind.scale or _BUILT_IN_SCALE
    meta: Json = obj["metadata"]
    scale_meta = {k: meta[k] for k in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if k in meta}
    where = paths.get("labelSelectorPath")
    selector = str(_path(obj, where) or "") if where else as_text(_map(_path(obj, ".spec.selector")))
    status: Json = {"replicas": _count(_path(obj, paths["statusReplicasPath"]))}
    if selector:
        status["selector"] = selector
    replicas = _path(obj, paths["specReplicasPath"])
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": scale_meta,
        "spec": {"replicas": _count(replicas)},
        "status": status,
    }


async def scale(core: Core, call: ApiCall) -> Response:
    """GET, PUT and PATCH of the Scale, which represents the object's replica count."""
    entry = core.store.latest(call.key, call.namespace, call.name)
    if entry is None:
        raise not_found(call.resource, call.name)
    obj = write.live(call, entry)
    if call.request.method == "GET":
        return answer(call.view, _scale_of(call, obj))
    desired = _wanted_scale(call, _scale_of(call, obj))
    replicas = (desired.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        flaw = FieldError("spec.replicas", "FieldValueInvalid", replicas, "must be greater than or equal to 0")
        raise invalid("autoscaling", "Scale", call.name, [flaw])
    version = (desired.get("metadata") or {}).get("resourceVersion")
    if version and version != str(entry.version):
        raise conflict(call.resource, call.name)
    _set_path(obj, (call.kind.scale or _BUILT_IN_SCALE)["specReplicasPath"], replicas)
    plain = ApiCall(call.request, call.kind, call.view, call.namespace, call.name)
    dry = write.dry_run(call)
    response = await write.replace(core, plain, entry, obj, dry=dry, tracked_as="scale")
    if dry:
        return answer(call.view, _scale_of(call, obj))
    latest = core.store.latest(call.key, call.namespace, call.name)
    return answer(call.view, _scale_of(call, latest.object() if latest else obj), response.status)


def _wanted_scale(call: ApiCall, current: Json) -> Json:
    if call.request.method == "PUT":
        value = body_of(call.request)
    else:
        media = call.request.headers.get("content-type", "").split(";")[0].strip().lower()
        known = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
        if media not in known:
            raise unsupported_media(known)
        change = body_of(call.request, media=(media,))
        value = write.patched(call, current, JSON_PATCH if media == JSON_PATCH else MERGE_PATCH, change)
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("spec") or {}, dict)
        or not isinstance(value.get("metadata") or {}, dict)
    ):
        raise bad_request("the body must be a Scale of autoscaling/v1")
    if value.get("kind", "Scale") != "Scale":
        raise bad_request(f"the body must be a Scale of autoscaling/v1, found {value['kind']}")
    return value


async def bind(core: Core, call: ApiCall) -> Response:
    """POST pods/{name}/binding: assigns the pod to a node."""
    body: Any = body_of(call.request)
    node = (
        (body.get("target") or {}).get("name")
        if isinstance(body, dict) and isinstance(body.get("target") or {}, dict)
        else None
    )
    if not isinstance(node, str) or not node:
        raise invalid(
            "", "Binding", call.name, [FieldError("target.name", "FieldValueRequired", "", "name of the node")]
        )
    entry = core.store.latest(call.key, call.namespace, call.name)
    if entry is None:
        raise not_found(call.resource, call.name)
    pod = entry.object()
    if pod["metadata"].get("deletionTimestamp"):
        raise conflict(call.resource, call.name, f"pod {call.name} is being deleted, cannot be assigned to a host")
    if pod["spec"].get("nodeName"):
        raise conflict(
            call.resource, call.name, f'pod {call.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
        )
    pod["spec"]["nodeName"] = node
    status: Json = pod.setdefault("status", {})
    conditions = [c for c in status.get("conditions", []) if c.get("type") != "PodScheduled"]
    status["conditions"] = [
        *conditions,
        {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": core.now()},
    ]
    await core.store.put(call.key, pod, expected=entry.version)
    return answer(
        call.view, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
    )


async def evict(core: Core, call: ApiCall) -> Response:
    """POST pods/{name}/eviction: a deletion that PodDisruptionBudgets may refuse with 429."""
    body: Any = body_of(call.request) or {}
    if not isinstance(body, dict) or body.get("kind", "Eviction") != "Eviction":
        raise bad_request("the body must be an Eviction of policy/v1")
    entry = core.store.latest(call.key, call.namespace, call.name)
    if entry is None:
        raise not_found(call.resource, call.name)
    pod = entry.object()
    running = (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed", "Pending")
    if running and not pod["metadata"].get("deletionTimestamp"):
        _check_budgets(core, call, pod)
    options: Json = body.get("deleteOptions") or {}
    await delete_entry(core, call.resource, entry, options, dry=write.dry_run(call, options))
    return answer(
        call.view, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
    )


def _check_budgets(core: Core, call: ApiCall, pod: Json) -> None:
    labels: dict[str, str] = pod["metadata"].get("labels") or {}
    budgets = [b.object() for b in core.store.list(POD_DISRUPTION_BUDGETS.group_resource, call.namespace)]
    matching = [b for b in budgets if selects(b["spec"].get("selector"), labels)]
    for budget in matching:
        chosen = [
            e
            for e in core.store.pending("pods")
            if e.namespace == call.namespace and selects(budget["spec"].get("selector"), e.labels)
        ]
        healthy, needed = sum(_healthy(e) for e in chosen), _needed(budget["spec"], len(chosen))
        if _healthy_object(pod) and healthy <= needed:
            name = budget["metadata"]["name"]
            cause = {
                "reason": "DisruptionBudget",
                "message": f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently",
            }
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            raise StatusError(429, "TooManyRequests", message, about(call.resource, call.name) | {"causes": [cause]})


def _needed(spec: Json, expected: int) -> int:
    if spec.get("maxUnavailable") is not None:
        return max(0, expected - scaled(spec["maxUnavailable"], expected, round_up=True))
    return scaled(spec.get("minAvailable", 1), expected, round_up=True)


def _healthy(entry: Entry) -> bool:
    return _healthy_object(entry.object())


def _healthy_object(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


async def log(core: Core, call: ApiCall, logs: LogSource | None) -> Response:
    """GET pods/{name}/log: the log of one container."""
    entry = core.store.get(call.key, call.namespace, call.name)
    if entry is None:
        raise not_found(call.resource, call.name)
    container = _container(call, entry.object())
    if logs is None:
        raise bad_request(
            f'container "{container}" in pod "{call.name}" has no log: this API server runs without a node'
        )
    number = _Numbers(call)
    try:
        stream: Any = logs.read(
            call.namespace,
            call.name,
            container,
            follow=call.flag("follow"),
            tail_lines=number("tailLines"),
            since_seconds=number("sinceSeconds"),
            timestamps=call.flag("timestamps"),
            previous=call.flag("previous"),
            limit_bytes=number("limitBytes"),
        )
        if inspect.isawaitable(stream):
            stream = await stream
    except LogsUnavailable as why:
        raise bad_request(str(why)) from None
    return Response(200, content_type="text/plain", stream=_started(stream))


async def _started(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for piece in stream:
            yield piece
    except LogsUnavailable as why:
        yield f"{why}\n".encode()


class _Numbers:
    def __init__(self, call: ApiCall) -> None:
        self._query = call.request.query

    def __call__(self, name: str) -> int | None:
        return whole(self._query, name, least=0)


def _container(call: ApiCall, pod: Json) -> str:
    spec: Json = pod["spec"]
    names = [c["name"] for c in spec.get("containers") or []]
    others = [c["name"] for c in spec.get("initContainers") or []]
    asked = call.request.query.get("container", "")
    if asked:
        if asked not in names + others:
            raise bad_request(f"container {asked} is not valid for pod {call.name}")
        return asked
    if len(names) == 1:
        return names[0]
    options = f"choose one of: [{' '.join(names)}]" + (
        f" or one of the init containers: [{' '.join(others)}]" if others else ""
    )
    raise bad_request(f"a container name must be specified for pod {call.name}, {options}")

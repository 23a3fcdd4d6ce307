"""A lean Kubernetes API: objects, versions, preconditions, merge patches, watches. A `Handler`, as the real one is.

It has only the features that the simulation needs, so that thousands of histories are cheap. `test_store_contract.py`
checks that it answers as the embedded API server does. Objects are dicts that are never changed in place. The bytes of
a version are made once and shared by all watches.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from serinus.kube.clock import rfc3339
from serinus.kube.transport import Request, Response
from serinus.routing import registry
from tests.sim.loop import Loop

Json = dict[str, Any]
encode, decode = msgspec.json.encode, msgspec.json.decode
SPACE = "default"
KEPT = 400
"""Events of a kind that a watch may resume from; older ones answer 410."""

WITH_STATUS = frozenset({"rollouts", "replicasets", "pods", "services", "ingresses", "deployments"})


WITHOUT_GENERATION = frozenset({"services"})
SET_BY_SERVER = frozenset({"namespace", "uid", "generation", "creationTimestamp", "resourceVersion"})


class Refusal(Exception):
    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


@dataclass(slots=True)
class Change:
    """One write: `old` None for a creation, `new` None for a removal; `by` is the writer."""

    plural: str
    name: str
    old: Json | None
    new: Json | None
    by: str
    version: int
    text: bytes
    """The object's JSON: its last state for a removal."""


Listener = Callable[[Change], None]


def merged(old: Any, patch: Any) -> Any:
    """RFC 7396; unchanged parts are shared."""
    if not isinstance(patch, dict):
        return patch
    out: Json = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict):
            out[key] = merged(out.get(key), value)
        else:
            out[key] = value
    return out


class Watch:
    """A stream of lines; `push` by the store, read by one client."""

    def __init__(self, accepts: Callable[[Json], bool]) -> None:
        self.accepts = accepts
        self.lines: deque[bytes] = deque()
        self.ended = False
        self.waiter: asyncio.Future[None] | None = None

    def push(self, change: Change) -> None:
        was = change.old is not None and self.accepts(change.old)
        now = change.new is not None and self.accepts(change.new)
        if now:
            self._put(b"MODIFIED" if was else b"ADDED", change.text)
        elif was:
            self._put(b"DELETED", change.text)

    def _put(self, kind: bytes, text: bytes) -> None:
        self.lines.append(b'{"type":"' + kind + b'","object":' + text + b"}\n")
        self.wake()

    def wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def end(self) -> None:
        self.ended = True
        self.wake()

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> bytes:
        while not self.lines:
            if self.ended:
                raise StopAsyncIteration
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        return self.lines.popleft()


class Store:
    """Every kind is served. `listeners` are called after each change, in order."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.version = 100
        self.objects: dict[str, dict[str, Json]] = defaultdict(dict)
        self.texts: dict[str, dict[str, bytes]] = defaultdict(dict)
        self.history: dict[str, deque[Change]] = defaultdict(lambda: deque(maxlen=KEPT))
        self.watches: dict[str, list[Watch]] = defaultdict(list)
        self.listeners: list[Listener] = []
        self.events = 0
        """Kubernetes Events that were written: counted, not kept."""
        self._born = 0

    # Calls of the cluster's parts, without a wire between

    def get(self, plural: str, name: str) -> Json | None:
        return self.objects[plural].get(name)

    def all(self, plural: str) -> list[Json]:
        return list(self.objects[plural].values())

    def create(self, plural: str, obj: Json, by: str) -> Json:
        meta: Json = dict(obj["metadata"])
        name = meta["name"]
        if name in self.objects[plural]:
            raise Refusal(409, "AlreadyExists", f'{plural} "{name}" already exists')
        self._born += 1
        meta |= {"namespace": SPACE, "uid": f"uid-{self._born}", "generation": 1, "creationTimestamp": self.stamp()}
        new = {k: v for k, v in obj.items() if k != "status" or plural not in WITH_STATUS}
        if plural in WITHOUT_GENERATION:
            del meta["generation"]
        if plural == "pods":
            new["status"] = {"phase": "Pending"}
        return self._write(plural, None, {**new, "metadata": meta}, by)

    def patch(self, plural: str, name: str, patch: Json, by: str, *, status: bool = False) -> Json:
        old = self._existing(plural, name)
        held: Json = patch.get("metadata") or {}
        meta: Json = old["metadata"]
        if held.get("uid", meta["uid"]) != meta["uid"]:
            raise Refusal(409, "Conflict", f"{plural} {name}: the uid in the precondition is another's")
        if held.get("resourceVersion", meta["resourceVersion"]) != meta["resourceVersion"]:
            raise Refusal(409, "Conflict", f"{plural} {name}: the object has been modified")
        if status:
            new = {**old, "status": merged(old.get("status"), patch.get("status", {}))}
        else:
            new = merged(old, patch)
            new["metadata"]["resourceVersion"] = meta["resourceVersion"]
            if plural in WITH_STATUS:
                new.pop("status", None)
                if "status" in old:
                    new["status"] = old["status"]
        return self._replace(plural, old, new, by)

    def update(self, plural: str, obj: Json, by: str) -> Json:
        """PUT: missing fields are removed, except those that the server keeps."""
        old = self._existing(plural, obj["metadata"]["name"])
        meta = old["metadata"]
        if obj["metadata"].get("resourceVersion", meta["resourceVersion"]) != meta["resourceVersion"]:
            raise Refusal(409, "Conflict", f"{plural} {meta['name']}: the object has been modified")
        kept = {k: v for k, v in meta.items() if k in SET_BY_SERVER}
        return self._replace(plural, old, {**obj, "metadata": {**obj["metadata"], **kept}}, by)

    def delete(self, plural: str, name: str, by: str, *, uid: str = "", version: str = "") -> None:
        """A pod is marked and removed when its node reports its end; everything else is removed at once."""
        old = self._existing(plural, name)
        meta = old["metadata"]
        if (uid and uid != meta["uid"]) or (version and version != meta["resourceVersion"]):
            raise Refusal(409, "Conflict", f"{plural} {name}: a precondition failed")
        if plural != "pods":
            self.remove(plural, name, by)
        elif "deletionTimestamp" not in meta:
            self._write(plural, old, {**old, "metadata": {**meta, "deletionTimestamp": self.stamp()}}, by)

    def remove(self, plural: str, name: str, by: str) -> None:
        old = self.objects[plural].pop(name)
        del self.texts[plural][name]
        self.version += 1
        last = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self.version)}}
        self._tell(Change(plural, name, old, None, by, self.version, encode(last)))

    def stamp(self) -> str:

        return rfc3339(self.loop.now())

    def _existing(self, plural: str, name: str) -> Json:
        old = self.objects[plural].get(name)
        if old is None:
            raise Refusal(404, "NotFound", f'{plural} "{name}" not found')
        return old

    def _replace(self, plural: str, old: Json, new: Json, by: str) -> Json:
        if new == old:
            return old
        if "generation" in old["metadata"] and new.get("spec") != old.get("spec"):
            new["metadata"] = {**new["metadata"], "generation": old["metadata"]["generation"] + 1}
        return self._write(plural, old, new, by)

    def _write(self, plural: str, old: Json | None, new: Json, by: str) -> Json:
        self.version += 1
        new["metadata"] = {**new["metadata"], "resourceVersion": str(self.version)}
        name = new["metadata"]["name"]
        text = encode(new)
        self.objects[plural][name], self.texts[plural][name] = new, text
        self._tell(Change(plural, name, old, new, by, self.version, text))
        return new

    def _tell(self, change: Change) -> None:
        self.history[change.plural].append(change)
        for watch in self.watches[change.plural]:
            watch.push(change)
        for listener in self.listeners:
            listener(change)

    # The wire

    async def handle(self, request: Request, by: str) -> Response:
        """Answers one request; `by` is the client."""
        plural, name, sub = parsed(request.path)
        if plural == "events":
            return self._event(request)
        try:
            return self._answer(request, plural, name, sub, by)
        except Refusal as error:
            return refused(error.code, error.reason, str(error))

    def _answer(self, request: Request, plural: str, name: str, sub: str, by: str) -> Response:
        verb, query = request.method, request.query
        if not plural:
            return Response(200, encode(_discovery(request.path)))
        if verb == "GET" and not name:
            accepts = selector(query.get("labelSelector", ""))
            return self._watch(plural, query, accepts) if query.get("watch") == "true" else self._list(plural, accepts)
        if verb == "GET":
            self._existing(plural, name)
        elif verb == "POST" and sub == "eviction":
            options: Json = decode(request.body).get("deleteOptions") or {}
            self.delete("pods", name, by, uid=(options.get("preconditions") or {}).get("uid", ""))
            return Response(201, b'{"kind":"Status","apiVersion":"v1","status":"Success"}')
        elif verb == "POST":
            name = self.create(plural, decode(request.body), by)["metadata"]["name"]
            return Response(201, self.texts[plural][name])
        elif verb == "PATCH":
            self.patch(plural, name, decode(request.body), by, status=sub == "status")
        elif verb == "PUT":
            self.update(plural, decode(request.body), by)
        elif verb == "DELETE":
            held: Json = (decode(request.body) if request.body else {}).get("preconditions") or {}
            self.delete(plural, name, by, uid=held.get("uid", ""), version=held.get("resourceVersion", ""))
            return Response(200, b'{"kind":"Status","apiVersion":"v1","status":"Success"}')
        return Response(200, self.texts[plural][name])

    def _event(self, request: Request) -> Response:
        self.events += 1
        if request.method == "GET":
            return Response(200, b'{"metadata":{},"items":[]}')
        return Response(201 if request.method == "POST" else 200, request.body)

    def _list(self, plural: str, accepts: Callable[[Json], bool]) -> Response:
        texts = self.texts[plural]
        found = b",".join(texts[name] for name, obj in self.objects[plural].items() if accepts(obj))
        return Response(200, b'{"metadata":{"resourceVersion":"%d"},"items":[%b]}' % (self.version, found))

    def _watch(self, plural: str, query: Any, accepts: Callable[[Json], bool]) -> Response:
        watch, since = Watch(accepts), int(query.get("resourceVersion") or self.version)
        past = self.history[plural]
        if len(past) == KEPT and past[0].version > since + 1:
            raise Refusal(410, "Expired", "too old resource version")
        for change in past:
            if change.version > since:
                watch.push(change)
        watches = self.watches[plural]
        watches[:] = [w for w in watches if not w.ended]
        watches.append(watch)
        if query.get("timeoutSeconds"):
            self.loop.call_later(float(query["timeoutSeconds"]), watch.end)
        return Response(200, stream=watch)


def _discovery(path: str) -> Json:
    """All kinds of routers are served, in all versions that they can be written in."""
    _, _, group, *version = path.split("/")
    mine = [kind for kind in registry.kinds().values() if kind.group == group]
    if version:
        return {"resources": [{"name": kind.plural} for kind in mine if version[0] in kind.versions]}
    return {"versions": [{"version": v} for v in dict.fromkeys(v for kind in mine for v in kind.versions)]}


_parsed: dict[str, tuple[str, str, str]] = {}


def parsed(path: str) -> tuple[str, str, str]:
    """(plural, name, subresource) of a path of the API."""
    if path not in _parsed:
        if len(_parsed) > 10_000:
            _parsed.clear()
        parts = path.split("/")
        at = parts.index("namespaces") + 2 if "namespaces" in parts else 3 if parts[1] == "api" else 4
        _parsed[path] = tuple([*parts[at : at + 3], "", "", ""][:3])  # type: ignore[assignment]
    return _parsed[path]


def selector(text: str) -> Callable[[Json], bool]:
    """`key`, `!key` and `key=value`, joined by commas."""
    wanted = [part for part in text.split(",") if part]

    def accepts(obj: Json) -> bool:
        labels: Json = obj["metadata"].get("labels") or {}
        for part in wanted:
            key, _, value = part.lstrip("!").partition("=")
            if (key in labels) == part.startswith("!") or (value and labels.get(key) != value):
                return False
        return True

    return accepts


def refused(code: int, reason: str, message: str, headers: dict[str, str] | None = None) -> Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
    return Response(code, encode({**body, "message": message}), headers=headers or {})

"""`ApiServer.handle`: one request in, one answer out. HTTPS (`http.py`) and the in-process client call the same.

Errors leave as Status objects; whatever was not foreseen is logged and leaves as one too, never as a traceback.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

import msgspec

from serinus.api.resources import CRDS, NAMESPACES, SERVICE_ACCOUNTS, Resource
from serinus.kube.clock import Clock
from serinus.kube.wire import Request, Response
from serinus.local.apiserver import crds, discovery, reviews
from serinus.local.apiserver.body import decode, media_type
from serinus.local.apiserver.delete import delete, evict, options_of
from serinus.local.apiserver.failure import Failure, bad_request, method_not_allowed, no_such_path
from serinus.local.apiserver.paths import Place, parse_path
from serinus.local.apiserver.patch import patch
from serinus.local.apiserver.read import Filter, list_body, list_page
from serinus.local.apiserver.registry import Registry
from serinus.local.apiserver.render import Look, one, render_line, rows
from serinus.local.apiserver.scale import scale_of, scaled
from serinus.local.apiserver.store import Store
from serinus.local.apiserver.watch import watch
from serinus.local.apiserver.write import Writer
from serinus.local.schema.kinds import Kind, Schemas

log = logging.getLogger(__name__)
Json = dict[str, Any]


class LogSource(Protocol):
    """Where the logs of containers are."""

    def read(
        self, namespace: str, pod: str, container: str, *, follow: bool, tail_lines: int | None, since_seconds: int | None, timestamps: bool,
        previous: bool, limit_bytes: int | None,
    ) -> AsyncIterator[bytes]: ...  # fmt: skip


class ApiServer:
    """Serves the objects of a store."""

    def __init__(self, store: Store, schemas: Schemas, clock: Clock, *, rng: random.Random, logs: LogSource | None = None) -> None:
        self.store, self.schemas, self.clock, self.logs = store, schemas, clock, logs
        self.registry = Registry(schemas)
        self.writer = Writer(store, clock, rng)

    async def start(self) -> None:
        """What every cluster has: namespaces, their ServiceAccount, the resources that users defined and ours."""
        crds.install(self.writer, self.schemas)
        for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
            self._ensure(NAMESPACES, "", {"metadata": {"name": name}})
            self._ensure(SERVICE_ACCOUNTS, name, {"metadata": {"name": "default"}})
        await self.store.durable()

    def _ensure(self, resource: Resource, namespace: str, obj: Json) -> None:
        kind = self.registry.find(resource.group, resource.version, resource.plural)
        if kind and self.store.get(resource.group_resource, (namespace, obj["metadata"]["name"])) is None:
            self.writer.create(kind, obj, namespace, {}, "serinus", [])

    async def handle(self, request: Request) -> Response:
        """Never raises but for cancellation."""
        try:
            return await self._route(request)
        except Failure as failure:
            return failure.response()
        except OSError as error:
            return Failure(500, "InternalError", f"the write was not stored: {error}").response()
        except Exception:
            log.exception("%s %s", request.method, request.path)
            return Failure(500, "InternalError", "Internal error occurred: see the log of the API server").response()

    async def _route(self, request: Request) -> Response:
        if (found := self._documents(request)) is not None:
            return found
        place = parse_path(request.path)
        if place is None:
            raise no_such_path()
        if any((g, v, p) == (place.group, place.version, place.plural) for g, v, p, _ in discovery.REVIEWS):
            if request.method != "POST":
                raise method_not_allowed()
            body = decode(request)
            return Response(201, msgspec.json.encode(reviews.answer(place.plural, body if isinstance(body, dict) else {})))
        kind = self.registry.find(place.group, place.version, place.plural)
        if kind is None or (place.namespace and not kind.resource.namespaced):
            raise no_such_path()
        if place.subresource:
            return await self._subresource(request, place, kind)
        if place.name:
            return await self._object(request, place, kind)
        return await self._collection(request, place, kind)

    def _documents(self, request: Request) -> Response | None:
        """Health, version, discovery and schemas."""
        path, accept = request.path.rstrip("/") or "/", request.headers.get("accept", "")
        if path in ("/healthz", "/livez", "/readyz", "/readyz/ping"):
            return Response(200, b"ok", content_type="text/plain")
        if request.method not in ("GET", "HEAD") or not path.startswith(("/api", "/version", "/openapi", "/")):
            return None
        if path in ("/api", "/apis") and f"g={discovery.AGGREGATED}" in accept:
            form = "v2" if "v=v2;" in accept + ";" or "v=v2," in accept else "v2beta1"
            body = discovery.aggregated(self.schemas, core=path == "/api", form=form)
            return Response(200, msgspec.json.encode(body), content_type=f"application/json;g={discovery.AGGREGATED};v={form};as=APIGroupDiscoveryList")
        found = self._document(path)
        return None if found is None else Response(200, msgspec.json.encode(found))

    def _document(self, path: str) -> Json | None:
        parts = path.strip("/").split("/")
        match parts:
            case [""]:
                return {"paths": ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]}
            case ["version"]:
                return discovery.version()
            case ["api"]:
                return discovery.api_versions("127.0.0.1")
            case ["apis"]:
                return discovery.api_groups(self.schemas)
            case ["api", "v1"]:
                return discovery.resource_list(self.schemas, "", "v1")
            case ["apis", group]:
                return discovery.one_group(self.schemas, group)
            case ["apis", group, version]:
                return discovery.resource_list(self.schemas, group, version)
            case ["openapi", "v2"]:
                return self.schemas.openapi_v2()
            case ["openapi", "v3"]:
                return self.schemas.openapi_v3_paths()
            case ["openapi", "v3", *rest]:
                return self.schemas.openapi_v3("/".join(rest))
            case _:
                return None

    async def _collection(self, request: Request, place: Place, kind: Kind) -> Response:
        resource, query = kind.resource, request.query
        look = Look.of(request.headers.get("accept", ""), query)
        if request.method == "GET":
            wanted = Filter.of(resource, place.namespace, query)
            if query.get("watch") in ("true", "1"):
                return self._watch(kind, wanted, query, look)
            page = list_page(self.store, resource, wanted, query)
            return Response(200, rows(kind, page, look, self.clock.now()) if look.table or look.partial else list_body(resource, page))
        if request.method == "POST":
            if resource.namespaced and not place.namespace:
                raise bad_request("an empty namespace may not be set during creation")
            warnings: list[str] = []
            body = self.writer.create(kind, decode(request), place.namespace, query, _agent(request), warnings)
            self._changed(resource, body)
            return await self._written(201, body, kind, look, warnings)
        if request.method == "DELETE":
            return await self._delete_collection(request, place, kind)
        raise method_not_allowed()

    async def _delete_collection(self, request: Request, place: Place, kind: Kind) -> Response:
        resource = kind.resource
        options = options_of(decode(request), request.query)
        options.pop("preconditions", None)
        page = list_page(self.store, resource, Filter.of(resource, place.namespace, request.query), {})
        for entry in page.entries:
            key = entry.fields["metadata.namespace"], entry.fields["metadata.name"]
            if self.store.get(resource.group_resource, key):
                delete(self.writer, resource, *key, options, self.clock.now())
        await self.store.durable()
        return Response(200, list_body(resource, page))

    def _watch(self, kind: Kind, wanted: Filter, query: Mapping[str, str], look: Look) -> Response:
        render = render_line(kind, look, self.clock.now) if look.table or look.partial else None
        return Response(200, stream=watch(self.store, kind.resource, wanted, query, render))

    async def _object(self, request: Request, place: Place, kind: Kind) -> Response:
        resource, query = kind.resource, request.query
        look = Look.of(request.headers.get("accept", ""), query)
        namespace = place.namespace if resource.namespaced else ""
        warnings: list[str] = []
        match request.method:
            case "GET":
                if query.get("watch") in ("true", "1"):
                    return self._watch(kind, Filter.of(resource, namespace, query, place.name), query, look)
                self.writer.live(resource, namespace, place.name) if (namespace, place.name) not in self.store.objects(resource.group_resource) else None
                return Response(200, one(kind, self.store.objects(resource.group_resource)[(namespace, place.name)].body, look, self.clock.now()))
            case "PUT":
                body = self.writer.replace(kind, decode(request), namespace, place.name, query, _agent(request), warnings)
                self._changed(resource, body)
                return await self._written(200, body, kind, look, warnings)
            case "PATCH":
                return await self._patch(request, place, kind, namespace, look, warnings)
            case "DELETE":
                options = options_of(decode(request), query)
                body, status = delete(self.writer, resource, namespace, place.name, options, self.clock.now())
                self._deleted(resource, place.name)
                await self.store.durable()
                return Response(200, msgspec.json.encode(status) if status else body)
            case _:
                raise method_not_allowed()

    async def _patch(self, request: Request, place: Place, kind: Kind, namespace: str, look: Look, warnings: list[str], sub: str = "") -> Response:
        custom = self.registry.is_custom(kind.resource)
        body, created = patch(
            self.writer, kind, media_type(request.headers), decode(request), namespace, place.name, request.query, _agent(request), warnings, custom=custom, sub=sub,
        )  # fmt: skip
        self._changed(kind.resource, body)
        return await self._written(201 if created else 200, body, kind, look, warnings)

    async def _written(self, code: int, body: bytes, kind: Kind, look: Look, warnings: list[str]) -> Response:
        await self.store.durable()
        headers = {"warning": ", ".join(f'299 - "{w}"' for w in (x.replace("\\", "\\\\").replace('"', '\\"') for x in warnings))} if warnings else {}
        return Response(code, one(kind, body, look, self.clock.now()), headers=headers)

    def _changed(self, resource: Resource, body: bytes) -> None:
        if resource is CRDS or resource == CRDS:
            crds.serve(self.writer, self.schemas, msgspec.json.decode(body))

    def _deleted(self, resource: Resource, name: str) -> None:
        if resource == CRDS and self.store.get(resource.group_resource, ("", name)) is None:
            crds.withdraw(self.writer, self.schemas, name)

    async def _subresource(self, request: Request, place: Place, kind: Kind) -> Response:
        resource, namespace = kind.resource, place.namespace if kind.resource.namespaced else ""
        look, warnings = Look.of(request.headers.get("accept", ""), request.query), list[str]()
        sub = place.subresource
        if sub not in resource.subresources:
            raise no_such_path()
        if sub == "status":
            return await self._status(request, place, kind, namespace, look, warnings)
        if sub == "scale":
            return await self._scale(request, place, kind, namespace)
        if sub == "log":
            return await self._log(request, namespace, place.name, kind)
        if sub in ("eviction", "binding", "finalize"):
            return await self._special(request, place, kind, namespace)
        raise Failure(501, "NotImplemented", f"{sub} of a pod is not offered: pods are processes of this machine; use their logs (`kubectl logs`), their address (`kubectl get pods -o wide`) or the gateway")

    async def _status(self, request: Request, place: Place, kind: Kind, namespace: str, look: Look, warnings: list[str]) -> Response:
        if request.method == "GET":
            return Response(200, msgspec.json.encode(self.writer.live(kind.resource, namespace, place.name)))
        if request.method == "PUT":
            body = self.writer.replace(kind, decode(request), namespace, place.name, request.query, _agent(request), warnings, sub="status")
            return await self._written(200, body, kind, look, warnings)
        if request.method == "PATCH":
            return await self._patch(request, place, kind, namespace, look, warnings, "status")
        raise method_not_allowed()

    async def _scale(self, request: Request, place: Place, kind: Kind, namespace: str) -> Response:
        live = self.writer.live(kind.resource, namespace, place.name)
        if request.method == "GET":
            return Response(200, msgspec.json.encode(scale_of(kind, live)))
        body = decode(request)
        if request.method == "PATCH":
            from serinus.local.schema.patches import json_patch, merge_patch

            body = json_patch(scale_of(kind, live), body) if isinstance(body, list) else merge_patch(scale_of(kind, live), body)
        elif request.method != "PUT":
            raise method_not_allowed()
        if not isinstance(body, dict):
            raise bad_request("a Scale is one object")
        out = self.writer.update(kind, live, scaled(kind, live, body), request.query, _agent(request))
        await self.store.durable()
        return Response(200, msgspec.json.encode(scale_of(kind, msgspec.json.decode(out))))

    async def _special(self, request: Request, place: Place, kind: Kind, namespace: str) -> Response:
        body = decode(request)
        body = body if isinstance(body, dict) else {}
        if place.subresource == "eviction" and request.method == "POST":
            evict(self.writer, kind.resource, namespace, place.name, options_of(body.get("deleteOptions"), {}), self.clock.now())
        elif place.subresource == "binding" and request.method == "POST":
            live = self.writer.live(kind.resource, namespace, place.name)
            bound = {**live, "metadata": dict(live["metadata"]), "spec": {**live["spec"], "nodeName": (body.get("target") or {}).get("name", "")}}
            self.writer.put(kind.resource, bound, dry=False)
        elif place.subresource == "finalize" and request.method == "PUT":
            live = self.writer.live(kind.resource, "", place.name)
            done = {**live, "metadata": dict(live["metadata"]), "spec": body.get("spec") or {}}
            gone = not done["spec"].get("finalizers") and "deletionTimestamp" in done["metadata"]
            out = self.writer.put(kind.resource, done, dry=False, deleted=gone)
            await self.store.durable()
            return Response(200, out)
        else:
            raise method_not_allowed()
        await self.store.durable()
        return Response(201, b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}')

    async def _log(self, request: Request, namespace: str, name: str, kind: Kind) -> Response:
        if request.method != "GET":
            raise method_not_allowed()
        pod, query = self.writer.live(kind.resource, namespace, name), request.query
        names = [c["name"] for c in [*pod["spec"].get("containers", []), *pod["spec"].get("initContainers", [])]]
        container = query.get("container") or names[0]
        if container not in names:
            raise bad_request(f"container {container} is not valid for pod {name}")
        if self.logs is None:
            raise Failure(501, "NotImplemented", "this API server runs without a node: there are no logs")

        def number(key: str) -> int | None:
            return int(query[key]) if query.get(key, "").isdigit() else None

        def yes(key: str) -> bool:
            return query.get(key) in ("true", "1")

        stream = self.logs.read(
            namespace, name, container, follow=yes("follow"), tail_lines=number("tailLines"), since_seconds=number("sinceSeconds"), timestamps=yes("timestamps"),
            previous=yes("previous"), limit_bytes=number("limitBytes"),
        )  # fmt: skip
        return Response(200, content_type="text/plain", stream=stream)


def _agent(request: Request) -> str:
    """The manager's name of a client that gives none: its program, as user agents begin."""
    return request.headers.get("user-agent", "").split("/")[0].split(" ")[0] or "unknown"



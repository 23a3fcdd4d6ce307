"""The API server as one `Handler`: request in, response out. It has no sockets, threads or clock."""

from __future__ import annotations

import hashlib
import hmac
import logging
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from serinus.api.resources import CRDS, EVENTS, NAMESPACES, Resource
from serinus.kube.clock import Clock
from serinus.kube.transport import Request, Response
from serinus.local.apiserver.core import ApiCall, Core
from serinus.local.apiserver.errors import (
    StatusError,
    bad_request,
    method_not_allowed,
    no_such_path,
    not_offered,
    object_too_large,
)
from serinus.local.apiserver.event_ttl import EventExpiry
from serinus.local.apiserver.registry import Registry
from serinus.local.apiserver.requests.negotiation import Representation, accepted, answer, body_of
from serinus.local.apiserver.requests.paths import ResourcePath, resource_path, segments
from serinus.local.apiserver.requests.warning_header import warning_header
from serinus.local.apiserver.storage.store import LARGEST_OBJECT, ObjectTooLarge, Store, StoreError, VersionMismatch
from serinus.local.apiserver.verbs import delete, discovery, read, subresources, write
from serinus.local.apiserver.verbs.review import review
from serinus.local.apiserver.verbs.subresources import LogSource
from serinus.local.apiserver.verbs.watch import Watches
from serinus.local.schema.publishing import openapi_protobuf

if TYPE_CHECKING:
    from serinus.local.schema.kinds import Schemas

Json = dict[str, Any]

_log = logging.getLogger(__name__)

_NOT_OFFERED = {
    "exec": "exec is not offered: pods are processes of this machine; read their output with `kubectl logs`, "
    "and run commands beside them in your own shell",
    "attach": "attach is not offered: pods are processes of this machine; follow their output with `kubectl logs -f`",
    "portforward": "port-forward is not offered: every pod listens on a loopback address of its own; "
    "see it with `kubectl get pods -o wide` and connect to it directly",
    "proxy": "proxy is not offered: connect to the pod's own address, which `kubectl get pods -o wide` shows",
    "token": "tokens for service accounts are not offered: use the token of the kubeconfig",
}
_NO_IMPERSONATION = (
    "impersonation (--as) is ignored: there is no authorization here, and every client may do everything"
)
_HEALTH = ("healthz", "livez", "readyz")


class ApiServer:
    """A small Kubernetes API server over `store`. Call `start` once before `handle`.

    `logs` serves `pods/log`; it may be set later. `token` is used only to answer TokenReviews: the HTTPS server
    authenticates clients.
    """

    def __init__(
        self, store: Store, schemas: Schemas, clock: Clock, *, rng: random.Random, logs: LogSource | None = None
    ) -> None:
        self.store, self.logs = store, logs
        self.token = ""
        self.core = Core(store, Registry(schemas), clock, rng)
        self._watches = Watches(self.core)
        self._expiry = EventExpiry(self.core)

    async def start(self, crds: list[Json] | None = None) -> None:
        """Installs a cluster's default objects: namespaces, their service accounts, and the given definitions.

        `crds` defaults to those of argoproj.io. A repeated call changes nothing.
        """
        for entry in self.store.list(CRDS.group_resource):
            self.core.registry.add_crd(entry.object())
        if crds is None:
            from serinus.api.schema.crds import crds as argoproj

            crds = argoproj()
        for name in ("default", "kube-system", "kube-public"):
            await self._ensure(NAMESPACES, {"metadata": {"name": name}})
        for crd in crds:
            await self._ensure_crd(crd)

    def close(self) -> None:
        """Ends every watch. The store's owner closes the store."""
        self._watches.close()

    async def handle(self, request: Request) -> Response:
        """Returns the response. Raises only on cancellation."""
        try:
            response = await self._route(request)
            if request.headers.get("impersonate-user"):
                response = replace(response, headers=warning_header([_NO_IMPERSONATION]) | dict(response.headers))
            return response
        except StatusError as error:
            return error.response()
        except VersionMismatch:
            return StatusError(
                409, "Conflict", "the object was changed by somebody else at the same moment: read it again and repeat"
            ).response()
        except ObjectTooLarge as error:
            return object_too_large(error.size, LARGEST_OBJECT).response()
        except StoreError as error:
            return StatusError(503, "ServiceUnavailable", str(error), {}, retry_after=1).response()
        except (OverflowError, RecursionError) as error:
            return bad_request(f"the object holds a value that cannot be stored: {error}").response()
        except Exception:
            # A bug in Serinus: the response has no internals; the log has the rest.
            _log.exception("%s %s failed", request.method, request.path)
            return StatusError(
                500, "InternalError", "Internal error occurred: see the log of the API server"
            ).response()

    async def _route(self, request: Request) -> Response:
        parts = segments(request.path)
        path = resource_path(parts)
        if path is None:
            return await self._document(request, parts)
        kind = self.core.registry.kind(path.group, path.version, path.plural)
        if kind is None:
            return self._review(request, path)
        if path.namespace and not kind.resource.namespaced:
            raise no_such_path()
        view = accepted(request.headers.get("accept", ""))
        call = ApiCall(request, kind, view, path.namespace, path.name, path.subresource)
        if path.subresource:
            return await self._subresource(call, path)
        if kind.resource.namespaced and not path.namespace and (path.name or request.method == "POST"):
            raise method_not_allowed() if request.method == "POST" and not path.name else no_such_path()
        return await (self._object(call) if path.name else self._collection(call))

    async def _collection(self, call: ApiCall) -> Response:
        match call.request.method:
            case "GET":
                return self._watches.start(call) if call.flag("watch") else read.list_objects(self.core, call)
            case "POST":
                return await self._create(call)
            case "DELETE":
                options = delete.options_of(call)
                return await delete.delete_collection(
                    self.core, call, dry=write.dry_run(call, options), options=options
                )
            case _:
                raise method_not_allowed()

    async def _create(self, call: ApiCall) -> Response:
        if call.key == EVENTS.group_resource:
            await self._expiry.sweep()
        return await write.create(self.core, call)

    async def _object(self, call: ApiCall) -> Response:
        match call.request.method:
            case "GET":
                return self._watches.start(call) if call.flag("watch") else read.get(self.core, call)
            case "PUT":
                return await write.update(self.core, call)
            case "PATCH":
                return await write.patch(self.core, call)
            case "DELETE":
                options = delete.options_of(call)
                return await delete.delete(self.core, call, dry=write.dry_run(call, options), options=options)
            case _:
                raise method_not_allowed()

    async def _subresource(self, call: ApiCall, path: ResourcePath) -> Response:
        name, method = call.subresource, call.request.method
        if name in _NOT_OFFERED and call.key in ("pods", "services", "nodes", "serviceaccounts"):
            raise not_offered(_NOT_OFFERED[name])
        if path.rest or (name not in call.resource.subresources and not (name == "status" and call.kind.has_status)):
            raise no_such_path()
        match name, method:
            case "scale", "GET" | "PUT" | "PATCH":
                return await subresources.scale(self.core, call)
            case "eviction", "POST":
                return await subresources.evict(self.core, call)
            case "binding", "POST":
                return await subresources.bind(self.core, call)
            case "log", "GET":
                return await subresources.log(self.core, call, self.logs)
            case "status" | "finalize", "GET":
                return read.get(self.core, call)
            case "status" | "finalize", "PUT":
                return await write.update(self.core, call)
            case "status", "PATCH":
                return await write.patch(self.core, call)
            case _:
                raise method_not_allowed()

    def _review(self, request: Request, path: ResourcePath) -> Response:
        resource = self.core.registry.review(path.group, path.version, path.plural)
        if resource is None or path.name:
            raise no_such_path()
        if request.method != "POST":
            raise method_not_allowed()
        body: Any = body_of(request) or {}
        if not isinstance(body, dict):
            raise bad_request(f"the body must be one object of kind {resource.kind}")
        spec = body.get("spec")
        asked = str(spec.get("token", "")) if isinstance(spec, dict) else ""
        known = bool(self.token) and hmac.compare_digest(asked.encode("utf-8", "replace"), self.token.encode())
        return answer(accepted(request.headers.get("accept", "")), review(resource, body, known), 201)

    async def _document(self, request: Request, parts: tuple[str, ...]) -> Response:
        if request.method != "GET":
            raise method_not_allowed() if parts else no_such_path()
        if parts and parts[0] in _HEALTH:
            return Response(200, b"ok", "text/plain")
        value = self._find_document(request, parts)
        if isinstance(value, Response):
            return value
        if value is None:
            raise no_such_path()
        return answer(Representation(accepted(request.headers.get("accept", "")).media), value)

    def _find_document(self, request: Request, parts: tuple[str, ...]) -> Json | Response | None:
        registry = self.core.registry
        match parts:
            case ():
                return self._paths()
            case ("version",):
                return discovery.VERSION
            case ("api",) | ("apis",):
                view = accepted(request.headers.get("accept", ""))
                if view.kind == "APIGroupDiscoveryList":
                    return self._aggregated(request, parts[0] == "api", view.version or "v2")
                return discovery.api_versions("127.0.0.1") if parts[0] == "api" else discovery.group_list(registry)
            case ("api", version):
                return discovery.resource_list(registry, "", version)
            case ("apis", group):
                return discovery.group(registry, group)
            case ("apis", group, version):
                return discovery.resource_list(registry, group, version)
            case ("openapi", version, *rest):
                return self._openapi(request, version, "/".join(rest))
            case _:
                return None

    def _paths(self) -> Json:
        groups = [f"/apis/{g}" for g in self.core.registry.groups() if g]
        others = ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
        return {"paths": ["/api", "/api/v1", "/apis", *groups, *others]}

    def _openapi(self, request: Request, version: str, rest: str) -> Json | Response | None:
        schemas = self.core.registry.schemas
        if version == "v3":
            return schemas.openapi_v3(rest) if rest else schemas.openapi_v3_paths()
        if version != "v2" or rest:
            return None
        if openapi_protobuf.asked_for(request.headers.get("accept", "")):
            return Response(200, schemas.openapi_v2_protobuf(), openapi_protobuf.MEDIA)
        return schemas.openapi_v2()

    def _aggregated(self, request: Request, core: bool, version: str) -> Response:
        body = msgspec.json.encode(discovery.aggregated(self.core.registry, core, version))
        tag = f'"{hashlib.sha256(body).hexdigest().upper()}"'
        headers = {"etag": tag, "vary": "Accept", "cache-control": "public"}
        content_type = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        if request.headers.get("if-none-match", "") == tag:
            return Response(304, b"", content_type, headers)
        return Response(200, body, content_type, headers)

    async def _ensure(self, resource: Resource, obj: Json) -> None:
        meta: Json = obj["metadata"]
        if self.store.latest(resource.group_resource, meta.get("namespace", ""), meta["name"]) is None:
            body = msgspec.json.encode({"apiVersion": resource.api_version, "kind": resource.kind, **obj})
            await self._own("POST", resource.path(meta.get("namespace", "")), body)

    async def _ensure_crd(self, crd: Json) -> None:
        entry = self.store.latest(CRDS.group_resource, "", crd["metadata"]["name"])
        if entry is None:
            await self._own("POST", CRDS.path(), msgspec.json.encode(crd))
        elif entry.object().get("spec") != crd.get("spec"):
            # An upgrade installs its own schema.
            body = entry.object()
            body["spec"] = crd["spec"]
            await self._own("PUT", CRDS.path(name=entry.name), msgspec.json.encode(body))

    async def _own(self, method: str, path: str, body: bytes) -> None:
        response = await self._route(
            Request(method, path, {}, {"user-agent": "serinus-apiserver", "content-type": "application/json"}, body)
        )
        if response.status >= 400:
            raise StoreError(f"{method} {path} failed: {response.body.decode('utf-8', 'replace')}")

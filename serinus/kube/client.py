"""Typed calls on the Kubernetes API over any transport.

Every call names a `Resource`. Objects are returned as the requested `type`: a msgspec Struct that declares only the
fields it needs (the rest is never kept in memory), or `dict` for the whole object. `api/decoding/reading.py` defines how they
are read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from serinus.api.decoding.nesting import DEEPEST, without_deep
from serinus.api.decoding.reading import Reader
from serinus.api.resources import OWN_GROUP, Resource
from serinus.kube.errors import ApiError, Unavailable, error_from
from serinus.kube.transport import APPLY_PATCH, JSON, MERGE_PATCH, Handler, Request, Response

T = TypeVar("T")
Json = dict[str, Any]


class ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class ObjectList(msgspec.Struct, Generic[T]):
    items: list[T] = []
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


@dataclass(slots=True)
class WatchEvent(Generic[T]):
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: T


def _reader(type_: Any, resource: Resource) -> Reader[Any]:
    return _cached_reader(type_, resource.group == OWN_GROUP)


@lru_cache(maxsize=256)
def _cached_reader(type_: Any, own: bool) -> Reader[Any]:
    return Reader(type_, own=own)


class _Object(msgspec.Struct):
    metadata: dict[str, Any]


AROUND = 3
"""Maximum levels of a list or watch event around its objects. In an object, parts below `DEEPEST` are cut."""

_event_decoder = msgspec.json.Decoder(_Event)
_object_decoder = msgspec.json.Decoder(_Object)


def _read(answer: Response, type_: Any, resource: Resource) -> Any:
    """The object in its type. Unavailable if the answer is not from a Kubernetes API, such as a proxy's page.

    msgspec.ValidationError for an object that does not fit its type.
    """
    try:
        return _reader(type_, resource).read(answer.body)[0]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error, msgspec.ValidationError) and _is_object(answer.body):
            raise
        raise _no_answer_of_an_api(answer.status, answer.body, resource) from None


def _read_page(answer: Response, type_: Any, resource: Resource) -> Any:
    """A page of a list. If objects are read one by one, a too deeply nested object only loses its deep part."""
    if type_ is msgspec.Raw:
        try:
            return _reader(ObjectList[msgspec.Raw], resource).read(answer.body)[0]
        except RecursionError:
            answer.body = without_deep(answer.body, DEEPEST + AROUND)
        except msgspec.DecodeError:
            pass  # `_read` raises the error
    return _read(answer, ObjectList[type_], resource)


def _decoded(line: bytes) -> _Event:
    try:
        return _event_decoder.decode(line)
    except RecursionError:
        return _event_decoder.decode(without_deep(line, DEEPEST + AROUND))


def _is_object(body: bytes) -> bool:
    try:
        _object_decoder.decode(body)
    except msgspec.DecodeError:
        return False
    return True


def _no_answer_of_an_api(code: int, body: bytes, resource: Resource) -> Unavailable:
    shown = body[:80].decode("utf-8", "replace").split("\n")[0].strip()
    return Unavailable(code, "", f"the answer about {resource.plural} is none of a Kubernetes API: {shown!r}")


class Client:
    """One API server. managedFields shows `user_agent` as the manager's name."""

    def __init__(self, handler: Handler, *, user_agent: str = "serinus") -> None:
        self._handler = handler
        self._headers = {"user-agent": user_agent, "accept": JSON}

    @property
    def manager(self) -> str:
        """The manager's name of this client in managedFields."""
        return self._headers["user-agent"].partition("/")[0]

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The raw answer. Raises an ApiError for a status of 400 and above."""
        payload = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        sent = {**self._headers, **(headers or {})}
        if payload:
            sent["content-type"] = content_type
        answer = await self._handler(Request(method, path, query or {}, sent, payload))
        if answer.status >= 400:
            if answer.stream is not None:
                answer.body = b"".join([piece async for piece in answer.stream])
            after = answer.headers.get("retry-after", "")
            raise error_from(answer.status, answer.body, float(after) if after.isdigit() else None)
        return answer

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, type: type[T] = dict, subresource: str = ""
    ) -> T:
        answer = await self.raw("GET", resource.path(namespace, name, subresource))
        return _read(answer, type, resource)

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        type: type[T] = dict,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
    ) -> ObjectList[T]:
        """All objects, in pages if `limit` is given. `metadata` is that of the last page."""
        items: list[T] = []
        metadata = ListMeta()
        async for page in self.pages(resource, namespace, type=type, labels=labels, fields=fields, limit=limit):
            items += page.items
            metadata = page.metadata
        return ObjectList(items, metadata)

    async def pages(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        type: type[T] = dict,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
    ) -> AsyncIterator[ObjectList[T]]:
        """Like `list`, but yields each page on arrival, for callers that do not need all objects at once."""
        query = _selectors(labels, fields) | ({"limit": str(limit)} if limit else {})
        while True:
            answer = await self.raw("GET", resource.path(namespace), query=query)
            page: ObjectList[T] = _read_page(answer, type, resource)
            yield page
            if not page.metadata.continue_:
                return
            query = query | {"continue": page.metadata.continue_}

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        type: type[T] = dict,
        resource_version: str = "",
        labels: str = "",
        fields: str = "",
        timeout: float = 0,
        opened: Callable[[], None] | None = None,
    ) -> AsyncIterator[WatchEvent[T]]:
        """Changes after `resource_version`. It returns when the server ends the watch.

        Raises Gone if the version is too old: list again. Raises Unavailable if the connection breaks. `opened` is
        called once the server has accepted the watch; the first change may follow much later.
        """
        query = _selectors(labels, fields) | {"watch": "true", "allowWatchBookmarks": "true"}
        if resource_version:
            query["resourceVersion"] = resource_version
        if timeout:
            query["timeoutSeconds"] = str(int(timeout))
        answer = await self.raw("GET", resource.path(namespace), query=query)
        if answer.stream is None:
            raise Unavailable(answer.status, "", "the server did not answer with a stream")
        if opened is not None:
            opened()
        reader = _reader(type, resource)
        async for line in lines(answer.stream):
            try:
                event = _decoded(line)
            except msgspec.DecodeError:
                raise _no_answer_of_an_api(200, line, resource) from None
            if event.type == "ERROR":
                raise _watch_error(bytes(event.object))
            yield WatchEvent(event.type, reader.read(event.object)[0])

    async def create(
        self,
        resource: Resource,
        obj: Any,
        namespace: str = "",
        *,
        type: type[T] = dict,
        name: str = "",
        subresource: str = "",
    ) -> T:
        answer = await self.raw("POST", resource.path(namespace, name, subresource), body=obj)
        return _read(answer, type, resource)

    async def update(self, resource: Resource, obj: Json, *, type: type[T] = dict, subresource: str = "") -> T:
        meta = obj["metadata"]
        answer = await self.raw("PUT", resource.path(meta.get("namespace", ""), meta["name"], subresource), body=obj)
        return _read(answer, type, resource)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str = "",
        *,
        type: type[T] = dict,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
    ) -> T:
        answer = await self.raw(
            "PATCH", resource.path(namespace, name, subresource), body=patch, content_type=content_type
        )
        return _read(answer, type, resource)

    async def apply(self, resource: Resource, obj: Json, manager: str, *, force: bool = True) -> Json:
        """Server-side apply."""
        meta = obj["metadata"]
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        answer = await self.raw(
            "PATCH",
            resource.path(meta.get("namespace", ""), meta["name"]),
            query=query,
            body=obj,
            content_type=APPLY_PATCH,
        )
        return _read(answer, dict, resource)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: str = "Background",
        grace: int | None = None,
    ) -> None:
        conditions = {k: v for k, v in (("uid", uid), ("resourceVersion", resource_version)) if v}
        options: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if conditions:
            options["preconditions"] = conditions
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        await self.raw("DELETE", resource.path(namespace, name), body=options)


def _selectors(labels: str, fields: str) -> dict[str, str]:
    return {k: v for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v}


async def lines(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stream's complete lines, independent of the sizes of its pieces."""
    rest = b""
    async for piece in stream:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line:
                yield line
    if rest.strip():
        yield rest


def _watch_error(body: bytes) -> ApiError:
    try:
        status: Any = msgspec.json.decode(body)
        code = int(status.get("code") or 500)
    except (msgspec.DecodeError, AttributeError, TypeError, ValueError):
        code = 500
    return error_from(code, body)

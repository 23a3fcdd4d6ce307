"""get and list: selectors, pages, and the store version that is shown."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from serinus.kube.transport import Response
from serinus.local.apiserver.core import ApiCall, Core, as_version
from serinus.local.apiserver.errors import StatusError, bad_request, expired, not_found, too_large_version
from serinus.local.apiserver.printing import tables
from serinus.local.apiserver.requests.negotiation import answer
from serinus.local.apiserver.requests.parameters import shown as shown_value
from serinus.local.apiserver.requests.parameters import whole
from serinus.local.apiserver.requests.selectors import everything, field_selector, label_selector
from serinus.local.apiserver.storage.store import Compacted, Entry, selectable_fields

Json = dict[str, Any]
Selects = Callable[[Entry], bool]


class _Continue(msgspec.Struct):
    """Start of the next page, and its store version."""

    rv: int
    namespace: str
    name: str


def get(core: Core, call: ApiCall) -> Response:
    entry = core.store.get(call.key, call.namespace, call.name)
    if entry is None:
        raise not_found(call.resource, call.name)
    asked = version_number(call.request.query.get("resourceVersion", ""))
    if asked > core.store.revision:
        raise too_large_version(asked, core.store.revision)
    return answer(call.view, shown(core, call, entry), headers=call.headers())


def shown(core: Core, call: ApiCall, entry: Entry) -> bytes:
    """One object in the requested form."""
    body = as_version(entry, call.resource, core.registry.several(call.resource))
    if call.view.kind == "Table":
        return tables.table(
            call.kind, [msgspec.json.decode(body)], str(entry.version), core.clock.now(), call.request.query
        )
    if call.view.kind == "PartialObjectMetadata":
        return tables.partial(body)
    return body


def list_objects(core: Core, call: ApiCall) -> Response:
    query = call.request.query
    selects = selection(core, call)
    namespace, start = call.namespace, None
    version = core.store.revision
    limit = whole(query, "limit") or 0
    if query.get("continue"):
        start = _start(query["continue"], query.get("resourceVersion", ""), version, namespace)
        version = start.rv if start.rv > 0 else version
    entries = _moment(core, call, namespace, version, start)
    entries = [entry for entry in entries if selects(entry)] if selects is not _all else entries
    if start is not None:
        entries = [e for e in entries if (e.namespace, e.name) >= (start.namespace, start.name)]
    if start is None and query.get("resourceVersionMatch") == "Exact":
        version = version_number(query.get("resourceVersion", ""))
    meta: Json = {"resourceVersion": str(version)}
    if 0 < limit < len(entries):
        after = entries[limit]
        meta["continue"] = _token(version, after)
        if selects is _all:
            meta["remainingItemCount"] = len(entries) - limit
        entries = entries[:limit]
    return answer(call.view, _body(core, call, entries, meta), headers=call.headers() if entries else None)


def _body(core: Core, call: ApiCall, entries: list[Entry], meta: Json) -> bytes:
    several = core.registry.several(call.resource)
    bodies = (as_version(entry, call.resource, several) for entry in entries)
    if call.view.kind == "Table":
        objects = [msgspec.json.decode(body) for body in bodies]
        return tables.table(
            call.kind, objects, meta["resourceVersion"], core.clock.now(), call.request.query, meta=meta
        )
    head = {"kind": f"{call.resource.kind}List", "apiVersion": call.resource.api_version, "metadata": meta}
    if call.view.kind == "PartialObjectMetadataList":
        head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
        bodies = (tables.partial(body) for body in bodies)
    return listed(head, bodies)


def listed(head: Json, bodies: Iterable[bytes]) -> bytes:
    """A list of already encoded objects."""
    return msgspec.json.encode(head)[:-1] + b',"items":[' + b",".join(bodies) + b"]}"


def _moment(core: Core, call: ApiCall, namespace: str, version: int, start: _Continue | None) -> list[Entry]:
    query, store = call.request.query, core.store
    match, asked_text = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    asked = version_number(asked_text)
    try:
        if start is not None:
            if start.rv > 0:
                return store.list_at(call.key, namespace, start.rv)
            return store.list(call.key, namespace)
        if match not in ("", "Exact", "NotOlderThan"):
            raise _bad_options(
                f'resourceVersionMatch: Unsupported value: "{match}": supported values: "Exact", "NotOlderThan"'
            )
        if match and not asked_text:
            raise _bad_options(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
            )
        if asked > store.revision:
            raise too_large_version(asked, store.revision)
        if match == "Exact":
            if not asked:
                raise _bad_options(
                    'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
                )
            return store.list_at(call.key, namespace, asked)
    except Compacted:
        if start is None:
            raise expired(f"The resourceVersion for the provided list is too old: {asked}") from None
        failure = expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
            "the continue parameter, or use the continue token in this response to retrieve the remainder of the results."
        )
        failure_status = failure.status()
        failure_status["metadata"] = {"continue": _encoded(_Continue(-1, start.namespace, start.name))}
        raise FailureWithMetadata(failure, failure_status) from None
    return store.list(call.key, namespace)


class FailureWithMetadata(StatusError):
    """A failure with metadata in its Status."""

    def __init__(self, failure: StatusError, status: Json) -> None:
        super().__init__(failure.code, failure.reason, failure.message, failure.details)
        self._status = status

    def status(self) -> Json:
        return self._status


def _bad_options(text: str) -> StatusError:
    field, reason = text.split(": ")[:2]
    cause = {"reason": "FieldValue" + reason.split(" ")[0], "message": text.partition(": ")[2], "field": field}
    details = {"group": "meta.k8s.io", "kind": "ListOptions", "causes": [cause]}
    return StatusError(422, "Invalid", f'ListOptions.meta.k8s.io "" is invalid: {text}', details)


def version_number(text: str) -> int:
    """The resourceVersion of a query; 0 for none."""
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        text = shown_value(text)
        raise bad_request(
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)


def _token(version: int, entry: Entry) -> str:
    return _encoded(_Continue(version, entry.namespace, entry.name))


def _encoded(token: _Continue) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def _start(text: str, version: str, newest: int, namespace: str) -> _Continue:
    if version not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Continue)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        token = _Continue(0, "", "")
    # -1 means the newest version: such a token continues a list whose version was compacted.
    if not (token.rv == -1 or 0 < token.rv <= newest) or namespace not in ("", token.namespace):
        raise bad_request("continue key is not valid: it is not one that this server gave for this list")
    return token


def _all(_: Entry) -> bool:
    return True


def selection(core: Core, call: ApiCall) -> Selects:
    """The predicate of the call's selectors; it matches all without any. Other code restricts the namespace."""
    query = call.request.query
    labels = label_selector(query.get("labelSelector", ""))
    terms = field_selector(query.get("fieldSelector", ""))
    if call.name:
        terms = (*terms, ("metadata.name", True, call.name))
    known = selectable_fields(call.key)
    for field, _, _ in terms:
        if field not in ("metadata.name", "metadata.namespace") and field not in known:
            raise bad_request(f"field label not supported: {field}")
    if not terms:
        return _all if labels is everything else lambda entry: labels(entry.labels)

    def selected(entry: Entry) -> bool:
        for field, equal, value in terms:
            actual = (
                entry.name
                if field == "metadata.name"
                else entry.namespace
                if field == "metadata.namespace"
                else entry.fields.get(field, "")
            )
            if (actual == value) is not equal:
                return False
        return labels(entry.labels)

    return selected

"""create, update and patch.

Each operation reads the latest state and passes the result to the store without awaiting in between. So two writers of
one object cannot overwrite each other: the second sees the first one's write. Only the disk sync is awaited.
"""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api.decoding.nesting import DEEPEST, nests_too_deep
from serinus.api.resources import CRDS, Resource
from serinus.kube.transport import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Response
from serinus.local.apiserver import objectmeta, strategy
from serinus.local.apiserver.conversion import converted
from serinus.local.apiserver.core import ApiCall, Core
from serinus.local.apiserver.errors import (
    StatusError,
    already_exists,
    apply_conflict,
    bad_request,
    conflict,
    invalid,
    not_found,
    object_too_large,
    unsupported_media,
)
from serinus.local.apiserver.requests.admission import (
    check_namespace,
    check_place,
    check_valid,
    fresh,
    is_well_formed,
    object_of,
)
from serinus.local.apiserver.requests.negotiation import accepted, answer, body_of, check_keys
from serinus.local.apiserver.storage.store import LARGEST_OBJECT, MARK_BYTES, Entry, check_size, entry_of
from serinus.local.apiserver.verbs import delete
from serinus.local.apiserver.verbs.read import shown
from serinus.local.node import ignored_fields
from serinus.local.schema.field_errors import FieldError
from serinus.local.schema.patching.managed_fields import ApplyConflict, ApplyRefused, apply, track
from serinus.local.schema.patching.patches import PatchError, PatchTooLarge, json_patch, merge_patch, strategic_patch

Json = dict[str, Any]

_LONGEST_MANAGER = 128
_ENCODE = msgspec.json.Encoder(order="sorted").encode


def dry_run(call: ApiCall, options: Json | None = None) -> bool:
    """Whether this is a dry run. Raises 422 for any value but `All`."""
    value = call.request.query.get("dryRun", "")
    listed = (options or {}).get("dryRun") or []
    values: list[Any] = [value] if value else listed if isinstance(listed, list) else [listed]
    if any(v != "All" for v in values):
        flaw = FieldError("dryRun", "FieldValueNotSupported", values[0], 'supported values: "All"')
        raise invalid("meta.k8s.io", "Options", "", [flaw])
    return bool(values)


def manager(call: ApiCall) -> str:
    """The manager for managedFields: the query's fieldManager, else the program's name in the User-Agent."""
    named = call.request.query.get("fieldManager", "")
    if len(named.encode()) > _LONGEST_MANAGER:
        flaw = FieldError("fieldManager", "FieldValueTooLong", named, "may not be more than 128 bytes")
        raise invalid("meta.k8s.io", "Options", "", [flaw])
    if not named.isprintable():
        flaw = FieldError("fieldManager", "FieldValueInvalid", named, "should only contain printable characters")
        raise invalid("meta.k8s.io", "Options", "", [flaw])
    program = call.request.headers.get("user-agent", "").split("/")[0][:_LONGEST_MANAGER]
    return named or "".join(c if c.isprintable() else "?" for c in program) or "unknown"


async def create(core: Core, call: ApiCall) -> Response:
    obj = object_of(call, body_of(call.request))
    return await create_object(core, call, obj, dry=dry_run(call))


async def create_object(core: Core, call: ApiCall, obj: Json, *, dry: bool, applied: bool = False) -> Response:
    check_place(call, obj)
    check_namespace(core, call)
    _begin_metadata(core, call, obj["metadata"])
    if call.kind.has_status:
        obj.pop("status", None)
    new = call.kind.default(obj)
    if is_well_formed(call, new):
        strategy.prepare(core, call.key, new, None)
    check_valid(call, new, None)
    if idle := ignored_fields.warning(new):
        call.warnings.append(idle)
    meta = new["metadata"]
    if core.store.latest(call.key, call.namespace, meta["name"]) is not None:
        raise already_exists(call.resource, meta["name"])
    if not applied:
        meta["managedFields"] = track(call.kind, None, new, manager=manager(call), now=core.now(), subresource="")
    _install_crd(core, call, new, None, dry=dry)
    if dry:
        return _answer(core, call, _imagined(core, call, new, ""), 201)
    written = core.store.put(call.key, _in_order(new), expected=0)
    for resource, obj in strategy.companions(call.key, new):
        await _accompany(core, resource, obj)
    return _answer(core, call, await written, 201)


def _begin_metadata(core: Core, call: ApiCall, meta: Json) -> None:
    """Sets the metadata that the server gives a new object."""
    if meta.pop("resourceVersion", "") not in ("", "0"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = _generated(core, call, str(meta["generateName"]))
    for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
        meta.pop(key, None)
    meta["uid"] = core.uid()
    meta["creationTimestamp"] = core.now()
    if call.key in strategy.WITH_GENERATION or call.kind.custom:
        meta["generation"] = 1


async def _accompany(core: Core, resource: Resource, obj: Json) -> None:
    meta: Json = obj["metadata"]
    if core.store.latest(resource.group_resource, meta.get("namespace", ""), meta["name"]) is None:
        meta |= {"uid": core.uid(), "creationTimestamp": core.now()}
        await core.store.put(resource.group_resource, obj, expected=0)


def _generated(core: Core, call: ApiCall, prefix: str) -> str:
    for _ in range(8):
        name = prefix[:58] + core.suffix()
        if core.store.latest(call.key, call.namespace, name) is None:
            return name
    return prefix[:58] + core.suffix()


async def update(core: Core, call: ApiCall) -> Response:
    obj = object_of(call, body_of(call.request))
    check_place(call, obj)
    entry = core.store.latest(call.key, call.namespace, call.name)
    dry = dry_run(call)
    if entry is None:
        if call.key in strategy.CREATE_ON_UPDATE and not call.subresource:
            return await create_object(core, call, obj, dry=dry)
        raise not_found(call.resource, call.name)
    meta = obj["metadata"]
    if (
        meta.get("resourceVersion", "") in ("", "0")
        and not call.subresource
        and (call.kind.custom or call.key in strategy.NEEDS_VERSION)
    ):
        flaw = FieldError("metadata.resourceVersion", "FieldValueInvalid", 0, "must be specified for an update")
        raise invalid(call.resource.group, call.resource.kind, call.name, [flaw])
    return await replace(core, call, entry, obj, dry=dry)


async def patch(core: Core, call: ApiCall) -> Response:
    media = call.request.headers.get("content-type", "").split(";")[0].strip().lower()
    known = (
        (JSON_PATCH, MERGE_PATCH, APPLY_PATCH)
        if call.kind.custom
        else (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
    )
    if media not in known:
        raise unsupported_media(known)
    value = body_of(call.request, media=(media,))
    if media == APPLY_PATCH:
        return await _apply(core, call, value)
    if call.request.query.get("force"):
        flaw = FieldError("force", "FieldValueForbidden", True, "may not be specified for non-apply patch")
        raise invalid("meta.k8s.io", "PatchOptions", "", [flaw])
    entry = core.store.latest(call.key, call.namespace, call.name)
    if entry is None:
        raise not_found(call.resource, call.name)
    result = patched(call, live(call, entry), media, value)
    check_patched(result, entry)
    obj = object_of(call, result, patched=True)
    check_place(call, obj)
    return await replace(core, call, entry, obj, dry=dry_run(call))


def patched(call: ApiCall, obj: Json, media: str, value: Any) -> Any:
    """The object after a patch of this media type. Raises 400, 413 and 422 if it is unreadable or does not apply."""
    try:
        if media == JSON_PATCH:
            if not isinstance(value, list):
                raise bad_request("error decoding patch: a JSON patch is a list of operations")
            return json_patch(obj, value)
        if not isinstance(value, dict):
            raise bad_request("error decoding patch: the patch must be a map")
        return merge_patch(obj, value) if media == MERGE_PATCH else strategic_patch(call.kind, obj, value)
    except PatchTooLarge as error:
        raise StatusError(413, "RequestEntityTooLarge", str(error)) from None
    except PatchError as error:
        if media == JSON_PATCH:
            raise StatusError(
                422, "Invalid", f"the server rejected our request due to an error in our request: {error}", {}
            ) from None
        raise bad_request(str(error)) from None


def check_patched(value: Any, entry: Entry) -> None:
    """Raises 422 and 413 if a patch made the object too deep or too large, before more work is done on it."""
    if nests_too_deep(value):
        raise StatusError(
            422, "Invalid", f"the patch nests the object too deeply: at most {DEEPEST} levels are kept", {}
        )
    size = len(msgspec.json.encode(value))
    if size > max(LARGEST_OBJECT, len(entry.body)) + MARK_BYTES:
        raise object_too_large(size, LARGEST_OBJECT)
    check_keys(value, size)


async def _apply(core: Core, call: ApiCall, value: Any) -> Response:
    who, dry = call.request.query.get("fieldManager", ""), dry_run(call)
    if not who:
        flaw = FieldError("fieldManager", "FieldValueRequired", "", "is required for apply patch")
        raise invalid("meta.k8s.io", "PatchOptions", "", [flaw])
    if not isinstance(value, dict) or not value.get("apiVersion") or not value.get("kind"):
        raise bad_request("invalid object type: an applied object needs apiVersion and kind")
    obj = object_of(call, value)
    check_place(call, obj)
    if obj["metadata"].get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    entry = core.store.latest(call.key, call.namespace, call.name)
    if entry is None and call.subresource:
        raise not_found(call.resource, call.name)
    version = obj["metadata"].get("resourceVersion", "")
    if version and (entry is None or version != str(entry.version)):
        raise conflict(call.resource, call.name)
    current = live(call, entry) if entry else None
    try:
        new = apply(
            call.kind,
            current,
            obj,
            manager=manager(call),
            force=call.flag("force"),
            now=core.now(),
            subresource=call.subresource,
        )
    except ApplyConflict as apply_error:
        raise apply_conflict(str(apply_error), apply_error.conflicts) from None
    except ApplyRefused as why:
        raise bad_request(str(why)) from None
    if entry is None:
        check_namespace(core, call)
        return await create_object(core, call, new, dry=dry, applied=True)
    return await replace(core, call, entry, new, dry=dry, applied=True)


def live(call: ApiCall, entry: Entry) -> Json:
    """The stored object in the call's version."""
    return converted(entry.object(), call.resource)


async def replace(
    core: Core, call: ApiCall, entry: Entry, new: Json, *, dry: bool, applied: bool = False, tracked_as: str = ""
) -> Response:
    """Replaces the entry with `new` by the rules of the call's subresource. Returns the resulting object.

    `tracked_as`: the subresource for managedFields, if it differs from the call's.
    """
    old = live(call, entry)
    _check_identity(call, entry, old, new)
    new = _isolated(call, fresh(old), new, applied)
    objectmeta.keep_system_fields(old["metadata"], new["metadata"])
    new = call.kind.default(new)
    if not call.subresource and is_well_formed(call, new):
        strategy.prepare(core, call.key, new, fresh(old))
    check_valid(call, new, old)
    _check_finalizers(call, old["metadata"], new["metadata"])
    meta = new["metadata"]
    if "generation" in meta and _desired(call, old) != _desired(call, new):
        meta["generation"] += 1
    if not applied:
        meta["managedFields"] = track(
            call.kind, old, new, manager=manager(call), now=core.now(), subresource=tracked_as or call.subresource
        )
    meta["resourceVersion"] = str(entry.version)
    if _same(old, new):
        await core.store.settled()
        return _answer(core, call, entry, 200)
    if dry:
        _install_crd(core, call, new, old, dry=True)
        return _answer(core, call, _imagined(core, call, new, str(entry.version)), 200)
    if meta.get("deletionTimestamp") and delete.is_free(new):
        gone = await delete.remove(core, call.resource, entry)
        return _answer(core, call, gone, 200)
    _install_crd(core, call, new, old, dry=False)
    written = await core.store.put(call.key, _in_order(new), expected=entry.version)
    return _answer(core, call, written, 200)


def _install_crd(core: Core, call: ApiCall, new: Json, old: Json | None, *, dry: bool) -> None:
    """Serves a definition's kinds at once. Raises 422 for an invalid one, which then adds no kinds."""
    if call.resource != CRDS or call.subresource or (old and old.get("spec") == new.get("spec")):
        return
    flaws = core.registry.add_crd(new)
    if flaws or dry:
        if old:
            core.registry.add_crd(old)
        else:
            core.registry.remove_crd(new["metadata"]["name"])
    if flaws:
        raise invalid(CRDS.group, CRDS.kind, new["metadata"]["name"], flaws)


def _check_identity(call: ApiCall, entry: Entry, old: Json, new: Json) -> None:
    meta = new["metadata"]
    if meta.get("uid") and meta["uid"] != old["metadata"].get("uid"):
        raise conflict(
            call.resource,
            call.name,
            f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {old['metadata'].get('uid')}",
        )
    version = meta.get("resourceVersion", "")
    if version not in ("", "0") and version != str(entry.version):
        raise conflict(call.resource, call.name)


def _isolated(call: ApiCall, old: Json, new: Json, applied: bool) -> Json:
    """`old` with the part of `new` that this subresource may write."""
    if call.subresource == "status":
        result: Json = {**old, "status": new.get("status")}
        if result["status"] is None:
            del result["status"]
        if applied:
            result["metadata"]["managedFields"] = new["metadata"].get("managedFields", [])
        return result
    if call.subresource == "finalize":
        return {**old, "spec": new.get("spec") or {}}
    if call.kind.has_status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    return new


def _check_finalizers(call: ApiCall, old: Json, new: Json) -> None:
    added = objectmeta.added_finalizers(old, new) if new.get("deletionTimestamp") else []
    if added:
        text = ", ".join(f'"{f}"' for f in added)
        flaw = FieldError(
            "metadata.finalizers", "FieldValueForbidden", "",
            f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{text}}}",
        )  # fmt: skip
        raise invalid(call.resource.group, call.resource.kind, call.name, [flaw])


def _desired(call: ApiCall, obj: Json) -> Any:
    """The part of the object whose changes increment `generation`."""
    if not call.kind.custom:
        return obj.get("spec")
    return {k: v for k, v in obj.items() if k != "metadata" and not (k == "status" and call.kind.has_status)}


def _same(old: Json, new: Json) -> bool:
    """Whether a write would change nothing. Then nothing is written, and no watcher wakes."""

    def timeless(obj: Json) -> Json:
        managed = obj["metadata"].get("managedFields") or []
        entries = [{k: v for k, v in entry.items() if k != "time"} for entry in managed]
        return {**obj, "metadata": {**obj["metadata"], "managedFields": entries}}

    return _ENCODE(timeless(old)) == _ENCODE(timeless(new))


def _in_order(obj: Json) -> Json:
    """Puts apiVersion, kind and metadata first, since users read stored objects too."""
    first = {key: obj[key] for key in ("apiVersion", "kind", "metadata")}
    return first | obj


def _imagined(core: Core, call: ApiCall, obj: Json, version: str) -> Entry:
    """The entry that a dry run returns."""
    if version:
        obj["metadata"]["resourceVersion"] = version
    entry = entry_of(call.key, _in_order(obj), int(version or 0))
    check_size(entry, core.store.latest(call.key, call.namespace, entry.name))
    return entry


def _answer(core: Core, call: ApiCall, entry: Entry, status: int) -> Response:
    view = accepted(call.request.headers.get("accept", ""))
    return answer(view, shown(core, call, entry), status, call.headers())

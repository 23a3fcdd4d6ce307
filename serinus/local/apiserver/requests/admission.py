"""Turns a request body into an object that may be written: identity, unknown fields, metadata, schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from serinus.api.resources import NAMESPACES, Resource
from serinus.api.schema.schemas import definition_name
from serinus.local.apiserver import objectmeta
from serinus.local.apiserver.core import ApiCall, Core
from serinus.local.apiserver.errors import Flaw, StatusError, bad_request, forbidden, invalid, not_found
from serinus.local.schema.checks import check
from serinus.local.schema.field_errors import FieldError
from serinus.local.schema.go_messages import cannot_unmarshal

Json = dict[str, Any]


def object_of(call: ApiCall, value: Any, *, patched: bool = False) -> Json:
    """The body as an object of the call's kind, without unknown fields. Raises 400 (422 in a patch)."""
    resource = call.resource
    if not isinstance(value, dict):
        raise bad_request(f"the body must be one object of kind {resource.kind}, found {_json_type(value)}")
    if call.kind.custom:
        obj: Json = call.kind.without_nulls(value)
    else:
        # A patched value shares parts with the stored object.
        obj = without_nulls(value) if patched or has_nulls(value) else value
    _check_type(resource, obj)
    meta = obj.setdefault("metadata", {})
    if meta is None:
        meta = obj["metadata"] = {}
    why = objectmeta.wrong_types(meta) if isinstance(meta, dict) else f"metadata: {_json_type(meta)} is not a map"
    if why:
        raise unreadable(call, why)
    if not call.kind.custom:
        # Runs before defaulting, which may hide a list in place of a map.
        field_errors: list[FieldError] = []
        check(call.kind.node, obj, "", field_errors)
        _check_decodes(call, field_errors)
    return _without_unknown_fields(call, obj, patched=patched)


def _check_type(resource: Resource, obj: Json) -> None:
    """Fills in apiVersion and kind if they are absent. Raises 400 if they are those of another kind."""
    if obj.get("apiVersion") in (None, ""):
        obj["apiVersion"] = resource.api_version
    if obj.get("kind") in (None, ""):
        obj["kind"] = resource.kind
    if obj["apiVersion"] != resource.api_version:
        raise bad_request(
            f"the API version in the data ({obj['apiVersion']}) does not match the expected API version ({resource.api_version})"
        )
    if obj["kind"] != resource.kind:
        raise bad_request(
            f'{obj["kind"]} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"the kind in the data ({obj['kind']}) does not match the resource {resource.plural}"
        )


def _without_unknown_fields(call: ApiCall, obj: Json, *, patched: bool) -> Json:
    """The object without fields that its schema lacks, as the query parameter `fieldValidation` says."""
    mode = call.request.query.get("fieldValidation") or "Warn"
    if mode not in ("Ignore", "Warn", "Strict"):
        raise bad_request(f'fieldValidation: Unsupported value: "{mode}": supported values: "Ignore", "Strict", "Warn"')
    unknown = call.kind.unknown_fields(obj)
    if unknown and mode == "Strict":
        text = "strict decoding error: " + ", ".join(unknown)
        if patched:
            flaw = FieldError("patch", "FieldValueInvalid", call.request.body.decode("utf-8", "replace"), text)
            raise invalid("", "", "", [flaw])
        raise unreadable(call, text)
    if unknown:
        if mode == "Warn":
            call.warnings.extend(unknown)
        obj = call.kind.prune(obj)
    return obj


def without_nulls(value: Any) -> Any:
    """Removes nulls: in a built-in kind they have no meaning, since Go's decoder ignores them."""
    if isinstance(value, dict):
        given: Json = value
        return {k: without_nulls(v) if isinstance(v, (dict, list)) else v for k, v in given.items() if v is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in cast("list[Any]", value)]
    return value


def has_nulls(value: Any) -> bool:
    """Whether a null is anywhere in a JSON value. Does not recurse."""
    level: list[Any] = [value]
    while level:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += cast("Json", item).values()
            elif isinstance(item, list):
                inner += cast("list[Any]", item)
        if None in inner:
            return True
        level = inner
    return False


def unreadable(call: ApiCall, why: str) -> StatusError:
    kind = call.resource.kind
    return bad_request(f'{kind} in version "{call.resource.version}" cannot be handled as a {kind}: {why}')


def _json_type(value: Any) -> str:
    return (
        "nothing"
        if value is None
        else {dict: "a map", list: "a list", str: "text", bool: "a boolean"}.get(type(value), "a number")
    )


def check_place(call: ApiCall, obj: Json) -> None:
    """Namespace and name of the body must match the URL, where both have them."""
    meta = obj["metadata"]
    if call.resource.namespaced:
        if meta.setdefault("namespace", call.namespace) != call.namespace:
            if meta["namespace"]:
                raise bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            meta["namespace"] = call.namespace
    else:
        meta.pop("namespace", None)
    if call.name and meta.setdefault("name", call.name) != call.name:
        raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({call.name})")


def check_namespace(core: Core, call: ApiCall) -> None:
    """New objects need an existing namespace that is not being deleted."""
    if not call.resource.namespaced:
        return
    entry = core.store.latest("namespaces", "", call.namespace)
    if entry is None:
        raise not_found(NAMESPACES, call.namespace)
    if b'"deletionTimestamp"' in entry.body and entry.object()["metadata"].get("deletionTimestamp"):
        why = f"unable to create new content in namespace {call.namespace} because it is being terminated"
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {call.namespace} is being terminated",
            "field": "metadata.namespace",
        }
        raise forbidden(call.resource, call.name, why, [cause])


def is_well_formed(call: ApiCall, obj: Json) -> bool:
    """Whether fields have the schema's types and a name exists, as the rules of single kinds require."""
    field_errors: list[FieldError] = []
    check(call.kind.node, obj, "", field_errors)
    return not field_errors and bool(obj["metadata"].get("name"))


def check_valid(call: ApiCall, obj: Json, old: Json | None) -> None:
    """Raises 422 with each flaw of metadata and schema; 400 if Go's decoder would reject a built-in kind."""
    flaws: list[Flaw] = [*objectmeta.flaws(call.key, obj["metadata"])]
    schema: Sequence[FieldError] = call.kind.validate(obj, old)
    _check_decodes(call, schema)
    flaws.extend(schema)
    if flaws:
        raise invalid(call.resource.group, call.resource.kind, str(obj["metadata"].get("name", "")), flaws)


def _check_decodes(call: ApiCall, field_errors: Sequence[FieldError]) -> None:
    """Raises 400 where Go's decoder would reject a built-in kind."""
    wrong = [flaw for flaw in field_errors if flaw.type == "FieldValueTypeInvalid"]
    if wrong and not call.kind.custom:
        definition = definition_name(call.resource.group, call.resource.version, call.resource.kind)
        messages = [cannot_unmarshal(definition or "", flaw.path, str(flaw.value)) for flaw in wrong]
        raise unreadable(call, "; ".join(dict.fromkeys(messages)))


def fresh(obj: Json) -> Json:
    """A deep copy."""
    return msgspec.json.decode(msgspec.json.encode(obj))

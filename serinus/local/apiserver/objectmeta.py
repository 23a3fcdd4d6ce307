"""Rules of `metadata`: fields that users may write, and fields that only the server sets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.local.schema.field_errors import FieldError
from serinus.local.schema.kind_rules.rules import PATH_SEGMENT_NAMES

Json = dict[str, Any]

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an "
    "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_LONGEST_ANNOTATIONS = 256 << 10
_NAMES: dict[str, tuple[re.Pattern[str], int, str]] = {
    **PATH_SEGMENT_NAMES,
    "namespaces": (_DNS_LABEL, 63, _LABEL_TEXT),
    "services": (_DNS_1035, 63, _1035_TEXT),
}


def wrong_types(meta: Json) -> str:
    """Why `metadata` is unreadable; "" if it is readable."""
    kinds: tuple[tuple[str, type, str], ...] = (
        ("name", str, "string"), ("generateName", str, "string"), ("namespace", str, "string"), ("uid", str, "string"),
        ("resourceVersion", str, "string"), ("labels", dict, "map"), ("annotations", dict, "map"), ("finalizers", list, "list"),
        ("ownerReferences", list, "list"), ("managedFields", list, "list"),
    )  # fmt: skip
    for key, type_, word in kinds:
        value = meta.get(key)
        if value is None:
            meta.pop(key, None)
        elif not isinstance(value, type_):
            return f"metadata.{key}: {_shown(value)} is not a {word}"
    if why := _wrong_values(meta):
        return why
    if any(not isinstance(f, str) for f in meta.get("finalizers", [])):
        return "metadata.finalizers: every entry must be a string"
    for owner in meta.get("ownerReferences", []):
        if not isinstance(owner, dict) or not all(
            isinstance(owner.get(k, ""), str) for k in ("apiVersion", "kind", "name", "uid")
        ):
            return "metadata.ownerReferences: every entry must have apiVersion, kind, name and uid as strings"
    return ""


def _wrong_values(meta: Json) -> str:
    """Why labels or annotations are unreadable; "" if they are readable. A null becomes an empty text, as in Go."""
    for key in ("labels", "annotations"):
        for name, value in list(meta.get(key, {}).items()):
            if value is None:
                meta[key][name] = ""
            elif not isinstance(value, str):
                return f"metadata.{key}.{name}: {_shown(value)} is not a string: put it in quotes"
    return ""


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:60]


def flaws(group_resource: str, meta: Json) -> list[FieldError]:
    """Flaws in the metadata of an object before a write."""
    errors = _name_flaws(group_resource, meta.get("name", ""))
    errors += _label_flaws(meta.get("labels", {}))
    errors += _annotation_flaws(meta.get("annotations", {}))
    errors += _owner_flaws(meta.get("ownerReferences", []))
    for i, finalizer in enumerate(meta.get("finalizers", [])):
        errors += _key(f"metadata.finalizers[{i}]", finalizer)
    return errors


def _name_flaws(group_resource: str, name: str) -> list[FieldError]:
    pattern, longest, text = _NAMES.get(group_resource, (_DNS_SUBDOMAIN, 253, _SUBDOMAIN_TEXT))
    if not name:
        return [FieldError("metadata.name", "FieldValueRequired", "", "name or generateName is required")]
    if len(name) > longest:
        return [FieldError("metadata.name", "FieldValueInvalid", name, f"must be no more than {longest} characters")]
    if not pattern.fullmatch(name):
        return [FieldError("metadata.name", "FieldValueInvalid", name, text)]
    return []


def _label_flaws(labels: Mapping[str, str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, value in labels.items():
        errors += _key("metadata.labels", key)
        if len(value) > 63:
            errors.append(
                FieldError("metadata.labels", "FieldValueInvalid", value, "must be no more than 63 characters")
            )
        elif value and not _QUALIFIED.fullmatch(value):
            errors.append(FieldError("metadata.labels", "FieldValueInvalid", value, _VALUE_TEXT))
    return errors


def _annotation_flaws(annotations: Mapping[str, str]) -> list[FieldError]:
    errors: list[FieldError] = []
    size = 0
    for key, value in annotations.items():
        errors += _key("metadata.annotations", key.lower())
        size += len(key) + len(value)
    if size > _LONGEST_ANNOTATIONS:
        errors.append(
            FieldError(
                "metadata.annotations", "FieldValueTooLong", "", f"may not be more than {_LONGEST_ANNOTATIONS} bytes"
            )
        )
    return errors


def _owner_flaws(owners: list[Json]) -> list[FieldError]:
    errors: list[FieldError] = []
    controllers = 0
    for i, owner in enumerate(owners):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                errors.append(
                    FieldError(f"metadata.ownerReferences[{i}].{field}", "FieldValueInvalid", "", "must not be empty")
                )
        controllers += owner.get("controller") is True
    if controllers > 1:
        errors.append(
            FieldError(
                "metadata.ownerReferences",
                "FieldValueInvalid",
                owners,
                "Only one reference can have Controller set to true",
            )
        )
    return errors


def _key(path: str, key: str) -> list[FieldError]:
    prefix, slash, name = key.rpartition("/")
    if not name or len(name) > 63 or not _QUALIFIED.fullmatch(name):
        return [FieldError(path, "FieldValueInvalid", key, _QUALIFIED_TEXT)]
    if slash and (not prefix or len(prefix) > 253 or not _DNS_SUBDOMAIN.fullmatch(prefix)):
        return [FieldError(path, "FieldValueInvalid", key, "prefix part " + _SUBDOMAIN_TEXT)]
    return []


def keep_system_fields(old: Json, new: Json) -> None:
    """Restores the fields that clients cannot change in an update."""
    for key in (
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "generateName",
    ):
        if key in old:
            new[key] = old[key]
        else:
            new.pop(key, None)
    new.pop("selfLink", None)


def added_finalizers(old: Json, new: Json) -> list[str]:
    return [f for f in new.get("finalizers", []) if f not in old.get("finalizers", [])]

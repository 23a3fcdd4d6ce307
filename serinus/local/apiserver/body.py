"""Request bodies: JSON or YAML, bounded in size and depth, and what is said about fields that nobody knows.

Source: Kubernetes API concepts, "Field validation"; limits of a real server (3 MiB).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from serinus.api.resources import Resource
from serinus.kube.wire import Request
from serinus.local.apiserver.failure import Failure, bad_request, unsupported_media
from serinus.local.schema.kinds import Kind

Json = dict[str, Any]
MOST_BYTES = 3 * 1024 * 1024
MOST_DEPTH = 200
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "application/apply-patch+yaml")

try:
    _Loader: Any = yaml.CSafeLoader
except AttributeError:  # PyYAML without libyaml
    _Loader = yaml.SafeLoader


def media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "application/json").partition(";")[0].strip().lower()


def decode(request: Request) -> Any:
    """The body as JSON values. Raises Failure 400, 413 or 415."""
    if len(request.body) > MOST_BYTES:
        raise Failure(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MOST_BYTES}")
    kind = media_type(request.headers)
    if kind in YAML_TYPES:
        value = _yaml(request.body)
    elif kind == "application/json" or kind.endswith("+json"):
        try:
            value = msgspec.json.decode(request.body) if request.body else None
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise bad_request(f"the object provided is unrecognized (must be of type JSON): {error}") from error
    else:
        raise unsupported_media(f"the body of the request was in an unknown format - accepted media types include: application/json, application/yaml (found {kind!r})")
    if _too_deep(value):
        raise bad_request(f"the object provided is nested too deeply: at most {MOST_DEPTH} levels")
    return value


def _yaml(body: bytes) -> Any:
    try:
        return msgspec.json.decode(msgspec.json.encode(yaml.load(body, _Loader)))  # noqa: S506 - a safe loader
    except (yaml.YAMLError, RecursionError, TypeError, ValueError, UnicodeError) as error:
        raise bad_request(f"error converting YAML to JSON: {str(error).splitlines()[0] if str(error) else error}") from error


def _too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(MOST_DEPTH):
        level = [child for v in level if isinstance(v, dict | list) for child in (v.values() if isinstance(v, dict) else v) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def object_of(value: Any, resource: Resource) -> Json:
    """The decoded object, of the kind that the path names. Raises Failure 400."""
    if not isinstance(value, dict):
        raise bad_request("the object provided is unrecognized (must be of type JSON): the body must be one object")
    obj: Json = value
    version, kind = obj.get("apiVersion", resource.api_version), obj.get("kind", resource.kind)
    if kind != resource.kind or version != resource.api_version:
        raise bad_request(f"{resource.kind} in version \"{resource.version}\" cannot be handled as a {resource.kind}: the object provided is {kind!r} of {version!r}")
    meta = obj.get("metadata")
    if meta is not None and not isinstance(meta, dict):
        raise bad_request(f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: json: cannot unmarshal metadata into Go value of type v1.ObjectMeta')
    out = {"apiVersion": version, "kind": kind, **{k: v for k, v in obj.items() if k not in ("apiVersion", "kind")}}
    out["metadata"] = dict(meta or {})
    return out


def known_fields(kind: Kind, obj: Json, query: Mapping[str, str], warnings: list[str]) -> Json:
    """The object without unknown fields. Under `fieldValidation=Strict` they are an error, under Warn a warning."""
    mode = query.get("fieldValidation", "Warn") or "Warn"
    if mode not in ("Strict", "Warn", "Ignore"):
        raise bad_request(f'fieldValidation: Unsupported value: "{mode}": supported values: "Ignore", "Warn", "Strict"')
    if mode != "Ignore" and (unknown := kind.unknown_fields(obj)):
        if mode == "Strict":
            r = kind.resource
            raise bad_request(f'{r.kind} in version "{r.version}" cannot be handled as a {r.kind}: strict decoding error: {", ".join(unknown)}')
        warnings += unknown
    return kind.prune(obj)

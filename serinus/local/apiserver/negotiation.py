"""What the client wants to read and what it sent: Accept and Content-Type, and bodies as JSON values."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import yaml

from serinus.api.nesting import DEEPEST, too_deep
from serinus.kube.wire import APPLY_PATCH, JSON, Request, Response
from serinus.local.apiserver import protobuf
from serinus.local.apiserver.errors import StatusError, bad_request, not_acceptable, too_large, unsupported_media

Json = dict[str, Any]

YAML = "application/yaml"
LONGEST_BODY = 3 << 20
"""Levels of nesting. No real object comes near it, and walking deeper ones would exhaust the interpreter's stack."""


@dataclass(frozen=True, slots=True)
class View:
    """`kind` is "" for the object itself, or Table, PartialObjectMetadata(List), APIGroupDiscoveryList."""

    media: str = JSON
    kind: str = ""
    version: str = ""


PLAIN = View()


@lru_cache(maxsize=256)
def accepted(header: str) -> View:
    """The first thing of the Accept header that can be served. Raises 406 where nothing can."""
    for offer in header.split(",") if header.strip() else ["*/*"]:
        media, *pairs = (part.strip() for part in offer.split(";"))
        parameters = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        kind = parameters.get("as", "")
        if media in ("*/*", "application/*"):
            return PLAIN
        if media in (JSON, YAML) and kind in (
            "",
            "Table",
            "PartialObjectMetadata",
            "PartialObjectMetadataList",
            "APIGroupDiscoveryList",
        ):
            if kind == "Table" and parameters.get("v", "v1") != "v1":
                continue
            return View(media, kind, parameters.get("v", ""))
    raise not_acceptable((JSON, YAML))


def as_yaml(body: bytes) -> bytes:
    value = msgspec.json.decode(body)
    return yaml.dump(
        value, Dumper=yaml.CSafeDumper, sort_keys=True, allow_unicode=True, default_flow_style=False
    ).encode()


def answer(view: View, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    if view.media == YAML:
        return Response(status, as_yaml(body), YAML, headers or {})
    return Response(status, body, headers=headers or {})


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: there are no dates."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in pairs
        if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
    ]
    for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def body_of(request: Request, *, media: tuple[str, ...] = (JSON, YAML)) -> Any:
    """The decoded body. Raises 400 for what cannot be read, 413 over 3 MiB, 415 for another type."""
    if len(request.body) > LONGEST_BODY:
        raise too_large(LONGEST_BODY)
    sent = request.headers.get("content-type", JSON).split(";")[0].strip().lower()
    if not sent and JSON in media:
        sent = JSON
    binary = sent == protobuf.PROTOBUF and JSON in media
    if sent not in media and not binary:
        raise unsupported_media(media)
    if not request.body:
        return None
    if binary:
        return _protobuf(request.body, media)
    if sent not in (YAML, APPLY_PATCH):
        return _json(request.body)
    if request.body.lstrip()[:1] in (b"{", b"["):
        # JSON is YAML, and read faster as what it is; what only looks like it is read as YAML.
        with suppress(StatusError):
            return _json(request.body)
    return _yaml(request.body)


def _json(body: bytes) -> Any:
    if too_deep(body):
        raise bad_request(f"the object is nested too deeply: at most {DEEPEST} levels are read")
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, OverflowError) as error:
        raise bad_request(f"error decoding the body: it is not valid JSON: {error}") from None


def _protobuf(body: bytes, media: tuple[str, ...]) -> Any:
    try:
        return protobuf.decode(body)
    except protobuf.UnknownMessage:
        raise unsupported_media(media) from None
    except (ValueError, TypeError) as error:
        raise bad_request(f"error decoding the body: it is not valid protobuf: {error}") from None


def _yaml(body: bytes) -> Any:
    try:
        _check_events(body)
        value = yaml.load(body, Loader=_Loader)
        # Through JSON once: keys become text, and what has no place in JSON is found here.
        return msgspec.json.decode(msgspec.json.encode(value))
    except (
        yaml.YAMLError,
        UnicodeError,
        ValueError,
        TypeError,
        RecursionError,
        OverflowError,
        msgspec.MsgspecError,
    ) as error:
        raise bad_request(f"error decoding the body: it is not valid YAML: {str(error).splitlines()[0]}") from None


def _check_events(body: bytes) -> None:
    """Depth, and aliases inside anchored nodes (which grow exponentially), before anything recursive reads the text."""
    anchored: list[bool] = []
    documents = 0
    for event in yaml.parse(body, Loader=yaml.CSafeLoader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            anchored.append(event.anchor is not None)
            if len(anchored) > DEEPEST:
                raise bad_request(f"the object is nested too deeply: at most {DEEPEST} levels are read")
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            anchored.pop()
        elif isinstance(event, yaml.AliasEvent) and any(anchored):
            raise bad_request("error decoding the body: an alias inside an anchored node is not read: write it out")
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise bad_request(
                    "error decoding the body: more than one YAML document: send one object with each request"
                )

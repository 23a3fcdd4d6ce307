"""Content negotiation: Accept and Content-Type, and bodies as JSON values."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec

from serinus.api.decoding.nesting import DEEPEST, too_deep
from serinus.api.yaml import reader as go_yaml
from serinus.api.yaml import writer as go_yaml_dump
from serinus.kube.transport import APPLY_PATCH, JSON, Request, Response
from serinus.local.apiserver.errors import StatusError, bad_request, not_acceptable, too_large, unsupported_media
from serinus.local.apiserver.requests import protobuf
from serinus.local.schema.kind_rules.key_lengths import LONGEST_KEY, long_key

Json = dict[str, Any]

YAML = "application/yaml"
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_DISCOVERY_VERSIONS = ("v2", "v2beta1")
LONGEST_BODY = 3 << 20
_LONG_KEYS_MATTER = 1 << 16
"""Bytes. A smaller body cannot repeat a long key often, so most bodies skip the check."""


@dataclass(frozen=True, slots=True)
class Representation:
    """`kind` is "" for the object itself, or Table, PartialObjectMetadata(List), APIGroupDiscoveryList."""

    media: str = JSON
    kind: str = ""
    version: str = ""


PLAIN = Representation()


@lru_cache(maxsize=256)
def accepted(header: str) -> Representation:
    """The first form of the Accept header that can be served. Raises 406 if there is none."""
    for media, parameters in _offers(header):
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
            if kind == "APIGroupDiscoveryList" and parameters.get("v", "v2") not in _DISCOVERY_VERSIONS:
                continue
            return Representation(media, kind, parameters.get("v", ""))
    raise not_acceptable((JSON, YAML))


def _offers(header: str) -> list[tuple[str, dict[str, str]]]:
    """Media types with their parameters, by preference; those with `q=0` are excluded (RFC 9110, 12.4.2)."""
    offers: list[tuple[float, str, dict[str, str]]] = []
    for offer in header.split(",") if header.strip() else ["*/*"]:
        media, *pairs = (part.strip() for part in offer.split(";"))
        parameters = {key.strip(): value.strip() for key, _, value in (pair.partition("=") for pair in pairs)}
        quality = _quality(parameters.get("q", "1"))
        if quality > 0:
            offers.append((quality, media.lower(), parameters))
    return [(media, parameters) for _, media, parameters in sorted(offers, key=lambda offer: -offer[0])]


def _quality(text: str) -> float:
    """From 0 to 1; 1 for an invalid number, as in Go's libraries."""
    return float(text) if _QUALITY.fullmatch(text) else 1.0


def as_yaml(body: bytes) -> bytes:
    return go_yaml_dump.dump(msgspec.json.decode(body), sort_keys=True).encode()


def answer(view: Representation, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    if view.media == YAML:
        return Response(status, as_yaml(body), YAML, headers or {})
    return Response(status, body, headers=headers or {})


def body_of(request: Request, *, media: tuple[str, ...] = (JSON, YAML)) -> Any:
    """The decoded body. Raises 400 if it is unreadable, 413 over 3 MiB, 415 for an unsupported type."""
    value = _decoded(request, media)
    check_keys(value, len(request.body))
    return value


def check_keys(value: Any, size: int) -> None:
    """Raises 400 for a key of more than LONGEST_KEY characters. `size`: the value's bytes as text."""
    if size > _LONG_KEYS_MATTER and (key := long_key(value)):
        raise bad_request(f"the key {key} is too long: keys may have at most {LONGEST_KEY} characters")


def _decoded(request: Request, media: tuple[str, ...]) -> Any:
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
        # JSON is valid YAML, and the JSON parser is faster; input that only resembles JSON is parsed as YAML.
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
        documents = list(islice(go_yaml.documents(body), 2))
    except go_yaml.YamlError as error:
        raise bad_request(f"error decoding the body: it is not valid YAML: {error}") from None
    if len(documents) > 1:
        raise bad_request("error decoding the body: more than one YAML document: send one object with each request")
    return documents[0].value if documents else None

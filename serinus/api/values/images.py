"""Parses names of container images: `[registry/]path[:tag][@digest]`."""

from __future__ import annotations

import re
from typing import NamedTuple

_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_HOST}(?:\.{_HOST})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?", re.ASCII)
_REST = re.compile(
    rf"(?P<path>{_PATH}(?:/{_PATH})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>[A-Za-z][\w+.-]*:[0-9a-fA-F]{{32,}}))?",
    re.ASCII,
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")


class ImageName(NamedTuple):
    """`registry` is "" if the name has none, `tag` is "latest" if it has neither tag nor digest."""

    registry: str
    path: str
    tag: str
    digest: str


def image_name(image: str) -> ImageName | None:
    """The parts of an image's name; None for an invalid name."""
    first, slash, rest = image.partition("/")
    registry = ""
    if slash and (first == "localhost" or any(c in ".:" or c.isupper() for c in first)):
        registry, image = first, rest
    elif _IDENTIFIER.fullmatch(image):
        return None
    match = _REST.fullmatch(image)
    if not match or (registry and not _REGISTRY.fullmatch(registry)):
        return None
    digest = match["digest"] or ""
    return ImageName(registry, match["path"], match["tag"] or ("" if digest else "latest"), digest)

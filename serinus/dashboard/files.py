"""The page's own files, read once. Only files in `static` are served, by exact name."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

STATIC = Path(__file__).with_name("static")
INDEX = "index.html"

_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

_COMMENT = re.compile(rb"^[ ]*//.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    content_type: str
    tag: str
    """For the If-None-Match header."""


def files() -> dict[str, File]:
    """Name below `static` -> file."""
    found: dict[str, File] = {}
    for path in sorted(STATIC.rglob("*")):
        if path.is_file() and path.suffix in _TYPES:
            body = _sent(path)
            name = path.relative_to(STATIC).as_posix()
            found[name] = File(body, _TYPES[path.suffix], f'"{sha256(body).hexdigest()[:20]}"')
    return found


def _sent(path: Path) -> bytes:
    """The file; JavaScript without the lines that are comments alone, with its line numbers as they are."""
    body = path.read_bytes()
    return _COMMENT.sub(b"", body) if path.suffix == ".js" else body


def index(template: bytes, values: dict[str, str], *, user: str = "") -> bytes:
    """The page with `{{name}}` replaced, each value escaped for text and attributes. `user`: the one who can sign out."""
    out = '<a href="auth/sign-out">Sign out</a>'
    account = f'<nav class="foot" id="account" aria-label="Account">Signed in as {html.escape(user)}. {out}</nav>'
    text = template.decode().replace("{{account}}\n", f"{account}\n" if user else "")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", html.escape(value))
    return text.encode()

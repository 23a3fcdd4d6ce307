"""The page, which holds its own scripts and styles, and the other files in `static`, by exact name. Read once.

The page is one answer: on a busy machine each further file took a browser longer than the rest of the page. The content
security policy names each script and style by its hash, so no other text runs.
"""

from __future__ import annotations

import html
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from serinus.dashboard.access import policy
from serinus.dashboard.bundle import script, styles

STATIC = Path(__file__).with_name("static")

_TYPES = {".css": "text/css", ".svg": "image/svg+xml"}

_SHEETS = ("page.css", "parts.css")


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    content_type: str
    tag: str
    """For the If-None-Match header."""


@dataclass(frozen=True, slots=True)
class Template:
    """The page with places for what differs between requests, and its content security policy."""

    body: bytes
    policy: str


def files() -> dict[str, File]:
    """Name below `static` -> file."""
    return {path.name: _file(path) for path in sorted(STATIC.iterdir()) if path.suffix in _TYPES}


def _file(path: Path) -> File:
    body = path.read_bytes()
    return File(body, _TYPES[path.suffix], f'"{sha256(body).hexdigest()[:20]}"')


def template() -> Template:
    """Raises ValueError if a script or style would end its own element."""
    modules = {path.stem: path.read_text() for path in sorted((STATIC / "js").glob("*.js"))}
    theme, main = script({"theme": modules.pop("theme")}, "theme"), script(modules, "main")
    sheet = styles([(STATIC / name).read_text() for name in _SHEETS])
    text = (STATIC / "index.html").read_text()
    for name, content in (("theme", theme), ("script", main), ("styles", sheet)):
        if "</" in content or "<!--" in content:
            raise ValueError(f"the {name} of the page has `</` or `<!--`")
        text = text.replace("{{" + name + "}}", content)
    return Template(text.encode(), policy(scripts=[_hash(theme), _hash(main)], styles=[_hash(sheet)]))


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def index(page: bytes, values: dict[str, str], *, user: str = "", first: bytes = b"") -> bytes:
    """The page with `{{name}}` replaced, each value escaped for text and attributes. `user`: the one who can sign out.
    `first`: the JSON of the first screen, for the script."""
    out = '<a href="auth/sign-out">Sign out</a>'
    account = f'<nav class="foot" id="account" aria-label="Account">Signed in as {html.escape(user)}. {out}</nav>'
    text = page.decode().replace("{{account}}\n", f"{account}\n" if user else "")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", html.escape(value))
    # Last, so that nothing that an object holds is replaced. In JSON, `<` is only ever part of a string.
    return text.encode().replace(b"{{first}}", first.replace(b"<", b"\\u003c"))

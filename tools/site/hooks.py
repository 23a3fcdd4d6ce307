"""The site reads Markdown as the repository's host does: the names of headings, and lists after a line of text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

FILE_WORKER = Path(__file__).with_name("file_worker.js").read_text()


def slug(text: str, separator: str = "-") -> str:
    """The anchor of a heading: lower case, hyphens for blanks, no other signs."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", separator)


class Config(Protocol):
    """Of mkdocs: the settings of its extensions of Markdown."""

    mdx_configs: dict[str, dict[str, Any]]


def on_config(config: Config) -> Config:
    config.mdx_configs.setdefault("toc", {})["slugify"] = slug
    return config


def on_post_page(output: str, **_: object) -> str:
    """The theme takes the worker of the search in a page opened as a file from another site; here it is in the page."""
    script = f"<script>{FILE_WORKER}</script>"
    return re.sub(r'<script src="https://unpkg\.com/[^"]*"></script>', lambda _: script, output)


on_post_template = on_post_page


def on_page_markdown(markdown: str, **_: object) -> str:
    return lists_apart(markdown)


def lists_apart(markdown: str) -> str:
    """A blank line before a list that follows a line of text: this Markdown reads it as text otherwise."""
    rows: list[str] = []
    fence = ""
    for row in markdown.splitlines():
        opened = re.match(r"\s*(`{3,})", row)
        if opened and not fence:
            fence = opened[1]
        elif fence and row.strip() == fence:
            fence = ""
        elif not fence and re.match(r"([-*]|\d+\.) ", row) and rows and rows[-1].strip():
            inside = next((r for r in reversed(rows) if not r.startswith("  ")), "")
            if not re.match(r"([-*]|\d+\.) ", inside):
                rows.append("")
        rows.append(row)
    return "\n".join(rows) + "\n"

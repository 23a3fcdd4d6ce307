"""Copies the pages of the site, and the files that they link to, in their places in the repository: `make docs`.

So each relative link works on the site as in the repository, and no page is written twice. README.md is the first page.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "tests/recordings/README.md")
FOLDERS = ("docs", "examples")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


class Broken(Exception):
    """A link to nothing; the message names the page and the link."""


def pages(root: Path = ROOT) -> list[Path]:
    """The pages of the site, relative to the repository, sorted."""
    found = [Path(name) for name in TOPS if name.endswith(".md")]
    return sorted(found + [path.relative_to(root) for folder in FOLDERS for path in (root / folder).rglob("*.md")])


def prose(text: str) -> str:
    """The text without fenced blocks and inline code, in which nothing is a link."""
    return re.sub(r"`[^`\n]*`", "``", re.sub(r"^(`{3,}).*?^\1\s*$", "", text, flags=re.M | re.S))


def links(text: str) -> list[str]:
    """The targets of all links and pictures that are no addresses of other sites."""
    found = [link or picture for link, picture in LINK.findall(prose(text))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def linked(root: Path = ROOT) -> list[Path]:
    """The files, beside pages, that pages link to, relative to the repository. Raises Broken."""
    there = set(pages(root))
    found: set[Path] = set()
    for page in there:
        for target in links((root / page).read_text()):
            name = target.partition("#")[0]
            path = (root / page.parent / name).resolve() if name else root / page
            if not path.is_file() or not path.is_relative_to(root):
                raise Broken(f"{page} links to {target}, which is no file of the repository")
            found.add(path.relative_to(root))
    return sorted(found - there)


def stage(place: Path) -> None:
    """Write the source of the site to this directory. Raises Broken."""
    shutil.rmtree(place, ignore_errors=True)
    for path in (*pages(), Path("LICENSE"), *linked()):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, place / path)


if __name__ == "__main__":
    try:
        stage(Path(sys.argv[1]))
    except Broken as error:
        sys.exit(f"Error: {error}")

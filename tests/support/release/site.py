"""The site as its tools see it: the pages that are staged, the navigation, and the anchors of headings."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from tests.support.instance.live import REPOSITORY


def tool(name: str) -> ModuleType:
    """A module of tools/site."""
    spec = importlib.util.spec_from_file_location(f"site_{name}", REPOSITORY / "tools" / "site" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def navigation() -> list[str]:
    """All pages of the navigation, in order."""

    def below(item: Any) -> list[str]:
        if isinstance(item, str):
            return [item]
        return [page for entry in (item.values() if isinstance(item, dict) else item) for page in below(entry)]

    return below(yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())["nav"])


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as its host and the site make them."""
    hooks = tool("hooks")
    text = re.sub(r"^(`{3,}).*?^\1\s*$", "", page.read_text(), flags=re.M | re.S)
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.M):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found.add(hooks.slug(shown.replace("`", "").replace("*", "")))
    return found

"""The page's modules as one script, and its style sheets as one. Pure.

A browser asks for each file with a request of its own, and 20 requests took longer than everything else before the first
card. The modules keep to a few forms (`import { a, b } from "./name.js";`, and `export` before a function, class or const),
so joining them takes no tool of another language when the wheel is built. Any other form raises ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def script(modules: Mapping[str, str], start: str) -> str:
    """The module `start` with all that it imports, each in a function of its own. `modules`: name -> text."""
    return "".join(_wrapped(name, modules[name]) for name in _ordered(modules, start, ()))


def styles(sheets: list[str]) -> str:
    return _tight(_CSS_COMMENT.sub("", "\n".join(sheets)))


def _ordered(modules: Mapping[str, str], name: str, above: tuple[str, ...]) -> list[str]:
    """The names, each after those that it imports."""
    if name in above:
        raise ValueError(f"modules import each other: {' -> '.join((*above, name))}")
    found: list[str] = []
    for _, other in _IMPORT.findall(modules[name]):
        found += _ordered(modules, other, (*above, name))
    return list(dict.fromkeys((*found, name)))


def _wrapped(name: str, text: str) -> str:
    text = _IMPORT.sub(r"const { \1 } = $\2;", text)
    exported = ", ".join(_EXPORT.findall(text))
    text = _EXPORT.sub("", text)
    if other := _OTHER.search(text):
        raise ValueError(f"{name}.js: {other[0]!r} is no form that the bundle knows")
    return f"const ${name} = (() => {{\n{_tight(_COMMENT.sub('', text))}return {{ {exported} }};\n}})();\n"


def _tight(text: str) -> str:
    """Without indentation and empty lines, except within a template literal."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if kept := line if inside else line.strip():
            lines.append(kept + "\n")
        inside ^= line.count("`") % 2 == 1
    return "".join(lines)

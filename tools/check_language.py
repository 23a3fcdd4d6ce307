"""Check the language of the documentation, help texts, docstrings and comments: `python tools/check_language.py [FILE…]`.

The rule is that of Kubernetes' documentation: the subject first, an active verb, one idea per sentence. RULES has the
phrases that break it most often, each with a hint. The program prints `FILE:LINE: "PHRASE": HINT` for each one it finds.
Fenced blocks, inline code and the targets of links do not count. Exit codes: 0 none found,
1 some found.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Rule(NamedTuple):
    pattern: re.Pattern[str]
    hint: str


class Finding(NamedTuple):
    line: int
    phrase: str
    hint: str


def _rule(pattern: str, hint: str, *, ignore_case: bool = True) -> Rule:
    """A blank in `pattern` matches a line break too."""
    return Rule(re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE if ignore_case else 0), hint)


_BE = r"(?:is|are|was|were|be|been|being)"
# Where a sentence begins: a paragraph, a list item, a table cell, or the end of another sentence; not in a numbered heading.
_START = r"(?<!#\s\d\.\s)(?:\A|(?<=\n\n)|(?<=[.!?:]\s)|(?<=[|*-]\s)|(?<=\*\*)|(?<=\d\.\s))"

RULES = (
    _rule(
        _START + r"(?:What|Who|Whoever|Whatever)\b(?![^.!?:|]*\?)(?: \w+)?",
        "start with a noun as the subject, not with a clause",
        ignore_case=False,
    ),
    _rule(r"\b(?:whoever|whosoever|to whom)\b", "name the actor: a user who, any client that, the process that"),
    _rule(r"\btold\b|\btell(?:s|ing)?\b", "name the actor and use: report, show, state, record"),
    _rule(rf"\b{_BE} said\b", "name the actor and use: report, print, state"),
    _rule(rf"\b{_BE} led\b", "name the controller or router that manages it"),
    _rule(r"\bt(?:ake|akes|aken|ook|aking)(?: \w+){0,2} back\b", "use: roll back"),
    _rule(r"\b(?:is|are|was|were) to be \w+", "use: must, or an active verb"),
    _rule(r"\bhear[sd]?\b", "use: receive, observe"),
    _rule(r"\bin thought\b", "use: simulated"),
    _rule(r"\bnothing is won\b|\b(?:is|are) won by\b", "use: has no benefit"),
    _rule(
        r"\b(?:some|any|every|no)body\b|\b(?:someone|anyone|everyone|no one)\b",
        "name the user, the client or the controller",
    ),
    _rule(r"\bfor a (?:person|human)\b", "use: for approval, for a user"),
    _rule(r"\bpeople\b", "use: users"),
    _rule(r"\blook(?:s|ed|ing)?(?: at)? (?:again|anew)\b", "use: requeue, reconcile again, check again"),
    _rule(r"\bg(?:o|oes|oing|one) on\b|\bwent on\b", "use: continue, or promote"),
    _rule(r"\bby (?:itself|themselves)\b", "use: automatically, or drop it"),
    _rule(r"\b(?:un)?mend(?:s|ed|ing)?\b", "use: fix, correct"),
    _rule(r"\bst(?:and|ands|ood) (?:in|at|on|there|anywhere|behind|beside|still)\b", "use: is in, appears in"),
    _rule(rf"\b{_BE} asked\b", "name the client: X queries Y, X calls Y, X reads Y"),
    _rule(r"\bw(?:ind|inds|ound) up\b", "use: stop, end"),
    _rule(r"\b(?:anew|unasked)\b", "use: again; without confirmation"),
    _rule(r"\b(?:has|have) a part in\b", "name both sides and their relation"),
    _rule(r"\bas they should\b", "state the count and the check: 2 checks failed"),
)


def findings(text: str) -> Iterator[Finding]:
    """Each phrase of `text` that breaks a rule, in the order of RULES."""
    for rule in RULES:
        for match in rule.pattern.finditer(text):
            yield Finding(text.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), rule.hint)


_NO_PROSE = re.compile(
    r"^(?P<fence> *(?:```|~~~)).*?(?:^(?P=fence)|\Z)|^ {4,}\S.*?$|(?P<ticks>`+).+?(?P=ticks)|(?<=\])\([^)]*\)|<!--.*?-->",
    re.DOTALL | re.MULTILINE,
)


def prose(markdown: str) -> str:
    """The text with code and link targets blanked out, so that each phrase keeps its line."""
    return _NO_PROSE.sub(lambda match: re.sub(r"\S", "_", match[0]), markdown)


_POSITIONAL = {"Flag": 1, "CommandRow": 2, "_row": 1, "Command": 1, "Program": 2}
"""Which argument of a call is shown by `--help`."""
_KEYWORDS = ("help", "about", "short")


def help_texts(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each text that `--help` shows: flags, commands and tables of commands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield from _shown(node)
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2:
            module, short = node.elts
            if (
                isinstance(module, ast.Constant)
                and str(module.value).startswith("serinus.")
                and isinstance(short, ast.Constant)
            ):
                yield short.lineno, str(short.value)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and _is_short(node):
            yield node.value.lineno, str(node.value.value)


def _is_short(node: ast.Assign) -> bool:
    return any(getattr(target, "id", "") == "SHORT" for target in node.targets)


def _shown(call: ast.Call) -> Iterator[tuple[int, str]]:
    """(line, text) of the arguments of a call that `--help` shows."""
    place = _POSITIONAL.get(getattr(call.func, "attr", getattr(call.func, "id", "")))
    values = [keyword.value for keyword in call.keywords if keyword.arg in _KEYWORDS]
    if place is not None and len(call.args) > place:
        values.append(call.args[place])
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.lineno, value.value


def remarks(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each docstring, of attributes too, and of each block of comments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, inspect.cleandoc(node.value.value)
    block, last = list[str](), 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and token.start[0] != last + 1:
            yield last - len(block) + 1, "\n".join(block)
            block = []
        block.append(token.string.lstrip("#").strip())
        last = token.start[0]
    if block:
        yield last - len(block) + 1, "\n".join(block)


def check(path: Path) -> list[Finding]:
    """The findings of one file, by line: a page in Markdown, a Python module's help texts and remarks, or a Makefile's `## ` texts."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        pieces: Iterable[tuple[int, str]] = [*help_texts(text), *remarks(text)]
    elif path.name == "Makefile":
        pieces = [(i, line.split(" ## ")[1]) for i, line in enumerate(text.splitlines(), 1) if " ## " in line]
    else:
        pieces = [(1, text)]
    found = (Finding(line + f.line - 1, f.phrase, f.hint) for line, piece in pieces for f in findings(prose(piece)))
    return sorted(set(found))


def files() -> list[Path]:
    """The files that users read, and the source. docs/spec describes Argo Rollouts and quotes it."""
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile")]
    for folder in ("docs", "examples"):
        pages += sorted(page for page in (ROOT / folder).rglob("*.md") if ROOT / "docs" / "spec" not in page.parents)
    pages += sorted((ROOT / "serinus").rglob("*.py"))
    return pages


def main(arguments: list[str]) -> int:
    count = 0
    for path in [Path(name).resolve() for name in arguments] or files():
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        for finding in check(path):
            count += 1
            print(f'{shown}:{finding.line}: "{finding.phrase}": {finding.hint}')
    if count:
        print(f"{count} phrases to rewrite: subject first, active verb, one idea per sentence")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The code that judges reads only its arguments: only the providers access network, clock and files."""

from __future__ import annotations

import ast
from pathlib import Path

import serinus.analysis

ROOM = Path(serinus.analysis.__file__).parent
FORBIDDEN = {"asyncio", "aiohttp", "random", "time", "socket", "subprocess", "os", "threading", "pathlib", "urllib"}


def test_verdicts_and_conditions_import_nothing_that_reaches_out() -> None:
    wrong: list[str] = []
    for file in sorted(ROOM.rglob("*.py")):
        if ROOM / "providers" in file.parents:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{file.relative_to(ROOM)} imports {name}" for name in names if name.split(".")[0] in FORBIDDEN]
            wrong += [f"{file.relative_to(ROOM)} imports {name}" for name in names if "analysis.providers" in name]
    assert not wrong, "\n".join(wrong)

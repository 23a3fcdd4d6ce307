"""Code that several tests use is in `tests/support`, and each part of it has one name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUTSIDE = ROOT / "tests" / "recordings"
"""Programs that recorded the reference: they run without this repository."""


def imports(source: str) -> Iterator[str]:
    """The full name of each thing that a module imports from elsewhere."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def of_a_test(name: str) -> bool:
    return any(part.startswith("test_") or part == "conftest" for part in name.split("."))


def test_no_module_imports_a_test():
    files = [
        file
        for top in ("tests", "bench", "tools")
        for file in (ROOT / top).rglob("*.py")
        if OUTSIDE not in file.parents
    ]
    assert len(files) > 300
    wrong = {
        f"{file.relative_to(ROOT)} imports {name}: move what both use to tests/support"
        for file in files
        for name in imports(file.read_text())
        if of_a_test(name)
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_an_import_of_a_test_is_found_however_it_is_written():
    for line in (
        "import test_a",
        "from test_a import b",
        "from tests.engine import test_a",
        "from tests.conftest import b",
    ):
        assert any(of_a_test(name) for name in imports(line)), line
    assert not any(of_a_test(name) for name in imports("from tests.support.engine.world import World"))

"""The allowed imports of each room: the table of the architecture, checked against every import."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import serinus

HOUSE = Path(serinus.__file__).parent

MAY_IMPORT: dict[str, set[str]] = {
    "api": set(),
    "view": {"api"},
    "commands": {"api", "view"},
    "install": {"api"},
    "engine": {"api", "routing", "analysis"},
    "routing": {"api"},
    "analysis": {"api"},
    "notifications": {"api", "analysis"},
    "kube": {"api"},
    "controller": {"api", "engine", "routing", "analysis", "notifications", "kube", "install"},
    "local": {"api", "kube", "install"},
    "cli": {"api", "kube", "view", "commands", "install"},
    "dashboard": {"api", "engine", "kube", "view", "commands"},
    "demo": set(),
}
"""Every room and the rooms that it may import. `engine` calls the routers and the parts of `analysis` that are as pure."""

ENGINE = ("core", "status", "replicasets", "judging", "strategy", "planner", "explain")
"""The parts of the engine, from the lowest: each imports itself and those before it."""

BESIDE = {"experiment": {"core"}}
"""Parts of the engine beside these, and their imports. The planner imports them."""

PROCESSES = {
    ("cli", "up"): {"local"},
    ("cli", "down"): {"local"},
    ("cli", "status"): {"local"},
    ("cli", "reset"): {"local"},
    ("cli", "demo"): {"demo", "local"},
    ("cli", "demo_walk"): {"demo"},
    ("cli", "demo_stage"): {"demo"},
    ("cli", "demo_analysis"): {"demo", "local"},
    ("cli", "controller"): {"controller"},
    ("cli", "node"): {"local"},
    ("cli", "dashboard"): {"dashboard", "local"},
    ("cli", "dashboard_server"): {"dashboard"},
    ("cli", "eval"): {"analysis"},
    ("cli", "verdict"): {"analysis"},
    ("cli", "verdict_calibrate"): {"analysis"},
    ("cli", "verdict_lines"): {"analysis"},
    ("cli", "verdict_past"): {"analysis"},
    ("cli", "verdict_plan"): {"analysis"},
    ("cli", "verdict_report"): {"analysis"},
    ("cli", "verdict_settings"): {"analysis"},
    ("cli", "why"): {"engine"},
    ("cli", "lint"): {"analysis", "engine", "routing"},
    ("cli", "doctor_providers"): {"analysis"},
    ("cli", "doctor_routers"): {"routing"},
    ("cli", "istio_cluster"): {"routing"},
    ("cli", "doctor_steps"): {"engine", "analysis"},
    ("cli", "install"): {"routing"},
    ("cli", "migrate_routes"): {"routing"},
    ("cli", "route_check"): {"routing"},
    **{
        ("cli", f"notifications_{name}"): {"notifications", "analysis"}
        for name in (
            "configuration",
            "history",
            "lint",
            "send",
            "template_get",
            "template_notify",
            "trigger_get",
            "trigger_run",
        )
    },
    ("cli", "manifests"): {"local"},
    ("cli", "upgrade"): {"controller"},
    ("cli", "upgrade_report"): {"controller", "engine"},
    ("local", "up"): {"controller", "dashboard"},
}
"""The rooms that assemble whole processes: a command starts its own part, `up` starts everything."""


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of each import of ours, anywhere in the file."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.startswith("serinus."))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute here"
            if node.module == "serinus":
                yield from ((node.lineno, f"serinus.{alias.name}") for alias in node.names)
            elif (node.module or "").startswith("serinus."):
                yield node.lineno, node.module or ""


def test_every_room_is_in_the_table() -> None:
    rooms = {path.name for path in HOUSE.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_the_table_allows(room: str) -> None:
    wrong: list[str] = []
    for file in sorted((HOUSE / room).rglob("*.py")):
        allowed = MAY_IMPORT[room] | {room} | PROCESSES.get((room, file.stem), set())
        for line, module in imports(file):
            target = module.split(".")[1]
            if target in MAY_IMPORT and target not in allowed:
                wrong.append(f"{file.relative_to(HOUSE.parent)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", ["api", "view", "commands", "install", "engine", "routing"])
def test_what_decides_touches_neither_network_nor_clock_nor_chance(room: str) -> None:
    """Plans can be replayed because the planning code reads only its arguments."""
    forbidden = {"asyncio", "aiohttp", "random", "time", "socket", "subprocess", "os", "threading"}
    wrong: list[str] = []
    for file in sorted((HOUSE / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{file.relative_to(HOUSE.parent)} imports {n}" for n in names if n.split(".")[0] in forbidden]
    assert not wrong, "\n".join(wrong)


def test_the_parts_of_the_engine_import_only_lower_ones() -> None:
    parts = {path.stem for path in (HOUSE / "engine").iterdir() if path.stem not in ("__init__", "__pycache__")}
    assert parts == {*ENGINE, *BESIDE}
    wrong: list[str] = []
    for file in sorted((HOUSE / "engine").rglob("*.py")):
        part = file.relative_to(HOUSE / "engine").parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        allowed = {part, *(BESIDE[part] if part in BESIDE else ENGINE[: ENGINE.index(part)])}
        allowed |= set(BESIDE) if part in ("planner", "explain") else set()
        for line, module in imports(file):
            names = module.split(".")
            if names[1] == "engine" and len(names) > 2 and names[2] not in allowed:
                wrong.append(f"{file.relative_to(HOUSE.parent)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", [*(part for part in ENGINE if part != "planner"), *BESIDE])
def test_a_part_of_the_engine_is_small_in_files_and_folders(part: str) -> None:
    """At most ten files a folder, at most 300 lines a file."""
    files = [file for file in (HOUSE / "engine" / part).rglob("*.py") if file.stem != "__init__"]
    folders = Counter(file.parent.relative_to(HOUSE).as_posix() for file in files)
    assert not {name: count for name, count in folders.items() if count > 10}
    assert not {file.name: lines for file in files if (lines := len(file.read_text().splitlines())) > 300}


def test_a_function_of_the_engine_has_at_most_sixty_lines() -> None:
    """Its branches are counted by the linter (C901, at most 10)."""
    long: list[str] = []
    for file in sorted((HOUSE / "engine").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 60:
                long.append(f"{file.relative_to(HOUSE.parent)}:{node.lineno} {node.name}")
    assert not long, "\n".join(long)

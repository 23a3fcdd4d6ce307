"""The recordings of Argo Rollouts (tests/recordings), and the results of a comparison.

The recorder and the comparer are used unchanged: their fields and their rules are not written a second time.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import yaml

from serinus.routing.registry import FIELDS, routers
from tests.support.long import few
from tests.support.plays.chance import without_chance

Json = dict[str, Any]

REPOSITORY = Path(__file__).parents[3]
RECORDINGS = REPOSITORY / "tests" / "recordings"
ROUTERS = RECORDINGS / "routers"
LIST = REPOSITORY / "docs" / "differences.yaml"
PAGES = REPOSITORY / "docs" / "routers"
"""A router's page lists its own differences, in a block of YAML that begins with `# differences`."""

WAITS = {"analysis-prometheus": 32, "analysis-superseded": 32, "ambassador-missing": 32, "apisix-header": 32}
"""Play -> seconds to wait at its end: its last abort has the default delay of 30 s. In the reference the canary Service flips
until then, so the play cannot end before; ours is quiet at once."""


def folder(name: str) -> Path:
    """The directory of a play's scenario and trace."""
    return ROUTERS if (ROUTERS / "scenarios" / f"{name}.yaml").is_file() else RECORDINGS


def scenario(name: str) -> Json:
    what: Json = yaml.safe_load((folder(name) / "scenarios" / f"{name}.yaml").read_text())
    return {**what, "do": [*what["do"], {"sleep": WAITS[name]}]} if name in WAITS else what


EACH_TIME = frozenset(
    [
        "analysis-background-fails",
        "analysis-jobs",
        "analysis-step",
        "basic-surge",
        "bluegreen-abort-retry",
        "bluegreen-pre-analysis",
        "bluegreen-third-revision",
        "experiment-step-fails",
        "invalid-specs",
        "nginx-deadline-abort",
        "nginx-foreign-edits",
        "nginx-metadata",
        "nginx-rollback-window",
        "nginx-walk",
        "workload-progressively",
    ]
)
"""Plays of `make test`, one or more of each kind. The others are long."""


def few_of(names: list[str]) -> list[Any]:
    """The names, as for `parametrize`. Only those of EACH_TIME, and the walk of each router, are not marked as long."""
    walks = {name for name in router_plays() if name.endswith("-walk")}
    return few(names, [name for name in names if name in EACH_TIME or name in walks])


def plays() -> list[str]:
    """The names of the plays. Those of further routers are `router_plays`."""
    return sorted(file.stem for file in (RECORDINGS / "scenarios").glob("*.yaml"))


def router_plays() -> list[str]:
    """The plays of all traffic routers but nginx."""
    return sorted(file.stem for file in (ROUTERS / "scenarios").glob("*.yaml"))


def lacking(name: str) -> list[str]:
    """The routers that a play uses and that Serinus does not have: it is skipped until they are there."""
    what = scenario(name)
    documents = [*yaml.safe_load_all(what["objects"]), *what["do"]]
    return sorted({key for document in documents for key in _routers_in(document)} - set(routers()))


def _routers_in(value: Any) -> Iterator[str]:
    """Keys of the routers that any `trafficRouting` within it names."""
    if isinstance(value, list):
        for item in value:
            yield from _routers_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "trafficRouting" and item:
                yield from (k for k in FIELDS if item.get(k) is not None)
                yield from item.get("plugins") or ()
            else:
                yield from _routers_in(item)


def reference(name: str) -> list[Json]:
    """The trace of Argo Rollouts."""
    return read_trace(folder(name) / "argo-rollouts" / f"{name}.jsonl")


def read_trace(file: Path) -> list[Json]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def program(name: str) -> ModuleType:
    """A new copy of `record` or `compare`, as a module."""
    spec = importlib.util.spec_from_file_location(f"recordings_{name}", RECORDINGS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # `dataclass` and others look a module up by its name; no other code does.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def compared(name: str, ours: Path) -> str:
    """The comparer's output about our trace of a play beside the reference's."""
    theirs = folder(name) / "argo-rollouts" / f"{name}.jsonl"
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as directory:
        traces = {"theirs": theirs, "ours": ours}
        both = [without_chance(name, trace, Path(directory) / whose) for whose, trace in traces.items()]
        with (
            mock.patch.object(sys, "argv", ["compare.py", *both]),
            contextlib.redirect_stdout(printed),
            contextlib.suppress(SystemExit),
        ):
            program("compare").main()
    return printed.getvalue()


def differences(report: str) -> list[str]:
    """The lines of a report that count: ends, ways and prints, each with both sides, on one line."""
    found: list[str] = []
    counts = False
    for line in report.splitlines():
        if re.match(r"(END|WAY|PRINT)\b", line):
            found.append(" ".join(line.split()))
            counts = True
        elif line.startswith("        ") and counts:
            found[-1] += f" | {' '.join(line.split())}"
        else:
            counts = False
    return found


@dataclass(frozen=True)
class Difference:
    """A row of docs/differences.yaml, whose head defines its fields."""

    plays: tuple[str, ...]
    why: str
    lines: tuple[str, ...] = ()
    live: tuple[str, ...] = ()

    def allows(self, line: str, *, live: bool) -> bool:
        return line in self.lines or (live and any(re.fullmatch(pattern, line) for pattern in self.live))


def lists() -> dict[Path, str]:
    """The page that describes some differences -> these differences as YAML."""
    found = {LIST.with_suffix(".md"): LIST.read_text()}
    for page in sorted(set(PAGES.glob("*.md")) - {PAGES / "adding.md"}):
        for block in re.findall(r"^```yaml\n(# differences\n.*?)^```$", page.read_text(), re.M | re.S):
            found[page] = block
    return found


def all_listed() -> list[Difference]:
    return [row for text in lists().values() for row in _rows(text)]


def _rows(text: str) -> list[Difference]:
    rows: list[Json] = yaml.safe_load(text) or []
    return [
        Difference(
            tuple([row["play"]] if isinstance(row["play"], str) else row["play"]),
            row["why"],
            tuple(row.get("lines", ())),
            tuple(row.get("live", ())),
        )
        for row in rows
    ]


def listed(name: str) -> list[Difference]:
    return [row for row in all_listed() if name in row.plays]


def surprises(name: str, report: str, *, passes_by: Callable[[str, str], bool] | None = None) -> list[str]:
    """The errors: differences that are not listed, and listed ones that no longer occur.

    In virtual time every listed line must occur. `passes_by` is given for a live play, and selects the differences that are only
    in how long a state lasted (`passing.py`); then one line of a row is enough.
    """
    rows, seen, live = listed(name), differences(report), passes_by is not None
    unlisted = [d for d in seen if not any(row.allows(d, live=live) for row in rows)]
    wrong = [f"{name}: not listed: {d}" for d in unlisted if passes_by is None or not passes_by(name, d)]
    for row in rows:
        if live:
            gone = row.lines[:1] if not any(_speaks_of(row, d) for d in seen) else ()
        else:
            gone = tuple(line for line in row.lines if line not in seen)
        wrong += [f"{name}: listed, but no longer so: {line}" for line in gone]
    return wrong


def _speaks_of(row: Difference, line: str) -> bool:
    """Whether a row lists a difference of the same object and field."""
    return any(listed_line.split(" | ")[0] == line.split(" | ")[0] for listed_line in row.lines)

"""Each reason of an Event is classified as kept or routine: the test reads the source for the reasons it emits."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import serinus
from serinus.api.messages.event_reasons import KEPT, ROUTER_WRITES, ROUTINE, VERDICTS, never_dropped
from serinus.commands.event_reasons import EVENT_REASONS

HOUSE = Path(serinus.__file__).parent
ROOMS = ("analysis", "controller", "engine", "routing")
COMMANDS = frozenset(EVENT_REASONS.values())
PHASES = {
    "AnalysisRun": ("Pending", "Running", *VERDICTS),
    "Experiment": ("Pending", "Running", *VERDICTS),
    "Metric": VERDICTS,
    "Template": ("Progressing", "Running", *VERDICTS),
}
"""Reasons that end in a phase: the phases that they can end in."""
PLACES = {"Event": 0, "RunEvent": 0, "tell": 0, "record_event": 0}
"""Function -> which of its arguments is the reason of an Event. A router's Write has it sixth, and an action's has four."""


PASSED_ON = {"reason", "event.reason", "condition.reason", "write.reason", "notice.reason"}
"""Expressions of a reason that another place gives, where it is read."""
NO_REASON = {
    "run", "builder", "about", "about.subject", "config_map", "done.about", "trial", "call", "session", "items", "one", "ready_fd"
}  # fmt: skip
"""Arguments of functions that have the same names and record nothing, or pass an Event on."""
VARIABLES = {
    ("engine/status/refused_writes.py", "event"): ("ReconciliationError", "FieldConflict", "ReplicaSetCreateError"),
    ("engine/experiment/experiment.py", "kind"): ("WriteRefused", "FieldConflict"),
}
"""(file, variable) -> the reasons that it can be."""


def emitted() -> Iterator[tuple[str, str]]:
    """(where, reason)."""
    for room in ROOMS:
        for file in sorted((HOUSE / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                where = f"{file.relative_to(HOUSE)}:{getattr(node, 'lineno', 0)}"
                if isinstance(node, ast.Call):
                    yield from ((where, reason) for reason in reasons(node, str(file.relative_to(HOUSE))))


def reasons(call: ast.Call, file: str) -> Iterator[str]:
    name = getattr(call.func, "attr", None) or getattr(call.func, "id", "")
    if file.startswith("routing/"):
        given = [word.value for word in call.keywords if word.arg == "reason"]
        yield from (str(value.value) for value in given if isinstance(value, ast.Constant) and value.value)
    place = 5 if name == "Write" else PLACES.get(name)
    if place is None or len(call.args) <= place:
        return
    argument = call.args[place]
    for value in (argument.body, argument.orelse) if isinstance(argument, ast.IfExp) else (argument,):
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value
        elif isinstance(value, ast.JoinedStr):
            begin, _ = value.values
            assert isinstance(begin, ast.Constant), ast.dump(value)
            yield from (f"{begin.value}{phase}" for phase in PHASES[str(begin.value)])
        elif (text := ast.unparse(value)) not in PASSED_ON | NO_REASON:
            assert (file, text) in VARIABLES, (
                f"{file}: the reason of an Event is `{text}`: name its values in VARIABLES"
            )
            yield from VARIABLES[file, text]


def test_each_reason_that_the_code_emits_is_classified_and_none_is_classified_for_nothing() -> None:
    found = {reason: where for where, reason in emitted()}
    table = KEPT | ROUTINE
    assert {reason: where for reason, where in found.items() if reason not in table} == {}
    assert sorted(table - found.keys() - ROUTER_WRITES) == []


def test_a_reason_has_one_class() -> None:
    assert len(KEPT) + len(COMMANDS) + len(ROUTINE) == len(KEPT | COMMANDS | ROUTINE)


def test_warnings_commands_and_unknown_reasons_are_kept() -> None:
    assert never_dropped("ScalingReplicaSet", "Warning")
    assert never_dropped("Abort", "Normal")
    assert never_dropped("OfAPlugin", "Normal")
    assert not never_dropped("ScalingReplicaSet", "Normal")

"""What may come next on a command line: `__complete WORD…`, which the shells' scripts and kubectl ask.

The answer has one candidate a line, a tab and a description where there is one, and a last line `:4`, which tells the
asker to offer no file names, or `:0`, to offer them. Names of live objects are asked of the API server; when it does
not answer within a second there are simply none.
"""

from __future__ import annotations

from serinus.cli.commandline import Flag, Found, Program, UsageProblem, find, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NO_FILES, FILES = ":4", ":0"


def complete(program: Program, words: Sequence[str], *, described: bool = True) -> str:
    """The answer for a command line whose last word is being typed."""
    *before, typed = words or [""]
    found, rest = find(program, before)
    offered, directive = _offered(found, rest, before, typed)
    return _written(offered, directive, typed, described)


def complete_serinus(words: Sequence[str], own: Mapping[str, tuple[str, str]], *, described: bool = True) -> str:
    """The same for `serinus`. `own`: name -> (module of a click command, one line about it)."""
    from serinus.cli import rollouts as table

    *before, typed = words or [""]
    program = table.program("serinus", "serinus")
    first = next((word for word in before if not word.startswith("-")), "")
    if first == "rollouts":
        return complete(program, [word for word in words if word != "rollouts"], described=described)
    if first in own and before[0] == first:
        return _own(own[first][0], typed, described)
    if not before and not typed.startswith("-"):
        rows = [(row.path[0], row.short) for row in program.children(()) if row.path[0] not in own]
        offered = [(name, about) for name, (_, about) in own.items()]
        return _written([*offered, *rows, ("rollouts", "All Rollout commands")], NO_FILES, typed, described)
    return complete(program, words, described=described)


def _own(module: str, typed: str, described: bool) -> str:
    """Flags of a click command; its values and arguments are files, if anything."""
    import importlib

    if not typed.startswith("-"):
        return f"{FILES}\n"
    params = importlib.import_module(module).command.params
    offered = [(option, getattr(param, "help", "") or "") for param in params for option in param.opts]
    return _written([*offered, ("--help", "Show this help")], NO_FILES, typed, described)


def _written(offered: Iterable[tuple[str, str]], directive: str, typed: str, described: bool) -> str:
    lines = [f"{word}\t{about}" if about and described else word for word, about in offered if word.startswith(typed)]
    return "\n".join([*lines, directive]) + "\n"


def _offered(found: Found, rest: list[str], before: Sequence[str], typed: str) -> tuple[list[tuple[str, str]], str]:
    name, equals, _ = typed.partition("=")
    if name.startswith("--") and equals:
        offered, directive = _offered(found, rest, [*before, name], "")
        return [(f"{name}={word}", about) for word, about in offered], directive
    open_flag = _open_flag(found, before)
    if open_flag is not None:
        if open_flag.name == "namespace":
            return list(_live("namespaces", found, before[:-1])), NO_FILES
        return [], FILES if open_flag.metavar == "FILE" else NO_FILES
    if typed.startswith("-"):
        return [(f"--{flag.name}", flag.help) for flag in found.flags if not flag.deprecated], NO_FILES
    children = [(row.path[-1], row.short) for row in found.program.children(found.path)]
    command = found.command if not children or not found.path else None
    if command is None:
        return children, NO_FILES
    try:
        args, _ = parse(found.flags, rest)
    except UsageProblem:
        return [], NO_FILES
    if command.most is not None and len(args) >= (1 if command.completes else command.most):
        return [], NO_FILES
    if command.completes:
        return [(name, about) for name, about in _live(command.completes, found, rest) if name not in args], NO_FILES
    return [(word, "") for word in command.words], NO_FILES


def _open_flag(found: Found, before: Sequence[str]) -> Flag | None:
    """The flag whose value is being typed."""
    if not before or not before[-1].startswith("-") or "=" in before[-1]:
        return None
    word = before[-1]
    flag = next((f for f in found.flags if word == f"--{f.name}" or (f.short and word == f"-{f.short}")), None)
    return None if flag is None or flag.is_switch else flag


def _live(plural: str, found: Found, rest: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names on the API server, each with its state."""
    from serinus.api.resources import ARGOPROJ, NAMESPACES
    from serinus.cli.commandline import Call
    from serinus.cli.problems import Problem
    from serinus.cli.session import open_session
    from serinus.kube.errors import ApiError

    resource = next((r for r in (*ARGOPROJ, NAMESPACES) if r.plural == plural), None)
    if resource is None:
        return
    try:
        call = Call(found, *parse(found.flags, rest))
        call.given["request-timeout"] = "1s"
        session = open_session(call)
        items = session.client.list(resource, session.namespace).get("items") or []
    except (Problem, ApiError, UsageProblem):
        return
    for item in items:
        yield str(item["metadata"]["name"]), str((item.get("status") or {}).get("phase") or "")

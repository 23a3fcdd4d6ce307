"""Completion of a command line: `__complete WORD…`, which the shells' scripts and kubectl call.

The output has one candidate a line, with a tab and a description if there is one. Its last line is `:4` (offer no file
names), `:0` (offer file names) or `:6` (add no blank after the word). Names of live objects come from the API server.
If it does not answer within a second, there are none.
"""

from __future__ import annotations

from serinus.cli.framework.commandline import CommandTarget, Program, find
from serinus.cli.framework.flags import Flag, UsageProblem, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from serinus.api.resources import Resource
    from serinus.cli.framework.commandline import Call

NO_FILES, FILES, NO_SPACE = ":4", ":0", ":6"
PATHS = ("FILE", "DIR", "PATH")
"""`Flag.metavar` of flags whose values are names of files."""
LIVE_VALUES = {"namespace": "namespaces", "from": "analysistemplates", "name": "rollouts"}
NAMED = {"context": "contexts", "cluster": "clusters", "user": "users"}
"""Flag -> section of the kubeconfig that has its values."""
WORDS = {
    "output": ("table", "wide", "json", "yaml", "name"),
    "until": ("healthy", "paused", "degraded", "step="),
}


def complete(program: Program, words: Sequence[str], *, described: bool = True) -> str:
    """The output for a command line whose last word is incomplete."""
    *before, typed = words or [""]
    target, rest = find(program, before)
    offered, directive = _offered(target, rest, before, typed)
    return _written(offered, directive, typed, described)


def complete_serinus(words: Sequence[str], own: Program, *, described: bool = True) -> str:
    """The same for `serinus`. `own`: the commands of `serinus` alone."""
    from serinus.cli import rollouts as table

    *before, typed = words or [""]
    program = table.program("serinus", "serinus")
    first = next((word for word in before if not word.startswith("-")), "")
    if first == "rollouts":
        return complete(program, [word for word in words if word != "rollouts"], described=described)
    if first == "status" and not typed.startswith("-") and before[-1] != "--data":
        return complete(program, words, described=described)  # the name of a Rollout
    names = {row.path[0] for row in own.children(())}
    if first in names and before[0] == first:
        return complete(own, words, described=described)
    if not before and not typed.startswith("-"):
        others = [row for row in program.children(()) if row.path[0] not in names]
        offered = [(row.path[0], row.short) for row in (*own.children(()), *others)]
        return _written([*offered, ("rollouts", "All Rollout commands")], NO_FILES, typed, described)
    return complete(program, words, described=described)


def _written(offered: Iterable[tuple[str, str]], directive: str, typed: str, described: bool) -> str:
    """Without words that a shell would split or expand: not every shell quotes the words that it inserts."""
    from serinus.api.messages.visible import visible_line

    lines = [
        f"{word}\t{visible_line(about)}" if about and described else word
        for word, about in offered
        if word.startswith(typed) and _harmless(word)
    ]
    return "\n".join([*lines, directive]) + "\n"


def _harmless(word: str) -> bool:
    """Names of objects, flags, contexts such as `arn:aws:eks:eu-1:1:cluster/a` and `me@there`."""
    return word[:1] not in (":", "=", "") and all(sign.isalnum() or sign in "-_.:/@=+,%" for sign in word)


def _offered(
    target: CommandTarget, rest: list[str], before: Sequence[str], typed: str
) -> tuple[list[tuple[str, str]], str]:
    name, equals, _ = typed.partition("=")
    if name.startswith("--") and equals:
        offered, directive = _offered(target, rest, [*before, name], "")
        return [(f"{name}={word}", about) for word, about in offered], directive
    open_flag = _open_flag(target, before)
    if open_flag is not None:
        return _values(open_flag, target, before[:-1]), FILES if open_flag.metavar in PATHS else NO_FILES
    if typed.startswith("-"):
        return [
            (f"--{flag.name}", flag.help) for flag in target.flags if not flag.deprecated and not flag.hidden
        ], NO_FILES
    children = [(row.path[-1], row.short) for row in target.program.children(target.path)]
    command = target.command if not children or not target.path else None
    if command is None:
        return children, NO_FILES
    try:
        args, _ = parse(target.flags, rest)
    except UsageProblem:
        return [], NO_FILES
    if target.path == ("set", "image") and len(args) == 1:
        return _containers(args[0], target, rest), NO_SPACE
    if command.most is not None and len(args) >= (1 if command.completes else command.most):
        return [], NO_FILES
    if command.completes == "files":
        return [], FILES
    if command.completes:
        return [(name, about) for name, about in _live(command.completes, target, rest) if name not in args], NO_FILES
    return [(word, "") for word in command.words], NO_FILES


def _values(flag: Flag, target: CommandTarget, rest: Sequence[str]) -> list[tuple[str, str]]:
    """Possible values of a flag."""
    if flag.choices:
        return [(word, "") for word in flag.choices]
    if flag.name in WORDS:
        return [(word, "") for word in WORDS[flag.name]]
    if flag.name in NAMED:
        from serinus.kube.configuration.config import ConfigError, names

        try:
            return [(name, "") for name in names(NAMED[flag.name], _call(target, rest).text("kubeconfig"))]
        except (ConfigError, UsageProblem):
            return []
    plural = LIVE_VALUES.get(flag.name, "")
    if flag.name == "from" and "--global" in rest:
        plural = "clusteranalysistemplates"
    if flag.name == "name" and target.path != ("list", "rollouts"):
        return []  # the name of something new
    return list(_live(plural, target, rest))


def _containers(name: str, target: CommandTarget, rest: Sequence[str]) -> list[tuple[str, str]]:
    """`CONTAINER=` for each container of a Rollout, with the image that it has."""
    from serinus.api.resources import ROLLOUTS

    for rollout in _items(ROLLOUTS, target, rest, name=name):
        template = (rollout.get("spec") or {}).get("template") or {}
        containers = (template.get("spec") or {}).get("containers") or []
        return [(f"{c.get('name')}=", str(c.get("image") or "")) for c in containers]
    return []


def _call(target: CommandTarget, rest: Sequence[str]) -> Call:
    """UsageProblem if the words so far are invalid."""
    from serinus.cli.framework.commandline import Call

    return Call(target, *parse(target.flags, rest))


def _open_flag(target: CommandTarget, before: Sequence[str]) -> Flag | None:
    """The flag whose value is incomplete."""
    if not before or not before[-1].startswith("-") or "=" in before[-1]:
        return None
    word = before[-1]
    flag = next((f for f in target.flags if word == f"--{f.name}" or (f.short and word == f"-{f.short}")), None)
    return None if flag is None or flag.is_switch else flag


def _live(plural: str, target: CommandTarget, rest: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names on the API server, each with its state."""
    from serinus.api.resources import ARGOPROJ, NAMESPACES, ROLLOUTS
    from serinus.view.rollout_info import phase_and_message

    resource = next((r for r in (*ARGOPROJ, NAMESPACES) if r.plural == plural), None)
    for item in _items(resource, target, rest) if resource else ():
        state = phase_and_message(item)[0] if resource is ROLLOUTS else (item.get("status") or {}).get("phase")
        yield str(item["metadata"]["name"]), str(state or "")


def _items(resource: Resource, target: CommandTarget, rest: Sequence[str], *, name: str = "") -> list[dict[str, Any]]:
    """Objects of the user's namespace; none if the API server refuses or does not answer within a second."""
    from serinus.cli.cluster.session import open_session
    from serinus.cli.framework.errors import Problem
    from serinus.kube.errors import ApiError

    try:
        call = _call(target, rest)
        call.given["request-timeout"] = "1s"
        session = open_session(call)
        fields = f"metadata.name={name}" if name else ""
        space = session.namespace if resource.namespaced else ""
        return session.client.list(resource, space, fields=fields).get("items") or []
    except (Problem, ApiError, UsageProblem):
        return []

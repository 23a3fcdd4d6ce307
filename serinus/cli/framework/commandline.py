"""Command lines in kubectl's syntax: nested commands, with flags anywhere (`flags.py`).

A command is a row of a table (its words, its module, its description) and, in that module, a `COMMAND` with flags and
a function. Modules are imported only when their command runs, and this module imports fast: `--help` uses only the
table. Invalid command lines end in a `UsageProblem`, never in a traceback.

Existing libraries are not used: they accept no value for a switch or consume the next word (`status --watch=false`,
`get rollout --watch web`), accept a group's flags only in front of its command, and take half of the start-up budget.
So do `dataclasses`, `typing` and `difflib` (14 of 26 ms): classes are written out, and imports are late.
"""

from __future__ import annotations

from serinus.cli.framework.flags import HELP, Flag, UsageProblem, parse, values_behind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from serinus.cli.framework.flags import Value


class CommandRow:
    """One command of a table. `path`: its words. A row without `module` only groups others."""

    __slots__ = ("aliases", "module", "path", "short")

    def __init__(self, path: tuple[str, ...], module: str, short: str, aliases: tuple[str, ...] = ()) -> None:
        self.path, self.module, self.short, self.aliases = path, module, short, aliases


class Call:
    """A parsed command line."""

    __slots__ = ("args", "given", "target")

    def __init__(self, target: CommandTarget, args: list[str], given: dict[str, Value]) -> None:
        self.target, self.args, self.given = target, args, given

    def text(self, name: str) -> str:
        return str(self._value(name))

    def truth(self, name: str) -> bool:
        return bool(self._value(name))

    def number(self, name: str) -> int:
        return int(str(self._value(name)))

    def real(self, name: str) -> float:
        return float(str(self._value(name)))

    def value(self, name: str) -> Any:
        """The value of a flag with `parse`, or with the default None."""
        parse = self.target.flag(name).parse
        value = self._value(name)
        return parse(value) if parse is not None and isinstance(value, str) else value

    def texts(self, name: str) -> list[str]:
        value = self._value(name)
        return list(value) if isinstance(value, list | tuple) else [str(value)]

    def usage_problem(self, message: str) -> UsageProblem:
        """The message, and the usage line of the command."""
        typed = " ".join((self.target.program.typed, *self.target.path))
        command = self.target.command
        usage = f"{typed} {command.usage}".rstrip() + " [flags]" if command else f"{typed} COMMAND"
        return UsageProblem(f"{message}\nUsage:\n  {usage}\nMore: {typed} --help")

    def again(self, *words: str) -> str:
        """Another command line of the same program for the same API server and namespace, for hints."""
        return self.target.program.typed + "".join(f" {_quoted(word)}" for word in words) + self.connection()

    def connection(self, *, namespace: bool = True) -> str:
        """The given flags that name the API server and the namespace, with a blank in front; no secrets."""
        text = ""
        for flag in self.target.program.flags:
            value = self.given.get(flag.name)
            if flag.name not in REPEATED or value in (None, False) or (flag.name == "namespace" and not namespace):
                continue
            name = f"-{flag.short}" if flag.name == "namespace" else f"--{flag.name}"
            for one in value if isinstance(value, list) else [value]:
                text += f" {name}" if one is True else f" {name} {_quoted(str(one))}"
        return text

    def _value(self, name: str) -> Value | tuple[()]:
        return self.given.get(name, self.target.flag(name).default)


REPEATED = (
    *("kubeconfig", "context", "cluster", "user", "namespace", "server", "as", "as-group", "as-uid"),
    *("certificate-authority", "client-certificate", "client-key", "insecure-skip-tls-verify", "tls-server-name"),
)
"""Flags that a hint repeats, because its command must use the same API server. A token is left out."""


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)


class Command:
    """The `COMMAND` of a module of the table. `run` returns the exit code.

    `completes`: plural of the resource whose names the arguments are, or `files`; `words`: fixed words that the argument may be;
    both for completion.
    """

    __slots__ = ("about", "completes", "examples", "flags", "least", "most", "run", "usage", "words")

    def __init__(
        self,
        run: Callable[[Call], int],
        about: str,
        usage: str = "",
        examples: tuple[str, ...] = (),
        *,
        flags: tuple[Flag, ...] = (),
        least: int = 0,
        most: int | None = 0,
        completes: str = "",
        words: tuple[str, ...] = (),
    ) -> None:
        self.run, self.about, self.usage, self.examples, self.flags = run, about, usage, examples, flags
        self.least, self.most, self.completes, self.words = least, most, completes, words


class Program:
    """A table of commands under one name. `name`: for errors. `typed`: the command as typed."""

    __slots__ = ("about", "flags", "name", "rows", "typed")

    def __init__(
        self, name: str, typed: str, about: str, rows: tuple[CommandRow, ...], flags: tuple[Flag, ...] = ()
    ) -> None:
        self.name, self.typed, self.about, self.rows, self.flags = name, typed, about, rows, flags

    def children(self, path: tuple[str, ...]) -> list[CommandRow]:
        return [row for row in self.rows if row.path[:-1] == path]

    def row(self, path: tuple[str, ...]) -> CommandRow | None:
        return next((row for row in self.rows if row.path == path), None)


class CommandTarget:
    """The position in the table that a command line names."""

    __slots__ = ("_command", "path", "program")

    def __init__(self, program: Program, path: tuple[str, ...] = ()) -> None:
        self.program, self.path = program, path
        self._command: Command | None = None

    @property
    def command(self) -> Command | None:
        row = self.program.row(self.path)
        if self._command is None and row is not None and row.module:
            import importlib

            self._command = importlib.import_module(row.module).COMMAND
        return self._command

    @property
    def takes_only_commands(self) -> bool:
        """Whether a further word can only be a command. `create` is a command itself, and takes no argument."""
        return bool(self.program.children(self.path)) and (self.command is None or self.command.most == 0)

    @property
    def flags(self) -> tuple[Flag, ...]:
        own = self.command.flags if self.command else ()
        return (*own, HELP, *self.program.flags)

    def flag(self, name: str) -> Flag:
        return next(flag for flag in self.flags if flag.name == name)

    def child(self, word: str) -> CommandRow | None:
        return next((r for r in self.program.children(self.path) if word == r.path[-1] or word in r.aliases), None)


def understand(program: Program, argv: Sequence[str]) -> Call:
    """The call of `argv` (without the program's name). UsageProblem if it is invalid.

    A call whose command is None, or with `help` given, requests help.
    """
    target, rest = find(program, argv)
    if target.takes_only_commands and (place := _first_word(target, rest)) is not None and "--help" not in rest:
        # Reported before the flags are parsed: they belong to an unknown command.
        raise UsageProblem(_unknown(target, rest, place))
    call = Call(target, *parse(target.flags, rest))
    if call.truth("help"):
        return call
    command = target.command
    if command is None:
        if not target.path:
            raise UsageProblem(usage=target)
        raise UsageProblem(f"missing command after {' '.join(target.path)}\n{_commands(target)}")
    typed = " ".join(target.path)
    if len(call.args) < command.least:
        there = f", found {' '.join(call.args)}" if call.args else ""
        raise call.usage_problem(f"missing argument: {typed} needs {command.usage}{there}")
    if command.most is not None and len(call.args) > command.most:
        takes = command.usage if command.most else "none"
        raise call.usage_problem(f"too many arguments: {typed} takes {takes}, found {' '.join(call.args)}")
    for flag in command.flags:
        if flag.required and flag.name not in call.given:
            raise call.usage_problem(f"missing flag: {typed} needs --{flag.name}")
    return call


def _first_word(target: CommandTarget, rest: Sequence[str]) -> int | None:
    """The index of the first word that is neither a flag nor the value of one."""
    index = 0
    while index < len(rest) and rest[index] != "--":
        if not rest[index].startswith("-") or rest[index] == "-":
            return index
        index += 1 + values_behind(target.flags, rest[index])
    return None


def _commands(target: CommandTarget) -> str:
    return f"Commands: {', '.join(' '.join(row.path) for row in target.program.children(target.path))}"


def _unknown(target: CommandTarget, rest: Sequence[str], place: int) -> str:
    """The error for `get rolout x` and `get shop`, with the command line that the user may have meant."""
    word, program = rest[place], target.program
    if not target.path:
        return unknown_command(program, word)
    import difflib

    known = {name: row for row in program.children(target.path) for name in (row.path[-1], *row.aliases)}
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        meant = [known[near[0]].path[-1]]
    elif "rollout" in known:
        meant = ["rollouts", "--name", word] if target.path == ("list",) else ["rollout", word]
    else:
        meant = []
    message = f'unknown command "{" ".join(target.path)} {word}"\n'
    if meant:
        words = (*target.path, *meant, *rest[:place], *rest[place + 1 :])
        message += f"Did you mean: {program.typed} {' '.join(map(_quoted, words))}\n"
    return message + _commands(target)


def find(program: Program, argv: Sequence[str]) -> tuple[CommandTarget, list[str]]:
    """The command that the words of `argv` name, and the remaining arguments."""
    target, rest, index = CommandTarget(program), list(argv), 0
    while index < len(rest):
        word = rest[index]
        if word == "--":
            break
        if word.startswith("-") and word != "-":
            index += 1 + values_behind(target.flags, word)
            continue
        row = target.child(word)
        if row is None:
            break
        del rest[index]
        target = CommandTarget(program, row.path)
    return target, rest


def unknown_command(program: Program, word: str) -> str:
    names = [row.path[0] for row in program.children(())]
    import difflib

    near = difflib.get_close_matches(word, names, n=1)
    advice = f"Did you mean {near[0]}? " if near else ""
    return f'unknown command "{word}" for "{program.name}"\n{advice}All commands: {program.typed} --help'

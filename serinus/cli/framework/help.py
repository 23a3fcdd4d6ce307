"""The text of `--help`."""

from __future__ import annotations

from serinus.cli.framework.commandline import CommandRow, CommandTarget
from serinus.cli.framework.flags import HELP, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def help_text(target: CommandTarget) -> str:
    """The description and the usage of a command."""
    program, command = target.program, target.command
    row = program.row(target.path)
    typed = " ".join((program.typed, *target.path))
    children = program.children(target.path)
    parts = [command.about if command else row.short if row else program.about]
    usage = [f"  {typed} {command.usage}".rstrip() + " [flags]"] if command else []
    usage += [f"  {typed} COMMAND"] if children else []
    parts.append("\n".join(["Usage:", *usage]))
    if row and row.aliases:
        parts.append("Also written:\n  " + ", ".join(row.aliases))
    if command and command.examples:
        parts.append("\n".join(["Examples:", *(f"  {line}" if line else "" for line in command.examples)]))
    if children:
        parts.append("\n".join(["Commands:", *_commands(children)]))
    own = [f for f in (command.flags if command else ()) if not f.deprecated and not f.hidden]
    parts.append("\n".join(["Flags:", *_flags([*own, HELP])]))
    if program.flags and (command or target.path):
        parts.append("Flags of kubectl, before or after the command:\n" + _names(program.flags))
    elif program.flags:
        parts.append("\n".join(["Flags of kubectl, before or after the command:", *_flags(program.flags)]))
    if children:
        parts.append(f"More about a command: {typed} COMMAND --help")
    return "\n\n".join(parts) + "\n"


def _commands(rows: Sequence[CommandRow]) -> list[str]:
    rows = sorted(rows, key=lambda row: row.path)
    wide = max(len(row.path[-1]) for row in rows) + 2
    return [f"  {row.path[-1]:{wide}}{row.short}" for row in rows]


def _flags(flags: Iterable[Flag]) -> list[str]:
    lines = [(_spelled(flag), _described(flag)) for flag in flags]
    wide = max(len(spelled) for spelled, _ in lines) + 2
    return [f"  {spelled:{wide}}{text}" for spelled, text in lines]


def _spelled(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else "    "
    names = ", ".join(f"--{name}" for name in (flag.name, *flag.also))
    return f"{short}{names}" + ("" if flag.is_switch else f" {flag.metavar or _metavar(flag)}")


def _metavar(flag: Flag) -> str:
    return "N" if isinstance(flag.default, int | float) or flag.parse else "|".join(flag.choices) or "TEXT"


def _described(flag: Flag) -> str:
    if flag.default in ("", (), 0, False, None):
        return flag.help
    return f"{flag.help} (default {str(flag.default).lower() if flag.is_switch else flag.default})"


def _names(flags: Iterable[Flag]) -> str:
    lines, line = [], " "
    for flag in flags:
        name = f" --{flag.name}"
        if len(line) + len(name) > 100:
            lines.append(line)
            line = " "
        line += name
    return "\n".join([*lines, line])

"""The two commands that a user types: `serinus` and `kubectl argo rollouts`.

`serinus NAME` runs the commands of `serinus` alone, each a file of `serinus/cli`, and every Rollout command whose
name does not clash. `serinus rollouts NAME` runs those that clash. Only the module of the given command is imported.

Exit codes: 0 done, 1 error, 2 invalid command line (only the commands of `serinus` alone), 130 interrupted.
No failure shows a traceback.
"""

from __future__ import annotations

import io
import os
import sys
from itertools import pairwise

from serinus.cli import rollouts as table
from serinus.cli.framework.command_files import commands
from serinus.cli.framework.commandline import CommandRow, Program, find, understand, unknown_command
from serinus.cli.framework.flags import UsageProblem, parse
from serinus.cli.framework.terminal import attach

TYPE_CHECKING = False  # as in `typing`, whose import takes a sixth of the time limit of `--help`
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FIRST = ("up", "down", "status", "reset", "demo")
"""The commands for new users, first in the list. The others follow by name."""


def own_program() -> Program:
    """The commands of `serinus` alone, those of FIRST in front. `verdict_plan.py` is a command below that of `verdict.py`."""
    descriptions = {name: short for name, short, _ in commands(os.path.dirname(__file__))}
    rows: list[CommandRow] = []
    for name, short in descriptions.items():
        above, _, last = name.partition("_")
        path = (above, last) if above in descriptions and last else (name.replace("_", "-"),)
        rows.append(CommandRow(path, f"serinus.cli.{name}", short))
    first = {name: place for place, name in enumerate(FIRST)}
    rows.sort(key=lambda row: (first.get(row.path[0], len(first)), row.path))
    return Program("serinus", "serinus", "", tuple(rows))


COMPLETING = ("__complete", "__completeNoDesc")
"""The commands of shell completion: with a description of each candidate, and without."""


def main() -> None:
    """`serinus …`."""
    sys.exit(_guarded(serinus, sys.argv[1:]))


def rollouts() -> None:
    """`kubectl-argo-rollouts …`, which kubectl runs for `kubectl argo rollouts …`."""
    sys.exit(_guarded(lambda argv: _run(table.program(), argv), sys.argv[1:]))


def kubectl_complete() -> None:
    """`kubectl_complete-argo-rollouts …`, which kubectl's completion calls for `kubectl argo rollouts …`."""
    sys.exit(_guarded(lambda argv: _run(table.program(), ["__complete", *argv]), sys.argv[1:]))


def serinus(argv: Sequence[str]) -> int:
    """Run `serinus ARGV`. Returns the exit code. Raises Problem."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        sys.stdout.write(_help())
        return 0
    if argv[0] in COMPLETING:
        from serinus.cli.framework.complete import complete_serinus

        sys.stdout.write(complete_serinus(argv[1:], own_program(), described=argv[0] == COMPLETING[0]))
        return 0
    if argv[0] == "--version":
        argv = ["version", "--short"]
    if argv[0] == "status" and _names_a_rollout(argv):
        return _run(table.program("serinus rollouts", "serinus rollouts"), argv)
    own = own_program()
    if own.row((argv[0],)) is not None:
        return _run(own, argv, invalid=2)
    target, rest = find(Program("serinus", "serinus", "", (CommandRow(("rollouts",), "", ""),), table.CONNECTION), argv)
    if target.path:
        return _run(table.program("serinus rollouts", "serinus rollouts"), rest)
    program = table.program("serinus", "serinus")
    if not argv[0].startswith("-") and not any(row.path[0] == argv[0] for row in program.rows):
        known = Program("serinus", "serinus", "", (*program.rows, *own.children(())))
        sys.stderr.write(f"Error: {unknown_command(known, argv[0])}\n")
        return 2
    return _run(program, argv)


def _names_a_rollout(argv: Sequence[str]) -> bool:
    """Whether `serinus status …` names a Rollout. The instance's own `status` takes no name."""
    try:
        target, rest = find(table.program(), argv)
        return bool(parse(target.flags, rest)[0])
    except UsageProblem:
        return False


def _run(program: Program, argv: Sequence[str], *, invalid: int = 1) -> int:
    """Run one command. Returns the exit code; `invalid`: that of an invalid command line."""
    if argv and argv[0] in COMPLETING:
        from serinus.cli.framework.complete import complete

        sys.stdout.write(complete(program, argv[1:], described=argv[0] == COMPLETING[0]))
        return 0
    if argv and argv[0] == "help":
        argv = [*argv[1:], "--help"]
    try:
        call = understand(program, argv)
        if call.truth("help"):
            from serinus.cli.framework.help import help_text

            sys.stdout.write(help_text(call.target))
            return 0
        command = call.target.command
        assert command is not None
        for flag in command.flags:
            if flag.deprecated and flag.name in call.given:
                sys.stderr.write(f"Flag --{flag.name} has been deprecated, {flag.deprecated}\n")
        return command.run(call)
    except UsageProblem as problem:
        if problem.usage is not None:
            from serinus.cli.framework.help import help_text

            sys.stderr.write(help_text(problem.usage))
        else:
            sys.stderr.write(f"Error: {problem.message}\n")
        return 2 if _detailed(argv) else invalid


def _guarded(run: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    """Run a command. Every failure becomes an exit code, without a traceback."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            # The process has no such stream (`>&-`). Opening it reserves its number, so that no socket gets it.
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # The signs of the tree are UTF-8 in every locale, and names are printed unchanged.
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    attach()
    try:
        code = run(argv)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader closed the pipe.
        _forget_output()
        return 0
    except Exception as error:
        from contextlib import suppress

        from serinus.cli.framework.errors import told

        with suppress(OSError):
            sys.stderr.write(told(error))
        _forget_output()
        return getattr(error, "code", 1) if _detailed(argv) else 1


def _detailed(argv: Sequence[str]) -> bool:
    """Whether exit codes distinguish failures; otherwise they are Argo Rollouts' 0 and 1."""
    return any(f"{a}={b}".lower() == "--exit-codes=detailed" for a, b in pairwise(argv)) or any(
        a.lower() == "--exit-codes=detailed" for a in argv
    )


def _forget_output() -> None:
    """Discard output that cannot be written. Python would report the error again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


COLUMN = 18
"""Characters for the name of a command and the space behind it."""


def _help() -> str:
    program = table.program()
    alone = own_program().children(())
    own = "\n".join(f"  {row.path[0]:{COLUMN}}{row.short}" for row in alone)
    rows = [row for row in program.children(()) if row.path[0] not in {row.path[0] for row in alone}]
    others = "\n".join(f"  {row.path[0]:{COLUMN}}{row.short}" for row in rows)
    return f"""\
Serinus delivers software progressively, on Kubernetes and on one machine.

Usage:
  serinus COMMAND [flags]

On this machine:
{own}

Rollouts, on any cluster (the same as `kubectl argo rollouts COMMAND`):
{others}
  {"rollouts":{COLUMN}}All of these under their own names, such as `serinus rollouts status`

More about a command: serinus COMMAND --help
First look: serinus demo
"""

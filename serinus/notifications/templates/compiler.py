"""Compiles a tree: every node becomes a function of the `State` of one rendering."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.analysis.expr.errors import ConditionError
from serinus.notifications.templates import nodes as n
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.functions.function import Function, call
from serinus.notifications.templates.functions.special_calls import called, failing, short_circuit
from serinus.notifications.templates.members import invoked, member, pairs_of
from serinus.notifications.templates.state import Body, Eval, Run, State
from serinus.notifications.templates.values import MISSING, NO_VALUE, GoFunction, shown, truth

DEEPEST_CALLS = 50
"""Levels of templates that call templates."""


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


def compile_body(parts: list[n.Part], functions: Mapping[str, Function]) -> Body:
    """The compiled template. The parser has checked it."""
    maker = _Compiler(functions)
    run = maker.parts(parts)
    return Body(run, maker.most)


class _Compiler:
    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = functions
        self._variables = ["$"]
        self.most = 1

    # parts

    def parts(self, parts: list[n.Part]) -> Run:
        runs = [self._part(part) for part in parts]
        if len(runs) == 1:
            return runs[0]

        def run_all(state: State) -> None:
            for run in runs:
                run(state)

        return run_all

    def _part(self, part: n.Part) -> Run:
        match part:
            case n.Text():
                text = part.text
                return lambda state: state.write(text)
            case n.Action():
                return self._action(part.pipe)
            case n.Branch(kind="range"):
                return self._range(part)
            case n.Branch():
                return self._branch(part)
            case n.Jump():
                return _jump(_Break if part.kind == "break" else _Continue)
            case n.Include():
                return self._include(part)

    def _action(self, pipe: n.Pipe) -> Run:
        value = self._pipe(pipe)
        if pipe.declares:
            return lambda state: _void(value(state))

        def write(state: State) -> None:
            result = value(state)
            kind = type(result)
            if kind is str:
                state.write(result)
            elif result is None or result is MISSING:
                state.write(NO_VALUE)
            elif kind is GoFunction:
                raise TemplateError(f"can't print {result.name}: it is a function (use call)", pipe.line)
            else:
                state.write(shown(result, state.call.work))

        return write

    def _scoped(self, parts: list[n.Part]) -> Run:
        mark = len(self._variables)
        run = self.parts(parts)
        del self._variables[mark:]
        return run

    def _branch(self, branch: n.Branch) -> Run:
        mark = len(self._variables)
        test = self._pipe(branch.pipe)
        body, otherwise = self._scoped(branch.body), self._scoped(branch.otherwise)
        del self._variables[mark:]
        moves = branch.kind == "with"

        def run(state: State) -> None:
            value = test(state)
            if not truth(value):
                otherwise(state)
            elif moves:
                dot, state.dot = state.dot, value
                body(state)
                state.dot = dot
            else:
                body(state)

        return run

    def _range(self, branch: n.Branch) -> Run:
        mark, pipe = len(self._variables), branch.pipe
        names, pipe.declares = pipe.declares, ()
        source = self._pipe(pipe)
        pipe.declares = names
        slots = [self._slot(name) if pipe.assigns else self._declare(name) for name in names]
        body, otherwise = self._scoped(branch.body), self._scoped(branch.otherwise)
        del self._variables[mark:]
        key_slot = slots[0] if len(slots) == 2 else None
        value_slot = slots[-1] if slots else None

        def run(state: State) -> None:
            iterated = source(state)
            if key_slot is not None and type(iterated) in (int, float):
                raise TemplateError(f"can't use {iterated} to iterate over more than one variable", pipe.line)
            pairs = pairs_of(iterated, pipe.line)
            dot = state.dot
            for key, value in pairs:
                state.call.work.spend(1)
                if key_slot is not None:
                    state.frame[key_slot] = key
                if value_slot is not None:
                    state.frame[value_slot] = value
                state.dot = value
                try:
                    body(state)
                except _Break:
                    break
                except _Continue:
                    continue
            state.dot = dot
            if not pairs:
                otherwise(state)

        return run

    def _include(self, part: n.Include) -> Run:
        value = self._pipe(part.pipe) if part.pipe else None

        def run(state: State) -> None:
            called = state.templates.get(part.name)
            if called is None:
                raise TemplateError(f'template "{part.name}" not defined', part.line)
            if state.depth >= DEEPEST_CALLS:
                raise TemplateError(f"exceeded maximum template depth ({DEEPEST_CALLS})", part.line)
            dot = None if value is None else value(state)
            outer = state.dot, state.frame
            state.dot, state.frame = dot, [dot] + [None] * (called.variables - 1)
            state.depth += 1
            state.call.work.spend(10)
            called.run(state)
            state.depth -= 1
            state.dot, state.frame = outer

        return run

    # variables

    def _declare(self, name: str) -> int:
        self._variables.append(name)
        self.most = max(self.most, len(self._variables))
        return len(self._variables) - 1

    def _slot(self, name: str) -> int:
        if name not in self._variables:  # declared in the other branch
            raise TemplateError(f'undefined variable "{name}"')
        return len(self._variables) - 1 - self._variables[::-1].index(name)

    # expressions

    def _pipe(self, pipe: n.Pipe) -> Eval:
        value: Eval | None = None
        for command in pipe.commands:
            value = self._command(command, value)
        assert value is not None
        if not pipe.declares:
            return value
        slot = self._slot(pipe.declares[0]) if pipe.assigns else self._declare(pipe.declares[0])
        evaluate = value

        def store(state: State) -> Any:
            result = evaluate(state)
            state.frame[slot] = None if result is MISSING else result
            return result

        return store

    def _command(self, command: n.Command, piped: Eval | None) -> Eval:
        first, *rest = command.words
        arguments = [self._word(word) for word in rest]
        if piped is not None:
            arguments.append(piped)
        if isinstance(first, n.Function):
            return self._call(first, arguments)
        if isinstance(first, n.Path) and arguments:
            return self._method(first, arguments)
        if isinstance(first, n.Nil):
            return failing("nil is not a command", command.line)
        if arguments:
            return failing("can't give argument to non-function", command.line)
        return self._word(first)

    def _word(self, word: n.Node) -> Eval:
        match word:
            case n.Value():
                constant = word.value
                return lambda state: constant
            case n.Nil():
                return lambda state: None
            case n.Function():
                return self._call(word, [])
            case n.Pipe():
                return self._pipe(word)
            case n.Path():
                return self._path(word.owner, word.names, word.line)

    def _path(self, owner: str | n.Node | None, names: tuple[str, ...], line: int) -> Eval:
        if owner is None:

            def of_dot(state: State) -> Any:
                value = state.dot
                for name in names:
                    value = value.get(name, MISSING) if type(value) is dict else member(value, name, line)
                return value

            return of_dot
        if isinstance(owner, str):
            slot = self._slot(owner)

            def of_variable(state: State) -> Any:
                value = state.frame[slot]
                for name in names:
                    value = value.get(name, MISSING) if type(value) is dict else member(value, name, line)
                return value

            return of_variable
        inner = self._word(owner)

        def of_expression(state: State) -> Any:
            value = inner(state)
            for name in names:
                value = member(value, name, line)
            return value

        return of_expression

    def _method(self, path: n.Path, arguments: list[Eval]) -> Eval:
        if not path.names:
            return failing("can't give argument to non-function", path.line)
        owner, name, line = self._path(path.owner, path.names[:-1], path.line), path.names[-1], path.line

        def run(state: State) -> Any:
            return invoked(owner(state), name, [argument(state) for argument in arguments], line)

        return run

    def _call(self, function: n.Function, arguments: list[Eval]) -> Eval:
        name, line = function.name, function.line
        if name in ("and", "or"):
            return short_circuit(name, arguments, line)
        if name == "call":
            return called(arguments, line)
        implementation = self._functions[name]

        def run(state: State) -> Any:
            values = [argument(state) for argument in arguments]
            try:
                return call(implementation, values, state.call)
            except TemplateError as error:
                raise error if error.line else TemplateError(f"{name}: {error.message}", line) from None
            except ConditionError as error:
                raise TemplateError(f"{name}: {error}", line) from None

        return run


def _void(_value: Any) -> None:
    """A declaration has no output."""


def _jump(kind: type[Exception]) -> Run:
    def run(_state: State) -> None:
        raise kind

    return run

"""Parses tokens into a tree, as Go's text/template/parse/parse.go does."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from serinus.notifications.templates import nodes as n
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.lexer import Token, tokens
from serinus.notifications.templates.literals import number, string, unquoted

DEEPEST = 100
"""Most levels of parentheses and blocks."""

MAIN = ""
"""The name of the template itself, among the templates that it defines."""


@dataclass(slots=True)
class _End:
    """The action that ended a list of parts: `{{end}}` or `{{else}}`. `pipe`: for `else if` and `else with`."""

    kind: str
    again: str = ""


@dataclass(slots=True)
class _Scope:
    """Variables in scope."""

    names: list[str] = field(default_factory=lambda: ["$"])
    loops: int = 0


def parse(source: str, functions: Container[str]) -> dict[str, list[n.Part]]:
    """The templates that the text defines by name; its own is `MAIN`. TemplateError names line and cause.

    `functions`: the names of the functions.
    """
    return _Parser(source, functions).run()


class _Parser:
    def __init__(self, source: str, functions: Container[str]) -> None:
        self._tokens = list(tokens(source))
        self._at = 0
        self._functions = functions
        self._defined: dict[str, list[n.Part]] = {}
        self._scope = _Scope()
        self._depth = 0

    def run(self) -> dict[str, list[n.Part]]:
        parts, end = self._parts()
        if end.kind != "end of template":
            raise self._error(f"unexpected {{{{{end.kind}}}}}")
        return {**self._defined, MAIN: parts}

    # tokens

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += token.kind != "end"
        return token

    def _skip(self) -> Token:
        """The next token that is no blank. It is not consumed."""
        while self._token.kind == "space":
            self._at += 1
        return self._token

    def _error(self, message: str) -> TemplateError:
        return TemplateError(message, self._token.line)

    def _unexpected(self, where: str) -> TemplateError:
        token = self._token
        shown = "EOF" if token.kind == "end" else f'"{token.text}"' if token.kind != "word" else f"<{token.text}>"
        return self._error(f"unexpected {shown} in {where}")

    def _close(self, where: str) -> None:
        if self._skip().kind != "close":
            raise self._unexpected(where)
        self._next()

    # parts

    def _parts(self) -> tuple[list[n.Part], _End]:
        parts: list[n.Part] = []
        while True:
            token = self._next()
            if token.kind == "end":
                return parts, _End("end of template")
            if token.kind == "text":
                parts.append(n.Text(token.text))
                continue
            word = self._skip()
            name = word.text if word.kind == "word" else ""
            if name == "end":
                self._next()
                self._close("end")
                return parts, _End("end")
            if name == "else":
                return parts, self._else()
            part = self._part(name)
            if part is not None:
                parts.append(part)

    def _else(self) -> _End:
        self._next()
        word = self._skip()
        if word.kind == "word" and word.text in ("if", "with"):
            self._next()
            return _End("else", word.text)
        self._close("else")
        return _End("else")

    def _part(self, name: str) -> n.Part | None:
        line = self._token.line
        if name in ("if", "with", "range"):
            self._next()
            return self._branch(name)
        if name in ("break", "continue") and name not in self._functions:
            self._next()
            self._close(name)
            if not self._scope.loops:
                raise TemplateError(f"{{{{{name}}}}} outside {{{{range}}}}", line)
            return n.Jump(name)
        if name == "define":
            self._next()
            self._definition(self._template_name("define"), "define", None)
            return None
        if name in ("template", "block"):
            self._next()
            called = self._template_name(name)
            pipe = None if self._skip().kind == "close" and name == "template" else self._pipe(name)
            if name == "block":
                self._definition(called, name, pipe)
            else:
                self._close(name)
            return n.Include(called, pipe, line)
        pipe = self._pipe("command")
        self._close("command")
        return n.Action(pipe)

    def _template_name(self, where: str) -> str:
        token = self._skip()
        if token.kind not in ("string", "raw"):
            raise self._unexpected(f"{where} clause")
        self._next()
        return string(token)

    def _definition(self, name: str, where: str, _pipe: n.Pipe | None) -> None:
        self._close(f"{where} clause")
        scope, self._scope = self._scope, _Scope()
        parts, end = self._parts()
        self._scope = scope
        if end.kind != "end":
            raise self._error(
                "unexpected EOF" if end.kind == "end of template" else f"unexpected {{{{{end.kind}}}}} in {where}"
            )
        if any(not isinstance(part, n.Text) or part.text.strip() for part in parts) or name not in self._defined:
            self._defined[name] = parts

    def _branch(self, kind: Literal["if", "with", "range"]) -> n.Branch:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"more than {DEEPEST} blocks are nested")
        mark = len(self._scope.names)
        pipe = self._pipe(kind)
        self._close(kind)
        self._scope.loops += kind == "range"
        body, end = self._parts()
        self._scope.loops -= kind == "range"
        otherwise: list[n.Part] = []
        if end.kind == "else" and end.again:
            if kind == "range" or end.again != kind:
                raise self._error(f"unexpected <{end.again}> in {kind}")
            otherwise = [self._branch(cast(Literal["if", "with"], end.again))]
        elif end.kind == "else":
            otherwise, last = self._parts()
            if last.kind != "end":
                raise self._error(
                    f"expected end; found {{{{{last.kind}}}}}" if last.kind == "else" else "unexpected EOF"
                )
        elif end.kind != "end":
            raise self._error("unexpected EOF")
        del self._scope.names[mark:]
        self._depth -= 1
        return n.Branch(kind, pipe, body, otherwise)

    # expressions

    def _pipe(self, where: str) -> n.Pipe:
        line = self._skip().line
        declares, assigns = self._declared(where)
        commands: list[n.Command] = []
        while True:
            kind = self._skip().kind
            if kind in ("close", "right"):
                break
            commands.append(self._command(where))
            if self._skip().kind == "pipe":
                self._next()
        if not commands:
            raise self._error(f"missing value for {where}")
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.words[0], n.Value | n.Nil) or _is_dot(command.words[0]):
                raise self._error(f"non executable command in pipeline stage {stage}")
        if not assigns:
            self._scope.names += declares
        return n.Pipe(commands, line, tuple(declares), assigns)

    def _declared(self, where: str) -> tuple[list[str], bool]:
        """Variables that the pipeline sets, and whether they exist already."""
        begun, names = self._at, list[str]()
        while self._skip().kind == "variable":
            names.append(self._next().text)
            kind = self._skip().kind
            if kind in ("declare", "assign"):
                self._next()
                if kind == "assign":
                    for name in names:
                        self._known(name)
                return names, kind == "assign"
            if kind == "comma" and where == "range" and len(names) < 2:
                self._next()
                continue
            if kind == "comma":
                raise self._error(f"too many declarations in {where}")
            break
        self._at = begun
        return [], False

    def _known(self, name: str) -> None:
        if name not in self._scope.names:
            raise self._error(f'undefined variable "{name}"')

    def _command(self, where: str) -> n.Command:
        line = self._skip().line
        words: list[n.Node] = []
        while True:
            kind = self._skip().kind
            if kind in ("close", "right", "pipe"):
                break
            words.append(self._operand(where))
            kind = self._token.kind
            if kind not in ("space", "close", "right", "pipe"):
                raise self._unexpected("operand")
        if not words:
            raise self._error("empty command")
        return n.Command(words, line)

    def _operand(self, where: str) -> n.Node:
        token = self._token
        node = self._term(where)
        names: list[str] = []
        while self._token.kind == "field":
            names.append(self._next().text[1:])
        if not names:
            return node
        if isinstance(node, n.Path) and not (isinstance(node.owner, n.Pipe)):
            return n.Path(node.owner, (*node.names, *names), token.line)
        if isinstance(node, n.Value | n.Nil):
            raise self._error(f'unexpected . after term "{token.text}"')
        return n.Path(node, tuple(names), token.line)

    def _term(self, where: str) -> n.Node:
        token = self._token
        match token.kind:
            case "word":
                return self._word(self._next())
            case "dot":
                self._next()
                return n.Path(None, (), token.line)
            case "field":
                self._next()
                return n.Path(None, (token.text[1:],), token.line)
            case "variable":
                self._known(token.text)
                self._next()
                return n.Path(token.text, (), token.line)
            case "string" | "raw":
                self._next()
                return n.Value(string(token))
            case "char":
                self._next()
                return n.Value(ord(unquoted(token)))
            case "number":
                self._next()
                return n.Value(number(token.text))
            case "left":
                return self._parenthesis()
            case _:
                raise self._unexpected(where if where == "command" else "operand")

    def _parenthesis(self) -> n.Node:
        self._next()
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error("max expression depth exceeded")
        pipe = self._pipe("parenthesized pipeline")
        if self._skip().kind != "right":
            raise self._error("unclosed left paren")
        self._next()
        self._depth -= 1
        return pipe

    def _word(self, token: Token) -> n.Node:
        if token.text in ("true", "false"):
            return n.Value(token.text == "true")
        if token.text == "nil":
            return n.Nil()
        if token.text not in self._functions:
            raise TemplateError(f'function "{token.text}" not defined', token.line)
        return n.Function(token.text, token.line)


def _is_dot(node: Any) -> bool:
    return isinstance(node, n.Path) and node.owner is None and not node.names

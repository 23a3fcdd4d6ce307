"""Parses the tokens of a condition into a tree, by operator precedence.

The grammar is that of expr-lang 1.17 (spec/analysis.md §3). The parser is written by hand for three reasons: the
grammar is only a table of precedences; the errors name the token as the reference does; a parser generator would cost
45 ms at the first condition of each process. The parser limits depth and number of nodes, so that later walks of the
tree cannot overflow the stack.
"""

from __future__ import annotations

from typing import TypeVar

from serinus.analysis.expr import nodes as n
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.grammar import BINARY, COMPARISONS, NEGATED, PREDICATES, RIGHT, UNARY
from serinus.analysis.expr.lexer import WORDS, Token, tokens

DEEPEST = 150
"""Most levels of nodes. Real conditions have fewer than 20."""

NESTED = 50
"""Most levels of brackets: each costs the parser several calls."""

MOST_NODES = 5_000

Made = TypeVar("Made", bound=n.Node)


def parse(text: str) -> n.Node:
    """The tree of a condition. ConditionError names the unexpected token."""
    return _Parser(tokens(text)).whole()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._count = 0
        self._nested = 0
        self._predicates = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def whole(self) -> n.Node:
        node = self._sequence()
        if self._token.kind != "EOF":
            raise self._unexpected()
        return node

    def _new(self, node: Made) -> Made:
        self._count += 1
        if self._count > MOST_NODES:
            raise ConditionError(f"the condition has more than {MOST_NODES} parts")
        node.depth = 1 + max((child.depth for child in n.children(node)), default=0)
        if node.depth > DEEPEST:
            raise ConditionError(f"the condition is nested more than {DEEPEST} levels deep")
        return node

    def _unexpected(self) -> ConditionError:
        return ConditionError(f"unexpected token {self._token}")

    def _is(self, value: str, kind: str = "Operator") -> bool:
        return self._token.kind == kind and self._token.value == value

    def _next(self) -> Token:
        token = self._token
        if token.kind != "EOF":
            self._at += 1
        return token

    def _take(self, value: str, kind: str = "Operator") -> bool:
        fits = self._is(value, kind)
        if fits:
            self._next()
        return fits

    def _expect(self, value: str, kind: str = "Operator") -> None:
        if not self._take(value, kind):
            raise self._unexpected()

    def _name(self) -> str:
        if self._token.kind != "Identifier":
            raise self._unexpected()
        return str(self._next().value)

    def _sequence(self) -> n.Node:
        nodes = [self._expression()]
        while self._take(";"):
            if self._token.kind == "EOF" or self._is("}", "Bracket"):
                break
            nodes.append(self._expression())
        return nodes[0] if len(nodes) == 1 else self._new(n.Sequence(nodes))

    def _expression(self, precedence: int = 0) -> n.Node:
        self._nested += 1
        if self._nested > NESTED:
            raise ConditionError(f"the condition is nested more than {NESTED} levels deep")
        try:
            if precedence == 0 and self._take("let"):
                return self._let()
            if precedence == 0 and self._take("if"):
                return self._if()
            node = self._operators(self._primary(), precedence)
            return self._ternary(node) if precedence == 0 else node
        finally:
            self._nested -= 1

    def _operators(self, left: n.Node, precedence: int) -> n.Node:
        before = ""
        while self._token.kind == "Operator":
            operator = str(self._token.value)
            start, negated = self._at, operator == "not"
            if negated:
                self._next()
                operator = str(self._token.value)
                if self._token.kind != "Operator" or operator not in NEGATED:
                    raise self._unexpected()
            strength = BINARY.get(operator, -1)
            if strength < precedence:
                self._at = start
                break
            if before == "??" and operator != "??":
                raise ConditionError(
                    f"Operator ({operator}) and coalesce expressions (??) cannot be mixed. Wrap either by parentheses."
                )
            self._next()
            left = self._binary(operator, left, strength)
            if negated:
                left = self._new(n.Unary("not", left))
            before = operator
        return left

    def _binary(self, operator: str, left: n.Node, strength: int) -> n.Node:
        if operator == "|":
            return self._postfix(self._call(self._name(), left))
        if operator in COMPARISONS:
            return self._comparisons(operator, left, strength)
        right = self._expression(strength if operator in RIGHT else strength + 1)
        if strength in (10, 15):
            if isinstance(left, n.Logic) and left.operator == operator:
                self._count += 1
                left.terms.append(right)
                left.depth = max(left.depth, right.depth + 1)
                return left
            return self._new(n.Logic(operator, [left, right]))
        return self._new(n.Binary(operator, left, right))

    def _comparisons(self, operator: str, left: n.Node, strength: int) -> n.Node:
        """`1 < x < 3` means `1 < x && x < 3`."""
        terms: list[n.Node] = []
        while True:
            right = self._expression(strength + 1)
            terms.append(self._new(n.Binary(operator, left, right)))
            left = right
            if self._token.kind != "Operator" or self._token.value not in COMPARISONS:
                return terms[0] if len(terms) == 1 else self._new(n.Logic("&&", terms))
            operator = str(self._next().value)

    def _ternary(self, node: n.Node) -> n.Node:
        while self._take("?"):
            if self._take(":"):
                node = self._new(n.Conditional(node, node, self._expression()))
                continue
            then = self._expression()
            self._expect(":")
            node = self._new(n.Conditional(node, then, self._expression()))
        return node

    def _let(self) -> n.Node:
        name = self._name()
        self._expect("=")
        value = self._expression()
        self._expect(";")
        return self._new(n.Let(name, value, self._sequence()))

    def _if(self) -> n.Node:
        condition = self._expression()
        then = self._block()
        self._expect("else")
        otherwise = self._expression() if self._is("if") else self._block()
        return self._new(n.Conditional(condition, then, otherwise))

    def _block(self) -> n.Node:
        self._expect("{", "Bracket")
        node = self._sequence()
        self._expect("}", "Bracket")
        return node

    def _primary(self) -> n.Node:
        token = self._token
        if token.kind == "Operator" and token.value in UNARY:
            self._next()
            operand = self._expression(UNARY[str(token.value)])
            return self._postfix(self._new(n.Unary(str(token.value), operand)))
        if self._take("(", "Bracket"):
            node = self._sequence()
            self._expect(")", "Bracket")
            return self._postfix(self._group(node))
        if self._predicates and self._take("#"):
            name = self._name() if self._token.kind == "Identifier" else ""
            return self._postfix(self._new(n.Pointer(name)))
        if self._predicates and self._is("."):
            return self._postfix(self._new(n.Pointer("")))
        if self._take("::"):
            return self._postfix(self._call(self._name()))
        return self._literal()

    def _group(self, node: n.Node) -> n.Node:
        """An expression in brackets is complete: no chain and no sequence of `and` continues after it."""
        return self._new(n.Sequence([node])) if isinstance(node, n.Logic | n.Chain) else node

    def _literal(self) -> n.Node:
        token = self._next()
        if token.kind == "Number":
            return self._new(n.Constant(token.value))
        if token.kind == "String":
            return self._postfix(self._new(n.Constant(token.value)))
        if token.kind == "Identifier":
            name = str(token.value)
            if name in ("true", "false", "nil"):
                return self._new(n.Constant({"true": True, "false": False}.get(name)))
            if self._is("(", "Bracket"):
                return self._postfix(self._call(name))
            return self._postfix(self._new(n.Name(name)))
        if token.kind == "Bracket" and token.value == "[":
            return self._postfix(self._new(n.Items(self._list("]"))))
        if token.kind == "Bracket" and token.value == "{":
            return self._postfix(self._new(n.Pairs(self._pairs())))
        if token.kind != "EOF":
            self._at -= 1
        raise self._unexpected()

    def _list(self, end: str) -> list[n.Node]:
        """Expressions up to `end`, with an optional comma after the last."""
        nodes: list[n.Node] = []
        while not self._take(end, "Bracket"):
            if nodes:
                self._expect(",")
                if self._take(end, "Bracket"):
                    break
            nodes.append(self._expression())
        return nodes

    def _pairs(self) -> list[tuple[n.Node, n.Node]]:
        pairs: list[tuple[n.Node, n.Node]] = []
        while not self._take("}", "Bracket"):
            if pairs:
                self._expect(",")
                if self._take("}", "Bracket"):
                    break
            pairs.append((self._key(), self._expression()))
        return pairs

    def _key(self) -> n.Node:
        token = self._token
        if self._is("(", "Bracket"):
            key = self._expression()
        elif token.kind in ("Number", "String", "Identifier"):
            key = self._new(n.Constant(str(self._next().value)))
        else:
            raise ConditionError(
                "a map key must be a quoted string, a number, a identifier, or an expression enclosed in parentheses "
                f"(unexpected token {token})"
            )
        self._expect(":")
        return key

    def _call(self, name: str, piped: n.Node | None = None) -> n.Node:
        """The arguments of `name`, which was just parsed. `piped`: the operand in front of `|`."""
        self._expect("(", "Bracket")
        first = [] if piped is None else [piped]
        if name not in PREDICATES:
            return self._new(n.Call(name, [*first, *self._list(")")]))
        form = PREDICATES[name]
        optional, form = form.endswith("?"), form.rstrip("?")
        arguments = list(first)
        for position, kind in enumerate(form[len(first) :], len(first)):
            if optional and position == len(form) - 1 and self._is(")", "Bracket"):
                break
            if self._is(")", "Bracket"):
                raise ConditionError(f"expected at least {len(form) - optional} arguments to call {name}")
            if position > len(first):
                self._expect(",")
            arguments.append(self._predicate() if kind == "p" else self._expression())
        self._take(",")
        self._expect(")", "Bracket")
        return self._new(n.Call(name, arguments))

    def _predicate(self) -> n.Node:
        self._predicates += 1
        body = self._block() if self._is("{", "Bracket") else self._expression()
        self._predicates -= 1
        return self._new(n.Predicate(body))

    def _postfix(self, node: n.Node) -> n.Node:
        while self._token.kind in ("Operator", "Bracket"):
            optional = self._is("?.")
            if optional or self._is("."):
                self._next()
                if optional and self._take("[", "Bracket"):
                    node = self._index(node, optional=True)
                    continue
                node = self._dotted(node, optional=optional)
            elif self._take("[", "Bracket"):
                node = self._index(node)
            else:
                break
        return node

    def _dotted(self, owner: n.Node, *, optional: bool) -> n.Node:
        token = self._next()
        if token.kind == "EOF":
            raise ConditionError("unexpected end of expression")
        if token.kind != "Identifier" and not (token.kind == "Operator" and token.value in WORDS):
            raise ConditionError("expected name")
        name, (inner, chained) = str(token.value), _opened(owner)
        if self._take("(", "Bracket"):
            node: n.Node = self._new(n.Method(inner, name, self._list(")"), optional))
        else:
            node = self._new(n.Member(inner, n.Constant(name), optional, dotted=True))
        return self._new(n.Chain(node)) if chained or optional else node

    def _index(self, owner: n.Node, *, optional: bool = False) -> n.Node:
        inner, chained = _opened(owner)
        start = None if self._is(":") else self._expression()
        if self._take(":"):
            end = None if self._is("]", "Bracket") else self._expression()
            node: n.Node = self._new(n.Slice(inner, start, end))
        else:
            assert start is not None
            node = self._new(n.Member(inner, start, optional))
        self._expect("]", "Bracket")
        return self._new(n.Chain(node)) if chained or optional else node


def _opened(node: n.Node) -> tuple[n.Node, bool]:
    """(the inner node of a chain, which further members extend, or the node itself; whether it is a chain)."""
    return (node.inner, True) if isinstance(node, n.Chain) else (node, False)

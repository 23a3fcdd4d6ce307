"""Compiles a tree for one type of result: every node becomes its type and a function of a `Run`.

One walk checks and compiles, so each node has its rule in one place. An error for all values is an error here, even in
a branch that never runs. An error that depends on the values occurs when the condition runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serinus.analysis.expr import nodes as n
from serinus.analysis.expr import operators
from serinus.analysis.expr import types as t
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.function import Run, Table
from serinus.analysis.expr.functions.lists import LISTS
from serinus.analysis.expr.functions.numbers import NUMBERS
from serinus.analysis.expr.functions.predicates import PREDICATES, Body
from serinus.analysis.expr.functions.text import TEXTS
from serinus.analysis.expr.functions.time import TIMES, call_method, check_method
from serinus.analysis.expr.members import cut, fetch, member_type
from serinus.analysis.expr.patterns import Pattern
from serinus.analysis.expr.types import Type
from serinus.analysis.expr.values import go_type

Eval = Callable[[Run], Any]

FUNCTIONS = Table({**NUMBERS, **TEXTS, **LISTS, **TIMES})
ENVIRONMENT = "$env"
RESULT = "result"
OWN = ("asInt", "asFloat", "isNaN", "isInf", "isNil", "default")
"""Functions of the environment, in addition to the language's own."""


class _Ended(Exception):
    """`?.` found nil, which ends its chain."""


@dataclass(frozen=True)
class Made:
    type: Type
    run: Eval


def compile_for(node: n.Node, result: Type) -> Made:
    """The tree compiled for a result of that type. ConditionError if it is invalid."""
    return _Compiler(result).make(node)


def compile_open(node: n.Node) -> Made:
    """The tree compiled for a `Run.result` that is a map of variables: a missing name is nil. ConditionError."""
    return _Compiler(t.MAP, is_open=True).make(node)


class _Compiler:
    def __init__(self, result: Type, *, is_open: bool = False) -> None:
        self._result, self._is_open = result, is_open
        self._elements: list[tuple[Type, Type]] = []
        self._variables: list[tuple[str, Type]] = []

    def make(self, node: n.Node) -> Made:
        match node:
            case n.Constant():
                return self._constant(node)
            case n.Name():
                return self._name(node)
            case n.Binary():
                return self._binary(node)
            case n.Member():
                return self._member(node)
            case n.Call():
                return self._call(node)
            case n.Logic():
                return self._logic(node)
            case n.Pointer():
                return self._pointer(node)
            case n.Unary():
                return self._unary(node)
            case n.Conditional():
                return self._conditional(node)
            case n.Chain():
                return self._chain(node)
            case n.Slice():
                return self._slice(node)
            case n.Method():
                return self._method(node)
            case n.Items():
                return self._items(node)
            case n.Pairs():
                return self._pairs(node)
            case n.Let():
                return self._let(node)
            case n.Sequence():
                return self._sequence(node)
            case _:
                raise ConditionError("a predicate stands only where a function takes one")

    def _constant(self, node: n.Constant) -> Made:
        value = node.value
        return Made(t.type_of(value), lambda run: value)

    def _name(self, node: n.Name) -> Made:
        slot = next((at for at, (name, _) in enumerate(self._variables) if name == node.name), None)
        if slot is not None:
            return Made(self._variables[slot][1], lambda run: run.variables[slot])
        if self._is_open:
            name = node.name
            if name == ENVIRONMENT:
                return Made(t.MAP, lambda run: run.result)
            return Made(t.UNKNOWN, lambda run: run.result.get(name))
        if node.name == RESULT:
            return Made(self._result, lambda run: run.result)
        if node.name == ENVIRONMENT:
            return Made(t.MAP, lambda run: {RESULT: run.result})
        if node.name in OWN:
            name = node.name
            return Made(t.FUNCTION, lambda run: FUNCTIONS[name])
        raise ConditionError(f"unknown name {node.name}")

    def _pointer(self, node: n.Pointer) -> Made:
        if not self._elements:
            raise ConditionError("cannot use pointer accessor outside predicate")
        element, accumulator = self._elements[-1]
        if node.name == "":
            return Made(element, lambda run: run.elements[-1][0])
        if node.name == "index":
            return Made(t.INT, lambda run: run.elements[-1][1])
        if node.name == "acc":
            return Made(accumulator, lambda run: run.elements[-1][2])
        raise ConditionError(f"unknown pointer #{node.name}")

    def _unary(self, node: n.Unary) -> Made:
        operand = self.make(node.operand)
        kind = operators.unary_type(node.operator, operand.type)
        value = operand.run
        if node.operator in ("!", "not"):
            return Made(kind, lambda run: not operators.truth(value(run)))
        if node.operator == "+":
            return Made(kind, value)
        return Made(kind, lambda run: operators.negative(value(run)))

    def _binary(self, node: n.Binary) -> Made:
        if node.operator == "??":
            return self._coalesce(node)
        if node.operator not in operators.WORK:
            raise ConditionError(f"unknown operator {node.operator}")
        left, right = self.make(node.left), self.make(node.right)
        kind = operators.result_type(node.operator, left.type, right.type)
        if node.operator == "matches" and isinstance(node.right, n.Constant) and isinstance(node.right.value, str):
            Pattern(node.right.value)
        work, a, b = operators.WORK[node.operator], left.run, right.run
        if node.operator in ("==", "!=") and left.type == right.type == t.INT:
            work = operators.whole(work)
        return Made(kind, lambda run: work(a(run), b(run), run.budget))

    def _coalesce(self, node: n.Binary) -> Made:
        left, right = self.make(node.left), self.make(node.right)
        a, b = left.run, right.run

        def run_it(run: Run) -> Any:
            value = a(run)
            return b(run) if value is None else value

        return Made(t.common(left.type, right.type), run_it)

    def _logic(self, node: n.Logic) -> Made:
        operands = [self.make(term) for term in node.terms]
        for before, after in itertools.pairwise(operands):
            if not {before.type, after.type} <= {t.BOOL, t.UNKNOWN}:
                raise operators.mismatch(node.operator, before.type, after.type)
        terms, stop = [one.run for one in operands], node.operator in ("or", "||")

        def run_it(run: Run) -> bool:
            return next((stop for term in terms if operators.truth(term(run)) is stop), not stop)

        return Made(t.BOOL, run_it)

    def _conditional(self, node: n.Conditional) -> Made:
        condition, then, otherwise = (self.make(part) for part in (node.condition, node.then, node.otherwise))
        if condition.type not in (t.BOOL, t.UNKNOWN):
            raise ConditionError(f"non-bool expression (type {condition.type}) used as condition")
        test, yes, no = condition.run, then.run, otherwise.run
        return Made(
            t.common(then.type, otherwise.type), lambda run: yes(run) if operators.truth(test(run)) else no(run)
        )

    def _items(self, node: n.Items) -> Made:
        items = [self.make(item) for item in node.items]
        kinds = {one.type for one in items}
        runs = [one.run for one in items]
        return Made(t.list_of(kinds.pop() if len(kinds) == 1 else None), lambda run: [one(run) for one in runs])

    def _pairs(self, node: n.Pairs) -> Made:
        pairs = [(self.make(key).run, self.make(value).run) for key, value in node.pairs]

        def run_it(run: Run) -> dict[str, Any]:
            mapping: dict[str, Any] = {}
            for key, value in pairs:
                name = key(run)
                if not isinstance(name, str):
                    raise ConditionError(f"interface conversion: interface {{}} is {go_type(name)}, not string")
                mapping[name] = value(run)
            return mapping

        return Made(t.MAP, run_it)

    def _let(self, node: n.Let) -> Made:
        if node.name in FUNCTIONS or node.name in PREDICATES or node.name in (RESULT, ENVIRONMENT):
            raise ConditionError(f"cannot redeclare {node.name}")
        if any(node.name == name for name, _ in self._variables):
            raise ConditionError(f"cannot redeclare variable {node.name}")
        value = self.make(node.value)
        self._variables.append((node.name, value.type))
        body = self.make(node.body)
        self._variables.pop()
        first, then = value.run, body.run

        def run_it(run: Run) -> Any:
            run.variables.append(first(run))
            try:
                return then(run)
            finally:
                run.variables.pop()

        return Made(body.type, run_it)

    def _sequence(self, node: n.Sequence) -> Made:
        parts = [self.make(one) for one in node.nodes]
        runs = [one.run for one in parts]

        def run_it(run: Run) -> Any:
            value: Any = None
            for one in runs:
                value = one(run)
            return value

        return Made(parts[-1].type, runs[0] if len(runs) == 1 else run_it)

    def _chain(self, node: n.Chain) -> Made:
        inner = self.make(node.inner)
        value = inner.run

        def run_it(run: Run) -> Any:
            try:
                return value(run)
            except _Ended:
                return None

        return Made(inner.type, run_it)

    def _member(self, node: n.Member) -> Made:
        owner, key = self.make(node.owner), self.make(node.key)
        kind = member_type(owner.type, key.type, node)
        value, index, optional = owner.run, key.run, node.optional
        if isinstance(node.owner, n.Name) and node.owner.name == ENVIRONMENT and isinstance(node.key, n.Constant):
            return self._name(n.Name(str(node.key.value)))

        def run_it(run: Run) -> Any:
            owner_value = value(run)
            if owner_value is None and optional:
                raise _Ended
            return fetch(owner_value, index(run))

        return Made(kind, run_it)

    def _slice(self, node: n.Slice) -> Made:
        owner = self.make(node.owner)
        if owner.type not in (t.STRING, t.UNKNOWN) and not t.is_list(owner.type):
            raise ConditionError(f"cannot slice {owner.type}")
        bounds: list[Eval | None] = []
        for bound in (node.start, node.end):
            compiled = None if bound is None else self.make(bound)
            if compiled is not None and compiled.type not in (t.INT, t.UNKNOWN):
                raise ConditionError(f"non-integer slice index {compiled.type}")
            bounds.append(None if compiled is None else compiled.run)
        value, (start, end) = owner.run, bounds

        def run_it(run: Run) -> Any:
            return cut(value(run), None if start is None else start(run), None if end is None else end(run), run)

        return Made(owner.type, run_it)

    def _call(self, node: n.Call) -> Made:
        if node.name in PREDICATES:
            return self._predicate(node)
        arguments = [self.make(argument) for argument in node.arguments]
        if node.name == RESULT and not self._is_open:
            raise ConditionError(f"{self._result} is not callable")
        function = FUNCTIONS.get(node.name)
        if function is None:
            raise ConditionError(f"unknown name {node.name}")
        kind = function.check([one.type for one in arguments])
        work, runs = function.work, [one.run for one in arguments]
        return Made(kind, lambda run: work([one(run) for one in runs], run))

    def _method(self, node: n.Method) -> Made:
        owner, compiled = self.make(node.owner), [self.make(argument) for argument in node.arguments]
        arguments = [one.type for one in compiled]
        kind = t.UNKNOWN if owner.type == t.UNKNOWN else check_method(owner.type, node.name, arguments)
        value, runs, name, optional = owner.run, [one.run for one in compiled], node.name, node.optional

        def run_it(run: Run) -> Any:
            receiver = value(run)
            if receiver is None and optional:
                raise _Ended
            return call_method(receiver, name, [one(run) for one in runs])

        return Made(kind, run_it)

    def _predicate(self, node: n.Call) -> Made:
        rule = PREDICATES[node.name]
        source = self.make(node.arguments[0])
        if source.type != t.UNKNOWN and not t.is_list(source.type):
            raise ConditionError(f"builtin {node.name} takes only array (got {source.type})")
        element = t.element_of(source.type)
        body: Body | None = None
        body_type = element
        rest = node.arguments[1:]
        if rest and isinstance(rest[0], n.Predicate):
            self._elements.append((element, t.UNKNOWN))
            predicate = self.make(rest[0].body)
            self._elements.pop()
            if predicate.type == t.NIL:
                raise ConditionError("predicate should has one input and one output param")
            if rule.tests and predicate.type not in (t.BOOL, t.UNKNOWN):
                raise ConditionError(f"predicate should return boolean (got {predicate.type})")
            body, body_type = Body(predicate.run, cost=1 + rest[0].depth), predicate.type
            rest = rest[1:]
        extra = self.make(rest[0]).run if rest else None
        value, work, name = source.run, rule.work, node.name

        def run_it(run: Run) -> Any:
            elements = value(run)
            if not isinstance(elements, list):
                raise ConditionError(f"builtin {name} takes only array (got {go_type(elements)})")
            return work(elements, body, run, None if extra is None else extra(run), extra is not None)

        return Made(rule.gives(element, body_type), run_it)

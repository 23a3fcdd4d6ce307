"""Operator precedence, and the functions with a predicate (expr-lang 1.17)."""

from __future__ import annotations

BINARY = {
    "|": 0,
    **dict.fromkeys(("or", "||"), 10),
    **dict.fromkeys(("and", "&&"), 15),
    **dict.fromkeys(("==", "!=", "<", ">", ">=", "<=", "in", "matches", "contains", "startsWith", "endsWith"), 20),
    "..": 25,
    **dict.fromkeys(("+", "-"), 30),
    **dict.fromkeys(("*", "/", "%"), 60),
    **dict.fromkeys(("**", "^"), 100),
    "??": 500,
}
UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
RIGHT = frozenset(("**", "^"))
COMPARISONS = frozenset(("<", ">", ">=", "<="))
NEGATED = frozenset(("in", "matches", "contains", "startsWith", "endsWith"))

PREDICATES = {
    **dict.fromkeys(
        ("all", "none", "any", "one", "filter", "map", "find", "findIndex", "findLast", "findLastIndex"), "ap"
    ),
    "groupBy": "ap",
    "count": "ap?",
    "sum": "ap?",
    "sortBy": "ape?",
    "reduce": "ape?",
}
"""Functions with a predicate: a = list, p = predicate, e = expression, ? = the last one is optional."""

"""Values that no sensible program writes, and every JSON decoder must read. Functions of a `Random` only."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

Json = dict[str, Any]

TEXTS = (
    "", " ", "a", "web", "25%", "-1", "1e999999999", "0x10", "٣", "10s", "-1s", "9999999h", "1000000000000000000000d",
    "2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "{{args.a}}", "{{args.", "{{ args.a }}{{args.b}}",
    "{{templates.a.podTemplateHash}}",
    "../..", "a/b", "é\u0301", "\u202e", "\0", "\ud7ff", "𝒳", "true", "null", "[", "{", "$", "*", "(a+)+$", "1Gi", "500m", "%s%n", "\r\n",
    "result == 1", "result[", "default", "web-canary",
)  # fmt: skip
WHOLE = (0, 1, -1, 2, 5, 50, 100, 101, 1000, 2**31 - 1, -(2**31), 2**31)
NUMBERS = (*WHOLE, 2**63 - 1, -(2**63), 2**64, 10**30, 0.5, -0.0, 1e308)
LONG = (200, 5_000, 60_000)
LARGEST = 1_500_000
"""Characters of an object that an API server accepts."""

MANY = (50, 500, 3_000)


def text(random: Random) -> str:
    chosen = random.choice(TEXTS)
    return (chosen or "x") * (random.choice(LONG) // max(1, len(chosen))) if random.random() < 0.03 else chosen


def anything(random: Random, depth: int = 3) -> Any:
    """Any JSON value; a few are very deep, long or wide."""
    kind = random.random()
    if depth > 0 and kind < 0.2:
        return [anything(random, depth - 1) for _ in range(random.randrange(4))]
    if depth > 0 and kind < 0.45:
        return {text(random): anything(random, depth - 1) for _ in range(random.randrange(4))}
    if kind < 0.46:
        return nested(random, random.choice((60, 126, 140, 200)))
    if kind < 0.47:
        return repeated(random, [anything(random, 0)])
    if kind < 0.75:
        return text(random)
    return random.choice((*NUMBERS, None, True, False))


def repeated(random: Random, items: list[Any]) -> list[Any]:
    """The same items many times, as far as they fit into an object."""
    return items * max(1, min(random.choice(MANY), LARGEST // 4 // len(json.dumps(items))))


def nested(random: Random, levels: int) -> Any:
    value: Any = text(random)
    for _ in range(levels):
        value = [value] if random.random() < 0.5 else {"a": value}
    return value


def of_schema(random: Random, schema: Json, fullness: float = 0.3) -> Any:
    """A value that this structural schema admits. `fullness`: the chance of each optional field."""
    if "enum" in schema:
        return random.choice(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return random.choice(WHOLE) if random.random() < 0.5 else text(random)
    match schema.get("type"):
        case "string":
            return text(random)
        case "integer":
            return random.choice(WHOLE)
        case "number":
            return random.choice(NUMBERS)
        case "boolean":
            return random.random() < 0.5
        case "array":
            items = schema.get("items", {})
            one = [of_schema(random, items, fullness) for _ in range(random.randrange(3))]
            return repeated(random, one) if random.random() < 0.02 else one
        case "object":
            return _object(random, schema, fullness)
        case _:
            return anything(random, 2)


def _object(random: Random, schema: Json, fullness: float) -> Json:
    if isinstance(more := schema.get("additionalProperties"), dict):
        size = random.choice(MANY[:2]) if random.random() < 0.02 else random.randrange(3)
        return {f"{text(random)[:300]}{i or ''}": of_schema(random, more, fullness) for i in range(size)}
    fields: Json = schema.get("properties", {})
    if not fields:
        return {text(random): anything(random, 2) for _ in range(random.randrange(3))}
    needed = set(schema.get("required", ()))
    chosen = [name for name in fields if name in needed or random.random() < fullness]
    return {name: of_schema(random, fields[name], fullness / 1.3) for name in chosen}


def fitting(random: Random, make: Callable[[Random], Any]) -> Any:
    """The first of some values within an API server's size limit."""
    while len(json.dumps(value := make(random))) > LARGEST:
        pass
    return value


def mutated(random: Random, value: Any, times: int = 3) -> Any:
    """A copy in which some places have another value, none, or are there again and again."""
    root = [copy.deepcopy(value)]
    for _ in range(random.randrange(1, times + 1)):
        at: Any = root
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = random.choice(keys)
            if isinstance(at[key], dict | list) and at[key] and random.random() < 0.85:
                at = at[key]
                continue
            _changed(random, at, key, root)
            break
    return root[0]


def _changed(random: Random, at: Any, key: Any, root: Any) -> None:
    kind = random.random()
    if kind < 0.2 and at is not root:
        del at[key]
    elif kind < 0.3 and isinstance(at, list) and at is not root:
        size = len(json.dumps(at[key]))
        at += [copy.deepcopy(at[key]) for _ in range(min(random.choice((1, 30, 300)), 1 + 200_000 // size))]
    else:
        at[key] = anything(random, 2)

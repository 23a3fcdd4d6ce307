"""Label and field selectors: parsed once into a predicate, with the errors that users of kubectl know."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from serinus.local.apiserver.errors import bad_request

Labels = Mapping[str, str]
Matches = Callable[[Labels], bool]

_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?"
_KEY = re.compile(rf"(?:{_PREFIX}/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
_SET = re.compile(r"\s*(\S+?)\s+(in|notin)\s*\(([^()]*)\)\s*")
_COMPARE = re.compile(r"\s*([^\s=!<>]+)\s*(==|=|!=|>|<)\s*([^\s=!<>]*)\s*")
_EXISTS = re.compile(r"\s*(!?)\s*([^\s=!<>()]+)\s*")
_COMMA = re.compile(r",(?![^(]*\))")


def everything(_: Labels) -> bool:
    return True


@lru_cache(maxsize=512)
def label_selector(text: str) -> Matches:
    """The predicate over an object's labels; raises the 400 of a real server where `text` is none."""
    if not text.strip():
        return everything
    parts = [_requirement(text, part) for part in _COMMA.split(text)]
    return parts[0] if len(parts) == 1 else lambda labels: all(part(labels) for part in parts)


def _requirement(whole: str, part: str) -> Matches:
    if found := _SET.fullmatch(part):
        key, operator, values = (
            _key(whole, found[1]),
            found[2],
            frozenset(_value(whole, v.strip()) for v in found[3].split(",")),
        )
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _COMPARE.fullmatch(part):
        return _comparison(_key(whole, found[1]), found[2], _value(whole, found[3]))
    if found := _EXISTS.fullmatch(part):
        key, absent = _key(whole, found[2]), bool(found[1])
        return lambda labels: (key in labels) is not absent
    raise bad_request(
        f"unable to parse requirement: found {part.strip()!r} in the selector {whole!r}: write key=value, key!=value, key in (a,b), key notin (a,b), key or !key"
    )


def _comparison(key: str, operator: str, value: str) -> Matches:
    if operator in ("=", "=="):
        return lambda labels: labels.get(key) == value
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    try:
        bound = int(value)
    except ValueError:
        raise bad_request(
            f"unable to parse requirement: values[0][{key}]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
        ) from None

    def compared(labels: Labels) -> bool:
        try:
            found = int(labels.get(key, ""))
        except ValueError:
            return False
        return found > bound if operator == ">" else found < bound

    return compared


def _key(whole: str, key: str) -> str:
    if not _KEY.fullmatch(key):
        raise bad_request(
            f"unable to parse requirement: <nil>: Invalid value: \"{key}\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (in the selector {whole!r})"
        )
    return key


def _value(whole: str, value: str) -> str:
    if not _VALUE.fullmatch(value):
        raise bad_request(
            f"unable to parse requirement: values[0]: Invalid value: \"{value}\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (in the selector {whole!r})"
        )
    return value


@lru_cache(maxsize=512)
def field_selector(text: str) -> tuple[tuple[str, bool, str], ...]:
    """(field, whether equal is asked for, value) of each term."""
    terms: list[tuple[str, bool, str]] = []
    for part in re.split(r"(?<!\\),", text):
        if not part.strip():
            continue
        found = re.fullmatch(r"\s*([^=!\s]+)\s*(==|=|!=)(.*)", part)
        if not found:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        terms.append((found[1], found[2] != "!=", re.sub(r"\\(.)", r"\1", found[3].strip())))
    return tuple(terms)


def selects(selector: Mapping[str, object] | None, labels: Labels) -> bool:
    """Whether a LabelSelector object (matchLabels, matchExpressions) matches. Nothing is matched by an absent one."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels")
    if isinstance(wanted, dict) and any(labels.get(k) != v for k, v in wanted.items()):
        return False
    expressions = selector.get("matchExpressions")
    for term in expressions if isinstance(expressions, list) else []:
        key, operator, values = term.get("key"), term.get("operator"), term.get("values") or []
        found = labels.get(key)
        fits = {
            "In": found in values,
            "NotIn": found not in values,
            "Exists": found is not None,
            "DoesNotExist": found is None,
        }
        if not fits.get(operator, False):
            return False
    return True


def as_text(selector: Mapping[str, object] | None) -> str:
    """A LabelSelector object as text, in the order that `metav1.FormatLabelSelector` writes: what Scale and tables show."""
    if not selector:
        return ""
    labels, expressions = selector.get("matchLabels"), selector.get("matchExpressions")
    parts: list[tuple[str, str]] = []
    if isinstance(labels, dict):
        parts += [(str(k), f"{k}={v}") for k, v in labels.items()]
    for term in expressions if isinstance(expressions, list) else []:
        key, values = str(term.get("key")), ",".join(sorted(term.get("values") or []))
        texts = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append((key, texts.get(str(term.get("operator")), key)))
    return ",".join(text for _, text in sorted(parts))

"""sprig's functions of text."""

from __future__ import annotations

import re
from typing import Any

from serinus.analysis.expr.values import from_raw, raw
from serinus.notifications.templates.functions.function import Call, Table, fits, sized
from serinus.notifications.templates.printf import quoted
from serinus.notifications.templates.values import shown, text_of

TEXTS = Table()

_SIMPLE = {
    "upper": str.upper,
    "lower": str.lower,
    "trim": str.strip,
    "nospace": lambda s: re.sub(r"\s+", "", s),
    "swapcase": str.swapcase,
    "untitle": lambda s: s[:1].lower() + s[1:],
    "title": lambda s: re.sub(r"(?<!\w)[^\W\d_]", lambda m: m.group().upper(), s),
    "initials": lambda s: "".join(word[0] for word in s.split()),
}


def _simple(name: str) -> None:
    work = _SIMPLE[name]

    @TEXTS.add(name, "s")
    def _(run: Call, text: str) -> str:
        return sized(work(text), run)


for _name in _SIMPLE:
    _simple(_name)


@TEXTS.add("trimAll trimall", "ss")
def _trim_all(_run: Call, characters: str, text: str) -> str:
    return text.strip(characters) if characters else text


@TEXTS.add("trimPrefix", "ss")
def _trim_prefix(_run: Call, prefix: str, text: str) -> str:
    return text.removeprefix(prefix)


@TEXTS.add("trimSuffix", "ss")
def _trim_suffix(_run: Call, suffix: str, text: str) -> str:
    return text.removesuffix(suffix)


@TEXTS.add("trunc", "is")
def _trunc(_run: Call, count: int, text: str) -> str:
    data = raw(text)
    if count < 0:
        return from_raw(data[count:]) if len(data) + count > 0 else text
    return from_raw(data[:count])


@TEXTS.add("substr", "iis")
def _substr(_run: Call, start: int, end: int, text: str) -> str:
    data = raw(text)
    if start < 0:
        return from_raw(data[: max(0, end)])
    return from_raw(data[start:] if end < 0 or end > len(data) else data[start:end])


@TEXTS.add("abbrev", "is")
def _abbrev(_run: Call, width: int, text: str) -> str:
    return text if width < 4 or len(text) <= width else text[: width - 3] + "..."


@TEXTS.add("repeat", "is")
def _repeat(run: Call, count: int, text: str) -> str:
    fits(len(text) * count)
    return sized(text * max(0, count), run)


@TEXTS.add("replace", "sss")
def _replace(run: Call, old: str, new: str, text: str) -> str:
    run.work.spend_text((len(text) + 1) * (len(new) + 1) if len(new) > 64 else len(text))
    return sized(text.replace(old, new), run)


@TEXTS.add("contains", "ss")
def _contains(_run: Call, part: str, text: str) -> bool:
    return part in text


@TEXTS.add("hasPrefix", "ss")
def _has_prefix(_run: Call, prefix: str, text: str) -> bool:
    return text.startswith(prefix)


@TEXTS.add("hasSuffix", "ss")
def _has_suffix(_run: Call, suffix: str, text: str) -> bool:
    return text.endswith(suffix)


@TEXTS.add("quote", "a*")
def _quote(run: Call, *values: Any) -> str:
    return sized(" ".join(quoted(text_of(value, run.work)) for value in values if value is not None), run)


@TEXTS.add("squote", "a*")
def _squote(run: Call, *values: Any) -> str:
    return sized(" ".join(f"'{shown(value, run.work)}'" for value in values if value is not None), run)


@TEXTS.add("cat", "a*")
def _cat(run: Call, *values: Any) -> str:
    return sized(" ".join(shown(value, run.work) for value in values if value is not None), run)


def _indented(run: Call, spaces: int, text: str) -> str:
    pad = " " * min(max(0, spaces), 1000)
    run.work.spend_text((text.count("\n") + 1) * len(pad))
    return sized(pad + text.replace("\n", "\n" + pad), run)


@TEXTS.add("indent", "is")
def _indent(run: Call, spaces: int, text: str) -> str:
    return _indented(run, spaces, text)


@TEXTS.add("nindent", "is")
def _nindent(run: Call, spaces: int, text: str) -> str:
    return "\n" + _indented(run, spaces, text)


@TEXTS.add("toString", "a")
def _to_string(run: Call, value: Any) -> str:
    return text_of(value, run.work)


@TEXTS.add("plural", "ssi")
def _plural(_run: Call, one: str, many: str, count: int) -> str:
    return one if count == 1 else many


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[^0-9A-Za-z]+|(?<=[a-z0-9])(?=[A-Z])", text) if word]


@TEXTS.add("snakecase", "s")
def _snakecase(_run: Call, text: str) -> str:
    return "_".join(_words(text)).lower()


@TEXTS.add("kebabcase", "s")
def _kebabcase(_run: Call, text: str) -> str:
    return "-".join(_words(text)).lower()


@TEXTS.add("camelcase", "s")
def _camelcase(_run: Call, text: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[-_ ]+", text))


def _pieces(run: Call, parts: list[str]) -> list[str]:
    run.work.spend(len(parts))
    return parts


def parted(run: Call, separator: str, text: str, most: int = -1) -> list[str]:
    """Go's strings.SplitN: an empty separator splits into characters."""
    if most == 0:
        return []
    if separator:
        return _pieces(run, text.split(separator, most - 1 if most > 0 else -1))
    characters = list(text)
    if 0 < most < len(characters):
        characters = [*characters[: most - 1], "".join(characters[most - 1 :])]
    return _pieces(run, characters)


@TEXTS.add("splitList", "ss")
def _split_list(run: Call, separator: str, text: str) -> list[str]:
    return parted(run, separator, text)


@TEXTS.add("split", "ss")
def _split(run: Call, separator: str, text: str) -> dict[str, str]:
    return {f"_{at}": part for at, part in enumerate(parted(run, separator, text))}


@TEXTS.add("splitn", "sis")
def _splitn(run: Call, separator: str, most: int, text: str) -> dict[str, str]:
    return {f"_{at}": part for at, part in enumerate(parted(run, separator, text, most))}


def texts(run: Call, value: Any) -> list[str]:
    """The elements as texts, without nil: sprig's strslice."""
    if value is None:
        return []
    items = value if isinstance(value, list) else list(value) if isinstance(value, bytes) else [value]
    return [text_of(item, run.work) for item in items if item is not None]


@TEXTS.add("join", "sa")
def _join(run: Call, separator: str, values: Any) -> str:
    parts = texts(run, values)
    run.work.spend_text(len(separator) * len(parts))
    return sized(separator.join(parts), run)


@TEXTS.add("toStrings", "a")
def _to_strings(run: Call, value: Any) -> list[str]:
    return texts(run, value)


@TEXTS.add("sortAlpha", "a")
def _sort_alpha(run: Call, value: Any) -> list[str]:
    items = texts(run, value) if isinstance(value, list) else [text_of(value, run.work)]
    run.work.spend(len(items) * 4)
    return sorted(items, key=raw)

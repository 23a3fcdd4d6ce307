"""Flags of a command, and their values in a command line, in kubectl's syntax: `--watch=false`, `-wn prod`.

A flag may appear anywhere in front of `--`. Invalid flags end in a `UsageProblem`, never in a traceback.
"""

from __future__ import annotations

from serinus.api.messages.counted import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from serinus.cli.framework.commandline import CommandTarget

    Value = str | bool | int | float | list[str] | None


class UsageProblem(Exception):
    """An invalid command line. `usage`: it names no command, so the list of commands replaces the error."""

    def __init__(self, message: str = "", *, usage: CommandTarget | None = None) -> None:
        super().__init__(message)
        self.message, self.usage = message, usage


class Flag:
    """The type of `default` is the type of the flag: text, a switch, a number, or (an empty tuple) repeated text.

    `parse`: text -> value, instead of that type; it raises ValueError with the remedy (`whole`, `real`). The default
    may be text for it, or None for no value.
    `deprecated`: the replacement, printed on stderr when the flag is given. `choices`: the valid values; empty for any.
    `also`: further spellings. `takes`: the number of words of a value; with more than one the value is a list.
    `hidden`: neither help nor completion shows it. `required`: the command line is invalid without it.
    """

    __slots__ = (
        *("also", "choices", "default", "deprecated", "help", "hidden", "metavar", "name"),
        *("parse", "required", "short", "takes"),
    )

    def __init__(
        self,
        name: str,
        help: str,
        short: str = "",
        default: str | bool | int | float | tuple[()] | None = "",
        metavar: str = "",
        deprecated: str = "",
        choices: tuple[str, ...] = (),
        *,
        parse: Callable[[str], Any] | None = None,
        also: tuple[str, ...] = (),
        takes: int = 1,
        hidden: bool = False,
        required: bool = False,
    ) -> None:
        self.name, self.help, self.short, self.choices = name, help, short, choices
        self.default, self.metavar, self.deprecated = default, metavar, deprecated
        self.parse, self.also, self.takes, self.hidden, self.required = parse, also, takes, hidden, required

    @property
    def is_switch(self) -> bool:
        return isinstance(self.default, bool)


HELP = Flag("help", "Show this help", short="h", default=False)


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """For `Flag.parse`: a whole number of this range."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            raise ValueError(f"write a whole number {_range(least, most)}")
        return number

    return parse


def real(least: float | None = None, most: float | None = None) -> Callable[[str], float]:
    """For `Flag.parse`: a number of this range."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise ValueError("write a number") from None
        if (least is not None and not number >= least) or (most is not None and not number <= most):
            raise ValueError(f"write a number {_range(least, most)}")
        return number

    return parse


def _range(least: float | None, most: float | None) -> str:
    return f"of {least:g} or more" if most is None else f"from {least:g} to {most:g}"


def values_behind(flags: Iterable[Flag], word: str) -> int:
    """The number of words behind a flag that are its value."""
    if "=" in word:
        return 0
    if word.startswith("--"):
        flag = _named(flags, word[2:])
        return 0 if flag is None or flag.is_switch else flag.takes
    for place, letter in enumerate(word[1:], start=1):
        flag = _lettered(flags, letter)
        if flag is None:
            return 0
        if not flag.is_switch:
            return 1 if place == len(word) - 1 else 0
    return 0


def parse(flags: Sequence[Flag], words: Sequence[str]) -> tuple[list[str], dict[str, Value]]:
    """The arguments, and the given flags by name. Flags may appear anywhere before `--`. UsageProblem for bad ones."""
    args: list[str] = []
    given: dict[str, Value] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return args + rest, given
        if word.startswith("--"):
            _long(flags, word, rest, given)
        elif word.startswith("-") and word != "-":
            _short(flags, word, rest, given)
        else:
            args.append(word)
    return args, given


def _named(flags: Iterable[Flag], name: str) -> Flag | None:
    return next((flag for flag in flags if name == flag.name or name in flag.also), None)


def _lettered(flags: Iterable[Flag], letter: str) -> Flag | None:
    return next((flag for flag in flags if flag.short == letter), None)


def _long(flags: Sequence[Flag], word: str, rest: list[str], given: dict[str, Value]) -> None:
    name, has_value, value = word[2:].partition("=")
    flag = _named(flags, name)
    if flag is None:
        import difflib

        near = difflib.get_close_matches(name, [f.name for f in flags if not f.hidden], n=1)
        raise UsageProblem(f"unknown flag: --{name}" + (f"\nDid you mean --{near[0]}?" if near else ""))
    if flag.takes > 1:
        _set_words(flag, [value] if has_value else [], rest, given)
    elif has_value:
        _set(flag, value, given, f"--{name}")
    elif flag.is_switch:
        given[flag.name] = True
    elif rest:
        _set(flag, rest.pop(0), given, f"--{name}")
    else:
        raise UsageProblem(f"flag needs an argument: --{name}")


def _set_words(flag: Flag, words: list[str], rest: list[str], given: dict[str, Value]) -> None:
    while len(words) < flag.takes:
        if not rest:
            raise UsageProblem(f"flag needs {counted(flag.takes, 'argument')}: --{flag.name} {flag.metavar}".rstrip())
        words.append(rest.pop(0))
    given[flag.name] = words


def _short(flags: Sequence[Flag], word: str, rest: list[str], given: dict[str, Value]) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = _lettered(flags, letter)
        if flag is None:
            raise UsageProblem(f"unknown shorthand flag: '{letter}' in {word}")
        shown = f"-{letter}, --{flag.name}"
        if letters.startswith("="):
            return _set(flag, letters[1:], given, shown)
        if flag.is_switch:
            given[flag.name] = True
        elif letters:
            return _set(flag, letters, given, shown)
        elif rest:
            return _set(flag, rest.pop(0), given, shown)
        else:
            raise UsageProblem(f"flag needs an argument: '{letter}' in {word}")
    return None


_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")
"""Go's spellings of a truth value."""


def _set(flag: Flag, text: str, given: dict[str, Value], shown: str) -> None:
    if flag.choices:
        if text.lower() not in flag.choices:
            raise _invalid(text, shown, f"write one of {', '.join(flag.choices)}")
        text = text.lower()
    if isinstance(flag.default, tuple):
        before = given.get(flag.name)
        given[flag.name] = [*before, text] if isinstance(before, list) else [text]
        return
    try:
        given[flag.name] = _parser(flag)(text)
    except ValueError as error:
        raise _invalid(text, shown, str(error)) from None


def _invalid(text: str, shown: str, remedy: str) -> UsageProblem:
    return UsageProblem(f'invalid argument "{text}" for "{shown}" flag: {remedy}')


def _parser(flag: Flag) -> Callable[[str], Any]:
    if flag.parse is not None:
        return flag.parse
    if flag.is_switch:
        return _truth
    return _whole if isinstance(flag.default, int) else real() if isinstance(flag.default, float) else str


def _truth(text: str) -> bool:
    if text not in _TRUE + _FALSE:
        raise ValueError("write true or false")
    return text in _TRUE


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("write a whole number") from None

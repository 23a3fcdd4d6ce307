"""`record`: a replacement of `dataclasses.dataclass` for plain records, so that commands start fast.

`dataclasses` imports `inspect` and with it the parser: 12 ms of processor on the machine of docs/benchmarks.md. It also
compiles up to six functions for each class: half a millisecond. A completion of the command line has 100 ms in all.
This module compiles and imports nothing; creating one object takes about a microsecond more. It omits inheritance of
fields, slots and other features that a plain record does not need.
"""

from __future__ import annotations

from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_):
        return lambda function: function


class _Field:
    """The default of a field, and whether `repr` shows it."""

    def __init__(self, default: Any, factory: Callable[[], Any] | None, shown: bool) -> None:
        self.default, self.factory, self.shown = default, factory, shown


_REQUIRED = object()


def field(*, default: Any = _REQUIRED, default_factory: Callable[[], Any] | None = None, repr: bool = True) -> Any:
    """A default that is created for each object, or a secret, which `repr` leaves out."""
    return _Field(default, default_factory, repr)


@dataclass_transform(field_specifiers=(field,))
def record(*, frozen: bool = False) -> Callable[[type[T]], type[T]]:
    """A class decorator: the annotated names of the class are its fields. `frozen`: they stay as they are; hashable."""
    return lambda cls: _record(cls, frozen)


def _record(cls: Any, frozen: bool) -> Any:
    fields: dict[str, _Field] = {}
    for name in cls.__annotations__:
        given = cls.__dict__.get(name, _REQUIRED)
        fields[name] = given if isinstance(given, _Field) else _Field(given, None, True)
        if isinstance(given, _Field):
            delattr(cls, name)
    names = tuple(fields)
    shown = [name for name in names if fields[name].shown]
    # One name alone would give its value, not a tuple.
    values = attrgetter(*names) if len(names) > 1 else lambda self: tuple(getattr(self, name) for name in names)

    def init(self: Any, *args: Any, **given: Any) -> None:
        if len(args) > len(names):
            raise TypeError(f"{cls.__name__} takes {len(names)} values, {len(args)} were given")
        held = self.__dict__
        held.update(zip(names, args, strict=False))
        for name in names[len(args) :]:
            if name in given:
                held[name] = given.pop(name)
                continue
            one = fields[name]
            if one.factory is not None:
                held[name] = one.factory()
            elif one.default is _REQUIRED:
                raise TypeError(f"{cls.__name__} lacks {name}")
            else:
                held[name] = one.default
        if given:
            raise TypeError(f"{cls.__name__} has no field {', '.join(given)}, or it was given twice")

    def same(self: Any, other: Any) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def shows(self: Any) -> str:
        return f"{cls.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def refuse(self: Any, name: str, *_: Any) -> None:
        raise AttributeError(f"{cls.__name__}.{name} stays as it is")

    cls.__init__, cls.__eq__, cls.__match_args__ = init, same, names
    cls.__hash__ = (lambda self: hash(values(self))) if frozen else None
    if "__repr__" not in cls.__dict__:
        cls.__repr__ = shows
    if frozen:
        cls.__setattr__ = cls.__delattr__ = refuse
    return cls

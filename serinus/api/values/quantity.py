"""Quantities of resources (`500m`, `1Gi`, `2e3`): their amounts and their canonical texts.

The rules are those of `resource.Quantity` of k8s.io/apimachinery. Two of them are surprising, and they affect pod
template hashes, which use the written form:

- Amounts are kept to a billionth and rounded away from zero: a tiny request never becomes zero.
- Text that looks canonical is kept as typed (`1.500` and `+1` stay), everything else is
  rewritten (`1000m` becomes `1`). Compare amounts with `parse`, never their texts.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache

LONGEST_TEXT = 100
"""Most characters of a quantity. Kubernetes writes at most 25."""

_SHAPE = re.compile(r"([+-]?)(\d*+)(?:\.(\d*+))?([eEinumkKMGTP]*+[-+]?\d*+)", re.ASCII)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = {0: "", **{exponent: suffix for suffix, exponent in _BINARY.items()}}
_EXPONENT = re.compile(r"[eE]([+-]?\d+)", re.ASCII)
_INT64 = 2**63 - 1
_NANO = 10**9
_FAST_DIGITS = 18
_FARTHEST = 1_000_000  # larger exponents are typing errors, and would only use memory

Amount = tuple[Fraction, str, bool]


def parse(text: str | int | float) -> Fraction:
    """The exact amount, in the base unit (cores, bytes, pieces). ValueError if `text` is no quantity."""
    return _read(_text(text))[0]


def canonical(text: str | int | float) -> str:
    """The text that Kubernetes writes for this quantity: `1000m` -> `1`, `1024Mi` -> `1Gi`, `0.5` -> `500m`.

    ValueError if `text` is no quantity.
    """
    return _canonical(_text(text))


def rounded_to_milli(text: str | int | float) -> str:
    """The text that Kubernetes stores for an amount of resources: rounded up to a thousandth, and canonical.

    ValueError if `text` is no quantity.
    """
    amount, form, _ = _read(_text(text))
    if (amount * 1000).denominator == 1:
        return canonical(text)
    return _decimal(
        Fraction(math.copysign(1, amount)) * Fraction(math.ceil(abs(amount) * 1000), 1000), form == "exponent"
    )


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    amount, form, keep = _read(text)
    if keep:
        return text.strip()
    if not amount:
        return "0"
    if form == "binary" and abs(amount) >= 1024 and amount.denominator == 1:
        return _binary(amount.numerator)
    return _decimal(amount, form == "exponent")


def _binary(amount: int) -> str:
    exponent = 0
    while amount % 1024 == 0 and exponent < 60:
        amount //= 1024
        exponent += 10
    return f"{amount}{_BINARY_SUFFIX[exponent]}"


def _decimal(amount: Fraction, exponent_form: bool) -> str:
    mantissa, exponent = int(amount * _NANO), -9
    while mantissa % 1000 == 0:
        mantissa //= 1000
        exponent += 3
    if exponent_form:
        return f"{mantissa}e{exponent}" if exponent else str(mantissa)
    # There is no decimal suffix beyond E: such amounts keep their zeros.
    beyond = max(0, exponent - 18)
    return f"{mantissa * 10**beyond}{_DECIMAL_SUFFIX[exponent - beyond]}"


@lru_cache(maxsize=4096)
def _read(text: str) -> Amount:
    """(amount, `decimal`, `binary` or `exponent`, whether Kubernetes keeps the text as typed)."""
    text = text.strip()
    if len(text) > LONGEST_TEXT:
        raise ValueError(
            f"{text[:20]!r}… is no quantity: it has {len(text)} letters, and at most {LONGEST_TEXT} are read"
        )
    shape = _SHAPE.fullmatch(text)
    if not shape or not (shape[2] or shape[3]):
        raise ValueError(f"{text!r} is no quantity: write a number and perhaps a suffix: 500m, 2, 1.5, 1Gi")
    sign, whole, part, suffix = shape[1], shape[2].lstrip("0") or "0", shape[3] or "", shape[4]
    base, exponent, form = _suffix(text, suffix)
    digits = whole + part
    amount = Fraction(int(digits)) / 10 ** len(part)
    amount = amount * 10**exponent if base == 10 and exponent >= 0 else amount
    amount = amount / 10**-exponent if base == 10 and exponent < 0 else amount
    amount = amount * 2**exponent if base == 2 else amount
    amount = Fraction(math.ceil(amount * _NANO), _NANO)
    if form == "binary":
        amount = min(amount, Fraction(_INT64))
    keep = _keeps_text(digits, len(whole), len(part), exponent, form)
    if form == "binary" and amount < 1:
        form = "decimal"
    return (-amount if sign == "-" else amount), form, keep


def _suffix(text: str, suffix: str) -> tuple[int, int, str]:
    if suffix in _DECIMAL:
        return 10, _DECIMAL[suffix], "decimal"
    if suffix in _BINARY:
        return 2, _BINARY[suffix], "binary"
    exponent = _EXPONENT.fullmatch(suffix)
    if not exponent or abs(int(exponent[1])) > _FARTHEST:
        raise ValueError(
            f"{text!r} is no quantity: its suffix {suffix!r} is unknown; "
            "known are n u m k M G T P E, Ki Mi Gi Ti Pi Ei, and exponents such as e3"
        )
    return 10, int(exponent[1]), "exponent"


def _keeps_text(digits: str, whole: int, part: int, exponent: int, form: str) -> bool:
    if form == "binary":
        precise = not part and 15 - whole - int(exponent * 3 / 10) - 1 >= 0
        return precise and int(digits) & 7 != 0 and int(digits) << exponent <= _INT64
    scale = exponent - part
    precise = whole + part <= _FAST_DIGITS and scale >= -9
    return precise and scale % 3 == 0 and not digits.endswith("000") and not digits.startswith("0")


def _text(value: str | int | float) -> str:
    """JSON numbers are read as Kubernetes writes them in JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and 1e-6 <= abs(value) < 1e21:
        return f"{value:f}".rstrip("0").rstrip(".") if abs(value) >= 1e16 else _plain(repr(value))
    return repr(value)


def _plain(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    if exponent:
        sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
        return f"{sign}0.{'0' * (-int(exponent) - 1)}{digits.replace('.', '')}"
    return mantissa.removesuffix(".0")

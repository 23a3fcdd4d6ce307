"""Makes untrusted text safe to show: control characters are escaped, so none reaches a terminal.

It escapes all characters without a glyph: C0 and C1 controls (ESC, BEL, CR, CSI), DEL, and halves of surrogate pairs.
It also escapes marks that reverse the direction of text, and invisible characters. Other characters stay.
"""

from __future__ import annotations

_KEPT = "\n\t\u00a0\u200c\u200d\u202f\u3000"
"""Not printable for Python, but harmless: line feed, tab, blanks of other scripts, and joiners."""


class _Written(dict[int, int | str]):
    """For `str.translate`: code point -> itself, or the text in its place. Filled as characters come."""

    def __missing__(self, code: int) -> int | str:
        sign = chr(code)
        self[code] = spelling = code if sign.isprintable() or sign in _KEPT else self.spelled(code)
        return spelling

    def spelled(self, code: int) -> str:
        if 0xDC80 <= code <= 0xDCFF:  # a byte of a command line or file name that is no UTF-8 (surrogateescape)
            return f"\\x{code - 0xDC00:02x}"
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class _WrittenAsJson(_Written):
    def spelled(self, code: int) -> str:
        if code < 0x10000:
            return f"\\u{code:04x}"
        return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


class _WrittenAsYaml(_Written):
    def spelled(self, code: int) -> str:
        if 0xD800 <= code < 0xE000:  # YAML has no way to write half of a pair
            return "\\uFFFD"
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_TEXT, _JSON, _YAML = _Written(), _WrittenAsJson(), _WrittenAsYaml()


def visible(text: str) -> str:
    """For display: `\\x1b`, `\\u202e`. Line feeds and tabs stay."""
    return text if text.isprintable() else text.translate(_TEXT)


def visible_line(text: str) -> str:
    """The same on one line: line feeds and tabs, with the blanks beside them, become one blank."""
    if "\n" in text or "\t" in text:
        text = " ".join(word for word in text.replace("\n", " ").replace("\t", " ").split(" ") if word)
    return visible(text)


def visible_json(text: str) -> str:
    """An equivalent JSON document. Characters without a glyph occur only in its strings, and become `\\u001b` there."""
    return text if text.isprintable() else text.translate(_JSON)


def visible_yaml(text: str) -> str:
    """A YAML document whose scalars with such characters are all in double quotes (`go_yaml_dump` ensures it)."""
    return text if text.isprintable() else text.translate(_YAML)

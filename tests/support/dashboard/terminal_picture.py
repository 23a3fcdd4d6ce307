"""A picture of a terminal's content, as SVG: the same text gives the same bytes, so a test can detect an outdated one."""

from __future__ import annotations

import re
from html import escape

WIDTH, HEIGHT, EDGE = 8.4, 19, 16
"""Of a letter, of a line, around the text: pixels at 14 px type."""

COLORS = {"0": "#d7dee6", "31": "#ff9d94", "32": "#7ddc95", "33": "#f3c46b", "94": "#8fc0ff"}
_PIECE = re.compile(r"\x1b\[(\d+)m")


def terminal_picture(text: str) -> str:
    """`text`: with the colours of `serinus.cli.framework.colors`; a line that begins with `$ ` was typed."""
    lines = text.rstrip("\n").split("\n")
    columns = max(len(_PIECE.sub("", line)) for line in lines)
    wide, high = round(columns * WIDTH + 2 * EDGE), len(lines) * HEIGHT + 2 * EDGE
    rows = "\n".join(_line(line, EDGE + (i + 0.75) * HEIGHT) for i, line in enumerate(lines) if line)
    font = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}">\n'
        f'<rect width="{wide}" height="{high}" rx="8" fill="#11161c"/>\n'
        f'<g font-family="{font}" font-size="14" fill="{COLORS["0"]}" xml:space="preserve">\n{rows}\n</g>\n</svg>\n'
    )


def _line(line: str, y: float) -> str:
    out, column, color = [], 0, "0"
    pieces = _PIECE.split(line)
    for i, piece in enumerate(pieces):
        if i % 2:
            color = piece
        elif piece.strip():
            # Each piece is put and stretched to its columns, whatever font there is.
            blank = len(piece) - len(piece.lstrip(" "))
            shown = piece.strip(" ").replace(" ", "\u00a0")  # plain blanks would become one
            at = EDGE + (column + blank) * WIDTH
            weight = ' font-weight="700"' if line.startswith("$ ") else ""
            out.append(
                f'<text x="{at:g}" y="{y:g}" textLength="{len(shown) * WIDTH:g}" fill="{COLORS[color]}"{weight}>{escape(shown)}</text>'
            )
        column += 0 if i % 2 else len(piece)
    return "".join(out)

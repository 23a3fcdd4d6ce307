"""Tables that can grow: columns two blanks apart, every cell padded to the least width of its column."""

from __future__ import annotations

from collections.abc import Sequence

from serinus.api.messages.visible import visible_line
from serinus.api.records import field, record


@record()
class Columns:
    """`least`: the width that the cells of each column (not its head) have at least."""

    heads: Sequence[str]
    least: Sequence[int]
    _widths: list[int] = field(default_factory=list[int])

    def table(self, rows: Sequence[Sequence[str]]) -> list[str]:
        """Head and rows."""
        cells = [self._cells(row) for row in rows]
        self._widths = [max(map(len, column)) for column in zip(self.heads, *cells, strict=True)]
        return [self._line(row) for row in (self.heads, *cells)]

    def row(self, row: Sequence[str]) -> str:
        """One more row, as wide as the table was."""
        return self._line(self._cells(row))

    def _cells(self, row: Sequence[str]) -> list[str]:
        """Each cell on one line, even if its text contains line breaks."""
        plain = [visible_line(cell) for cell in row]
        return [cell.ljust(least) for cell, least in zip(plain, self.least, strict=True)]

    def _line(self, row: Sequence[str]) -> str:
        *front, last = row
        return "".join(f"{cell:{width}}  " for cell, width in zip(front, self._widths, strict=False)) + last

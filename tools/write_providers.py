"""Writes the files generated from the metric providers: `python tools/write_providers.py`.

The provider's part of a metric in serinus/api/schema/argoproj.fields.txt, and the table of docs/providers/README.md.
tests/analysis/test_provider_files.py compares them. Then run `python tools/write_install.py`, which writes the CRDs.
"""

from __future__ import annotations

import re
from pathlib import Path

from serinus.analysis.providers.fields import PATH, field_lines
from serinus.analysis.providers.registry import providers

ROOT = Path(__file__).parents[1]
FIELDS = ROOT / "serinus" / "api" / "schema" / "argoproj.fields.txt"
INDEX = ROOT / "docs" / "providers" / "README.md"
_BLOCK = re.compile(rf"(?:^{re.escape(PATH)}\.[^\n]*\n)++", re.MULTILINE)
_TABLE = re.compile(r"(?:^\|[^\n]*\n)++", re.MULTILINE)


def fields(text: str) -> str:
    """The text of argoproj.fields.txt with the lines of the providers that there are."""
    return _BLOCK.sub(lambda _: "".join(f"{line}\n" for line in field_lines()), text)


def index(text: str) -> str:
    """The text of the index with a row for each field of `provider`."""
    rows = ["| provider | request | `result` | credentials |", "|---|---|---|---|"]
    for key, one in providers().items():
        if "/" not in key:
            rows.append(
                f"| [{key}]({key}.md) | {one.request} | {one.result} | {one.credentials} |".replace("|  |", "| |")
            )
    return _TABLE.sub(lambda _: "".join(f"{row}\n" for row in rows), text, count=1)


if __name__ == "__main__":
    for path, made in ((FIELDS, fields), (INDEX, index)):
        path.write_text(made(path.read_text(encoding="utf-8")), encoding="utf-8")

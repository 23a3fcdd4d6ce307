"""The Warning header of a response: sentences that clients print.

Limits as in kube-apiserver (k8s.io/apiserver, `endpoints/filters/warning.go`): beyond 4,096 characters in all, each
sentence is cut at 256 characters and the rest is dropped. A longer header, or a control character in it, makes clients
reject the whole response.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

MOST_BYTES = 4096
LONGEST_CUT = 256
_MOST_TRIED = 200


def warning_header(sentences: Iterable[str]) -> dict[str, str]:
    """The header as a mapping, empty without sentences. Equal sentences appear once."""
    clean = list(dict.fromkeys(_clean(sentence) for sentence in sentences if sentence))
    if not clean:
        return {}
    rows = [_row(sentence) for sentence in clean[:_MOST_TRIED]]
    if len(clean) > _MOST_TRIED or sum(len(row.encode()) for row in rows) > MOST_BYTES:
        rows = [_row(sentence[:LONGEST_CUT]) for sentence in clean[:_MOST_TRIED]]
    fitting: list[str] = []
    size = 0
    for row in rows:
        size += len(row.encode()) + 2
        if size > MOST_BYTES:
            break
        fitting.append(row)
    return {"warning": ", ".join(fitting)}


def _clean(sentence: str) -> str:
    text = sentence[:MOST_BYTES].encode("utf-8", "replace").decode()
    return "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)


def _row(sentence: str) -> str:
    quoted = sentence.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{quoted}"'

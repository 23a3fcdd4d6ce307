"""Users' regular expressions: RE2, whose time is linear in the text for every pattern.

Go's `regexp` and RE2 have the same syntax. Python's `re` has neither that syntax nor a time limit. One pattern of a
template or of a CustomResourceDefinition could block the process forever.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

MEMORY = 1 << 20
"""Bytes that a compiled pattern may take."""


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """The pattern as RE2 object over UTF-8 bytes. ValueError with RE2's reason for an invalid pattern."""
    # A C extension that takes 10 ms to load: few objects have a pattern.
    import re2

    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    try:
        return re2.compile(pattern.encode("utf-8", "replace"), options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error.args[0])
        raise ValueError(reason) from None


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern matches anywhere in `text`. ValueError for an invalid pattern."""
    return compiled(pattern).search(text.encode("utf-8", "replace")) is not None

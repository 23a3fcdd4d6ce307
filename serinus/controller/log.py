"""Log lines: `time="…" level=info msg="…" namespace=a rollout=web because="…"`, or the same as JSON."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any, Literal

from serinus.api.messages.visible import visible_json
from serinus.kube.clock import rfc3339

_PLAIN = re.compile(r"[\w./:@+\-]+", re.ASCII)


class Formatter(logging.Formatter):
    """`extra={"fields": {…}}` of a record gives the fields of its line."""

    def __init__(self, how: Literal["text", "json"] = "text") -> None:
        super().__init__()
        self._how = how

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": rfc3339(record.created),
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        if self._how == "json":
            return visible_json(json.dumps(fields, ensure_ascii=False))
        return " ".join(f"{key}={_text(value)}" for key, value in fields.items())


def _text(value: Any) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else visible_json(json.dumps(text, ensure_ascii=False))


def start(level: str = "info", how: Literal["text", "json"] = "text") -> None:
    """Sends all log lines to stderr. `level`: debug, info, warn or error; ValueError for any other."""
    levels = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "fatal": 50}
    if level not in levels:
        raise ValueError(f"{level!r} is no log level: use one of {', '.join(levels)}")
    # No line has the number of a process, a thread or a line of code: logging collects none of them.
    logging.logProcesses = logging.logThreads = logging.logMultiprocessing = False
    logging._srcfile = None  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(how))
    logging.basicConfig(level=levels[level], handlers=[handler], force=True)

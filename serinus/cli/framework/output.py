"""Output formats of read commands: a table for users, or JSON, YAML or names for programs (`-o`).

The JSON is that of the dashboard's HTTP API, with a version: `{"apiVersion": "serinus.dev/v1", "kind": …}`.
"""

from __future__ import annotations

import json
from typing import Any

from serinus.api.messages.visible import visible_json
from serinus.cli.framework.commandline import Call
from serinus.cli.framework.errors import USAGE, Problem
from serinus.cli.framework.flags import Flag

Json = dict[str, Any]
VERSION = "serinus.dev/v1"
FORMATS = ("table", "wide", "json", "yaml", "name")
OUTPUT = Flag("output", "How to answer: table, wide, json, yaml or name", short="o", metavar="FORMAT")


def output_format(call: Call) -> str:
    """One of FORMATS. Problem for another."""
    given = call.text("output") or "table"
    if given not in FORMATS:
        raise Problem(f"-o {given}: there is no such format", f"It is one of {', '.join(FORMATS)}.", code=USAGE)
    return given


def versioned(kind: str, body: Json) -> Json:
    return {"apiVersion": VERSION, "kind": kind, **body}


def written(value: Json, how: str) -> str:
    """JSON or YAML, with a newline at its end. Both escape control characters, so the data are exact."""
    if how == "json":
        return visible_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"
    from serinus.api.yaml.writer import dump

    return dump(value)


def line(value: Json) -> str:
    """One object on one line, for watches. Control characters are escaped, so the data are exact."""
    return visible_json(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

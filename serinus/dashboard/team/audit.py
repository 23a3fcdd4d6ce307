"""The audit of a team's dashboard: one line of JSON for each sign-in and for each change, also for a refused one."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from serinus.dashboard.identity.gate import CHANGE
from serinus.dashboard.identity.who import Identity

log = logging.getLogger("serinus.dashboard.audit")

LONGEST = 300
"""Characters of a value that a client sends."""


def record(request: web.Request, event: str, now: float, who: Identity | None, status: int, reason: str = "") -> None:
    """`event`: `change`, `sign-in` or `sign-out`. `status`: the HTTP status of the answer. Without secrets."""
    line: dict[str, object] = {
        "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "audit": event,
        "user": who.user if who else "",
        "groups": who.groups if who else (),
        "way": who.way if who else "",
        "address": request.remote or "",
        "status": status,
    }
    names = (("namespace", "ns"), ("name", "name"), ("action", "action"), ("revision", "revision"), ("image", "image"))
    line |= {field: request.match_info[key][:LONGEST] for field, key in names if key in request.match_info}
    line |= {field: value[:LONGEST] for field, value in request.get(CHANGE, {}).items() if value}
    if event == "change" and "action" not in line:
        line["action"] = request.path[:LONGEST]
    if reason:
        line["reason"] = reason[:LONGEST]
    log.info(msgspec.json.encode(line).decode())

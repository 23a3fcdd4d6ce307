"""The Event that records the author of a change, for commands, the dashboard and `serinus history`."""

from __future__ import annotations

import getpass
import socket
from datetime import UTC, datetime
from typing import Any

from serinus.api.resources import Resource

Json = dict[str, Any]

REVISION = "rollout.argoproj.io/revision"

RETRY_SECONDS = (0.2, 1.0)
"""Seconds before each retry to create the Event of a change. The API may be briefly unavailable."""


def change_event(resource: Resource, obj: Json, reason: str, at: float, *, component: str, author: str = "") -> Json:
    """`reason`: the change in one word. `at`: seconds since the epoch. `component`: the calling program. `author`: the
    user who made the change; that of this machine otherwise."""
    meta, when = obj["metadata"], datetime.fromtimestamp(at, UTC)
    stamp = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    revision = (meta.get("annotations") or {}).get(REVISION) or "none"
    return {
        "metadata": {"name": f"{meta['name']}.{int(at * 1e9):x}", "namespace": meta.get("namespace")},
        "involvedObject": {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "name": meta["name"],
            "namespace": meta.get("namespace"),
            "uid": meta.get("uid"),
        },
        "reason": reason,
        "message": f"{reason} of revision {revision} by {author or person()}",
        "type": "Normal",
        "source": {"component": component},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }


def person() -> str:
    """The user of this machine. The API server's audit log has the owner of the credentials."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user} on {socket.gethostname()}"

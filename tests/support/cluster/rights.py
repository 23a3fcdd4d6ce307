"""The rights that a service account has used, by the audit log of the API server, and those that it has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serinus.install.installation import Row

Right = tuple[str, str, str]
"""(group, resource or resource/subresource, verb)."""

LOST = "asked when no watch tells of a write within 2 s: the event was lost, or the object is gone"
OWNER = (
    "the API server asks for it where a child blocks the deletion of its owner (OwnerReferencesPermissionEnforcement)"
)
RESTARTED = "asked by a process that takes over Rollouts which an earlier one has written Events about"

UNUSED: dict[Right, str] = {
    ("", "pods", "get"): LOST,
    ("", "services", "get"): LOST,
    ("apps", "replicasets", "get"): LOST,
    ("argoproj.io", "rollouts", "get"): LOST,
    ("argoproj.io", "analysisruns", "get"): LOST,
    ("argoproj.io", "experiments", "get"): LOST,
    ("networking.k8s.io", "ingresses", "get"): LOST,
    ("argoproj.io", "rollouts/finalizers", "update"): OWNER,
    ("argoproj.io", "analysisruns/finalizers", "update"): OWNER,
    ("argoproj.io", "experiments/finalizers", "update"): OWNER,
    ("", "events", "list"): RESTARTED,
}
"""Rights that the controller needs and that a test cannot make it use, each with the reason."""


def given(rows: tuple[Row, ...]) -> set[Right]:
    return {(row[0], name, verb) for row in rows for name in row[1] for verb in row[2].split()}


def used(audit: Path, account: str) -> set[Right]:
    """The rights that it used in allowed requests."""
    return {_right(entry) for entry in _of(audit, account) if not _refused(entry)}


def refused(audit: Path, account: str = "", *, since: int = 0) -> list[str]:
    """The requests that were denied to it; without `account`, to all service accounts. `since`: a size of the log, in bytes."""
    entries = _of(audit, account, since)
    return sorted({f"{entry['verb']} {entry['requestURI']}" for entry in entries if _refused(entry)})


def _of(audit: Path, account: str, since: int = 0) -> Iterator[dict[str, Any]]:
    for line in audit.read_bytes()[since:].splitlines():
        entry = json.loads(line)
        who = entry["user"]["username"]
        if (who == account or (not account and who.startswith("system:serviceaccount:"))) and "objectRef" in entry:
            yield entry


def _refused(entry: dict[str, Any]) -> bool:
    """Forbidden by RBAC. A namespace that is being deleted is a 403 as well, which no right would fix."""
    return entry.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"


def _right(entry: dict[str, Any]) -> Right:
    about = entry["objectRef"]
    name = about["resource"] + (f"/{about['subresource']}" if about.get("subresource") else "")
    return about.get("apiGroup", ""), name, entry["verb"]

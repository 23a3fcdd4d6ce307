"""`history`: the revisions of a Rollout, and its changes with user and time.

Revisions are its ReplicaSets, limited by `revisionHistoryLimit`. The other rows are Events, which API servers keep for
a while (usually an hour), and the last change of each field manager from `managedFields`.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass

from serinus.api.messages.visible import visible_json
from serinus.api.resources import EVENTS, REPLICA_SETS
from serinus.api.values.times import age_words, parse_time
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.framework.columns import Columns
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.flags import Flag
from serinus.cli.rollouts.get_rollout import rollout_named
from serinus.view.rollout_info import REVISION, Json

SHORT = "Say which revisions there were, and who did what when"

CAUSE = "kubernetes.io/change-cause"


@dataclass(frozen=True)
class HistoryEntry:
    """`at`: RFC 3339. `who`: a program, or a user if recorded. `revision`: 0 if the entry belongs to no revision."""

    at: str
    what: str
    who: str = ""
    revision: int = 0


def run(call: Call) -> int:
    session, name = open_session(call), call.args[0]
    entries = history(session, rollout_named(session.get, name))
    if call.text("output") == "json":
        print(visible_json(json.dumps([asdict(entry) for entry in entries], indent=2)))
        return 0
    now = time.time()
    table = Columns(["AGE", "REVISION", "WHAT", "WHO"], [4, 8, 20, 4])
    rows = [[_age(e.at, now), str(e.revision or "-"), e.what, e.who or "-"] for e in entries]
    sys.stdout.write("\n".join(line.rstrip() for line in table.table(rows)) + "\n")
    return 0


def _age(at: str, now: float) -> str:
    since = parse_time(at)
    return "-" if since is None else age_words(max(0.0, now - since))


def history(session: Session, rollout: Json) -> list[HistoryEntry]:
    """All entries, the newest first."""
    meta: Json = rollout["metadata"]
    entries = [*_revisions(session, meta), *_events(session, meta), *_writers(meta)]
    return sorted(entries, key=lambda e: (parse_time(e.at) or 0.0, e.revision), reverse=True)


def _revisions(session: Session, meta: Json) -> list[HistoryEntry]:
    entries: list[HistoryEntry] = []
    for rs in session.list(REPLICA_SETS).get("items") or []:
        owners = rs["metadata"].get("ownerReferences") or []
        if not any(owner.get("uid") == meta.get("uid") for owner in owners):
            continue
        notes: Json = rs["metadata"].get("annotations") or {}
        images = [c.get("image") for c in rs["spec"]["template"]["spec"].get("containers") or []]
        cause = f" ({notes[CAUSE]})" if notes.get(CAUSE) else ""
        what = f"revision made: {', '.join(map(str, images))}{cause}"
        entries.append(
            HistoryEntry(str(rs["metadata"].get("creationTimestamp") or ""), what, "", _number(notes.get(REVISION)))
        )
    return entries


def _number(text: object) -> int:
    return int(str(text)) if str(text).isdigit() else 0


def _events(session: Session, meta: Json) -> list[HistoryEntry]:
    selector = f"involvedObject.uid={meta.get('uid')}"
    entries: list[HistoryEntry] = []
    for event in session.list(EVENTS, fields=selector).get("items") or []:
        if (event.get("involvedObject") or {}).get("uid") != meta.get("uid"):
            continue
        at = str(
            event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or ""
        )
        count = int(event.get("count") or 1)
        times = f" ({count} times)" if count > 1 else ""
        who = str((event.get("source") or {}).get("component") or event.get("reportingComponent") or "")
        entries.append(HistoryEntry(at, str(event.get("message") or event.get("reason") or "") + times, who))
    return entries


def _writers(meta: Json) -> list[HistoryEntry]:
    """The last write of the spec by each program. Older writes of the same program are not recorded."""
    entries: list[HistoryEntry] = []
    for record in meta.get("managedFields") or []:
        fields: Json = record.get("fieldsV1") or {}
        spec: Json = fields.get("f:spec") or {}
        if record.get("subresource") or not spec:
            continue
        parts = ", ".join(sorted(key.removeprefix("f:") for key in spec if key.startswith("f:")))
        entries.append(
            HistoryEntry(str(record.get("time") or ""), f"spec written: {parts}", str(record.get("manager") or ""))
        )
    return entries


COMMAND = Command(
    run,
    "Say which revisions a Rollout had, and who did what to it when: newest first.\n"
    "Events are kept by the API server for a while (usually an hour); revisions as revisionHistoryLimit says.",
    "ROLLOUT",
    ("serinus history guestbook", "serinus history guestbook -o json"),
    flags=(Flag("output", "json for programs", short="o", metavar="FORMAT", choices=("table", "json")),),
    least=1,
    most=1,
    completes="rollouts",
)

"""`doctor`: checks whether Rollouts can work on this API server, and prints fixes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serinus.api.messages.counted import counted
from serinus.api.resources import ARGOPROJ, EVENTS, LEASES, REPLICA_SETS, Resource
from serinus.cli.cluster.leaders import leaders, ours
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.view.notification_events import REASONS, refusing, sendings

if TYPE_CHECKING:
    from serinus.cli.cluster.istio_cluster import ControllerHome
    from serinus.kube.errors import ApiError

SHORT = "Say whether Rollouts can work here, and what to do where they cannot"

Json = dict[str, Any]

MOST_DESTINATIONS = 5
"""The most failing destinations of notifications that are listed one by one."""

WORDS = {"waits": "could not be sent yet", "failed": "was not sent"}


@dataclass(frozen=True)
class DoctorFinding:
    """`fix`: what to do; "" without a problem. `warns`: a warning, Rollouts still work."""

    what: str
    result: str
    fix: str = ""
    warns: bool = False


def run(call: Call) -> int:
    session = open_session(call)
    wrong = 0
    for finding in examined(session, time.time(), call.connection(namespace=False)):
        wrong += bool(finding.fix) and not finding.warns
        sign = "⚠" if finding.warns else "✖" if finding.fix else "✔"
        sys.stdout.write(f"{sign} {finding.what}: {finding.result}\n")
        if finding.fix:
            sys.stdout.write(f"  {finding.fix}\n")
    if wrong:
        raise Problem(f"{counted(wrong, 'check')} failed")
    return 0


def examined(session: Session, now: float, flags: str = "") -> Iterator[DoctorFinding]:
    """All findings; only the first if the API server is unreachable. `flags`: for the commands in fixes."""
    where = session.client.connection.server
    try:
        version = session.client.call("GET", "/version")
    except Exception as error:
        yield DoctorFinding("API server", f"{where}: {error}", "Choose another with --context or --kubeconfig.")
        return
    yield DoctorFinding("API server", f"{where}, {version.get('gitVersion', 'unknown version')}")
    for resource in ARGOPROJ:
        yield _tried(session, resource, flags)
    yield _tried(session, REPLICA_SETS, flags)
    finding, home = _controller(session, now, flags)
    yield finding
    yield from _routers(session, home)
    yield from _providers(session, home.namespace)
    yield from _notification_places(session, home.namespace, now)
    yield from _notifications(session, flags)
    yield from _steps(session)


def _steps(session: Session) -> Iterator[DoctorFinding]:
    """Steps too short for their sequential verdict, from the traffic that the latest AnalysisRuns counted."""
    from serinus.cli.rollouts.doctor_steps import short

    for rollout, step in short(session):
        yield DoctorFinding(
            f"rollout {rollout}", step.message, "Plan its steps with: serinus verdict plan --help", warns=True
        )


def _notification_places(session: Session, controller: str, now: float) -> Iterator[DoctorFinding]:
    """ConfigMaps of notifications that no controller reads."""
    from serinus.cli.rollouts.notification_places import unread

    for one in unread(session, controller, now):
        yield DoctorFinding(one.name, one.problem, one.remedy, warns=True)


def _notifications(session: Session, flags: str) -> Iterator[DoctorFinding]:
    """Destinations that do not accept the notifications of this namespace's Rollouts now; none if all do."""
    from serinus.kube.errors import ApiError

    events: list[Json] = []
    for reason in REASONS:
        try:
            events += session.client.list(EVENTS, session.namespace, fields=f"reason={reason}").get("items") or []
        except ApiError:
            return
    fix = f"See kubectl argo rollouts notifications lint{flags} and notifications history ROLLOUT{flags}."
    refused = refusing(sendings(events))
    for one in refused[:MOST_DESTINATIONS]:
        yield DoctorFinding(f"notifications to {one.to}", f"{one.trigger} {WORDS[one.state]}: {one.why}", fix)
    if len(refused) > MOST_DESTINATIONS:
        yield DoctorFinding(
            "notifications",
            f"{counted(len(refused) - MOST_DESTINATIONS, 'more destination takes', 'more destinations take')} none",
            fix,
        )


def _tried(session: Session, resource: Resource, flags: str) -> DoctorFinding:
    from serinus.kube.errors import ApiError

    where = f"namespace {session.namespace}" if resource.namespaced else "the cluster"
    try:
        count = len(session.client.list(resource, session.namespace).get("items") or [])
    except ApiError as error:
        return DoctorFinding(
            resource.kind, error.message or str(error), _fix(error, f"{resource.kind} objects in {where}", flags)
        )
    return DoctorFinding(resource.kind, f"can be read ({count} in {where})")


def _fix(error: ApiError, what: str, flags: str) -> str:
    if error.code == 404:
        return f"Install its definition: {_install(flags)}"
    if error.code in (401, 403):
        return f"Ask for the right to read {what}."
    return "Try again when the API server answers."


def _install(flags: str) -> str:
    return f"serinus install | kubectl apply{flags} --server-side -f -"


def _controller(session: Session, now: float, flags: str) -> tuple[DoctorFinding, ControllerHome]:
    """The finding, and the namespace of the controller; that of an installation if none leads."""
    from serinus.cli.cluster.istio_cluster import ControllerHome
    from serinus.install.installation import NAME
    from serinus.kube.errors import ApiError

    try:
        leases = session.client.list(LEASES).get("items") or []
    except ApiError as error:
        fix = "Ask for the right to read Leases, to see who leads."
        return DoctorFinding("controller", error.message or str(error), fix), ControllerHome(NAME, known=False)
    leading = leaders(leases, now)
    if leading:
        return DoctorFinding("controller", "; ".join(leader.told() for leader in leading)), ControllerHome(
            leading[0].namespace
        )
    gone = "nobody holds its Lease" if ours(leases) else "there is no Lease of one"
    return DoctorFinding(
        "controller", gone, f"Start one: {_install(flags)}, or serinus controller{flags}"
    ), ControllerHome(NAME)


def _routers(session: Session, home: ControllerHome) -> Iterator[DoctorFinding]:
    """Whether the routing objects of the namespace's Rollouts exist. `home`: the namespace of the controller."""
    from serinus.cli.rollouts.doctor_routers import checked

    yield from (DoctorFinding(*row) for row in checked(session, home))


def _providers(session: Session, controller: str) -> Iterator[DoctorFinding]:
    """Whether the metrics of the namespace's AnalysisTemplates can be measured."""
    from serinus.cli.rollouts.doctor_providers import checked

    yield from (DoctorFinding(*row) for row in checked(session, controller))


COMMAND = Command(
    run,
    "Say whether Rollouts can work here: the API server, the definitions, your rights, the controller, the routers.\n"
    "Each failure comes with what to do about it.",
    "",
    ("serinus doctor", "serinus doctor --context prod -n shop"),
)

"""Informers for commands that watch, and the wait for changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from serinus.api.records import record
from serinus.api.resources import (
    ANALYSIS_RUNS,
    DEPLOYMENTS,
    EXPERIMENTS,
    PODS,
    REPLICA_SETS,
    Resource,
)
from serinus.cli.cluster.session import Session
from serinus.kube.errors import ApiError
from serinus.view.rollout_info import Json, Surroundings

if TYPE_CHECKING:
    from serinus.kube.sync_informer import Mirror

AROUND = (REPLICA_SETS, PODS, EXPERIMENTS, ANALYSIS_RUNS)


def surroundings(session: Session, workload: Json | None = None) -> Surroundings:
    """All objects of the user's namespace that may belong to a Rollout, listed once.

    Kinds that the server does not serve, or that the user may not list, count as empty.
    """
    lists: list[list[Json]] = []
    for resource in AROUND:
        try:
            lists.append(session.client.list(resource, session.namespace).get("items") or [])
        except ApiError as error:
            if error.code not in (403, 404):
                raise session.problem(error, resource) from error
            lists.append([])
    return Surroundings(*lists, workload=workload)


def workload_of(session: Session, rollout: Json) -> Json | None:
    """The Deployment that a Rollout refers to; None if it does not exist or is not readable."""
    name = referred(rollout)
    if not name:
        return None
    try:
        return session.client.get(DEPLOYMENTS, session.namespace, name)
    except ApiError as error:
        if error.code not in (403, 404):
            raise session.problem(error, DEPLOYMENTS, name) from error
        return None


def referred(rollout: Json) -> str:
    """Name of the Deployment in spec.workloadRef; empty if it refers to none."""
    reference: Json = (rollout.get("spec") or {}).get("workloadRef") or {}
    return str(reference.get("name") or "") if reference.get("kind") == "Deployment" else ""


@record()
class Scene:
    """The objects at one time. `main`: the object itself, None if it is deleted."""

    main: Json | None
    around: Surroundings
    trouble: str = ""
    """Why the objects may be stale."""


class Watching:
    """One object and, with `wide`, all objects that may belong to it, kept current."""

    def __init__(self, session: Session, resource: Resource, name: str, *, wide: bool, workload: str = "") -> None:
        self._session, self._name = session, name
        self._news = threading.Event()
        one = f"metadata.name={name}"
        self._main = self._mirror(resource, one)
        self._wide = [self._mirror(other) for other in AROUND] if wide else []
        self._workload = self._mirror(DEPLOYMENTS, f"metadata.name={workload}") if workload else None

    def scenes(self, *, until: float | None = None, at_most: float = 0.0, at_least: float = 3600.0) -> Iterator[Scene]:
        """The objects at each change, at least `at_most` seconds apart, and after `at_least` seconds without a change.

        Ends at `until` (of time.monotonic). Problem when the server refuses to show the object itself.
        """
        shown = float("-inf")
        while True:
            left = at_least if until is None else min(at_least, until - time.monotonic())
            if left <= 0:
                return
            self._news.wait(left)
            self._news.clear()
            if self._main.refusal is not None:
                raise self._session.problem(self._main.refusal, self._main.resource, self._name)
            if not all(mirror.listed or mirror.refusal for mirror in self._mirrors()):
                continue
            if (early := shown + at_most - time.monotonic()) > 0:
                time.sleep(early)
            if until is not None and time.monotonic() >= until:
                return
            shown = time.monotonic()
            yield self._scene()

    def stop(self) -> None:
        """Ends the threads. Every command that watches must call it before it ends."""
        for mirror in self._mirrors():
            mirror.stop()
        for mirror in self._mirrors():
            mirror.join()

    def _scene(self) -> Scene:
        workload = self._workload.objects() if self._workload else []
        around = Surroundings(*(mirror.objects() for mirror in self._wide), workload=next(iter(workload), None))
        trouble = next((str(mirror.trouble) for mirror in self._mirrors() if mirror.trouble), "")
        return Scene(next(iter(self._main.objects()), None), around, trouble)

    def _mirrors(self) -> list[Mirror]:
        return [self._main, *self._wide, *([self._workload] if self._workload else [])]

    def _mirror(self, resource: Resource, fields: str = "") -> Mirror:
        from serinus.kube.sync_informer import Mirror  # imported here: `get` without a watch does not need it

        session = self._session
        return Mirror(session.client, resource, session.namespace, self._news.set, fields=fields).start()

"""A user of the dashboard: his requests, his rights, and what of the shared view he may see.

The view is read once for all users, with the dashboard's own right to list and watch. Nothing of it is shown before the
API server has confirmed that this user may list these objects in this namespace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any

from serinus.api.resources import ANALYSIS_RUNS, EVENTS, EXPERIMENTS, PODS, REPLICA_SETS, ROLLOUTS, Resource
from serinus.dashboard.commands import Changes
from serinus.dashboard.explanations import KEPT, Reasons
from serinus.dashboard.identity.who import Identity
from serinus.dashboard.rights import Right, Rights
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError
from serinus.kube.informer import Key
from serinus.view.rollout_info import Surroundings

Json = dict[str, Any]

AROUND = (REPLICA_SETS, PODS, EXPERIMENTS, ANALYSIS_RUNS, EVENTS)
"""The kinds of the objects around a Rollout."""

AT_ONCE = 8
"""Namespaces whose rights the dashboard reads at the same time."""

KEPT_OF_ONE = 2
"""Snapshots cached for each user of a team: those of the pages that he looks at."""


class Viewer:
    """`who`: None for the one user of a dashboard on his own machine, who reads with `client` what he sees."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        again: Callable[[Key], None],
        *,
        who: Identity | None = None,
        events: Client | None = None,
    ) -> None:
        self.who, self.client = who, client
        self.rights = Rights(client, clock)
        self.changes = Changes(client, clock, author=self.name, events=events)
        self.reasons = Reasons(client, clock, again, most=KEPT_OF_ONE if who else KEPT)

    @property
    def name(self) -> str:
        """The user's name in the cluster; empty on his own machine."""
        return self.who.user if self.who else ""

    async def visible(self, namespaces: Collection[str]) -> Collection[str]:
        """Those of the namespaces whose Rollouts he may list. Without an answer of the API server it is none."""
        if self.who is None or not await self._lacks("", ROLLOUTS):
            return namespaces
        ordered, found = sorted(namespaces), set[str]()
        for start in range(0, len(ordered), AT_ONCE):
            now = ordered[start : start + AT_ONCE]
            answers = await asyncio.gather(*(self._lacks(namespace, ROLLOUTS) for namespace in now))
            found |= {namespace for namespace, why in zip(now, answers, strict=True) if not why}
        return found

    async def sees(self, namespace: str) -> bool:
        """Whether he may list the Rollouts of the namespace."""
        return bool(await self.visible((namespace,)))

    async def lacks(self, namespace: str) -> dict[Resource, str]:
        """Kind of the objects around a Rollout that he may not list there -> reason."""
        if self.who is None:
            return {}
        # One after the other: of 200 users who come in one moment, each has one waiting request in memory.
        return {kind: why for kind in AROUND if (why := await self._lacks_anywhere(namespace, kind))}

    async def _lacks_anywhere(self, namespace: str, resource: Resource) -> str:
        return await self._lacks("", resource) and await self._lacks(namespace, resource)

    async def _lacks(self, namespace: str, resource: Resource) -> str:
        try:
            return await self.rights.refusal(namespace, Right(resource, verb="list"))
        except ApiError as error:
            return f"the API server does not say whether you may list {resource.plural}: {error}"


def without(around: Surroundings, hidden: Collection[Resource]) -> Surroundings:
    """The objects without those of hidden kinds."""

    def kept(kind: Resource, objects: Sequence[Json]) -> Sequence[Json]:
        return () if kind in hidden else objects

    return Surroundings(
        replica_sets=kept(REPLICA_SETS, around.replica_sets),
        pods=kept(PODS, around.pods),
        experiments=kept(EXPERIMENTS, around.experiments),
        analysis_runs=kept(ANALYSIS_RUNS, around.analysis_runs),
    )

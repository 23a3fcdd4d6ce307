"""The shared list as one user may see it: the lines of the namespaces whose Rollouts he may list.

A line contains pods and the images of ReplicaSets. A user who may not list these gets a line of his own, made of the
Rollout alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from serinus.api.resources import PODS, REPLICA_SETS
from serinus.dashboard.hub import line_of
from serinus.dashboard.identity.viewer import Viewer
from serinus.dashboard.packed import unpacked
from serinus.dashboard.service import Service
from serinus.kube.informer import Key

Json = dict[str, Any]

NOTHING_VISIBLE = (
    "You may not list Rollouts in any namespace that has some. An administrator of the cluster gives this right, "
    "for instance with a RoleBinding to the ClusterRole view."
)

REMEDY = "An administrator of the cluster gives this right; or start the dashboard with another --context."
REMEDY_OF_TEAM = (
    "The account of the dashboard itself lacks this right: serinus install --dashboard prints the role that has it."
)
"""Ways out of the view `forbidden`, if the API server refuses the shared view."""


class Shown:
    """The list on one page."""

    def __init__(self, service: Service, viewer: Viewer) -> None:
        self._service, self._viewer = service, viewer
        self._namespaces: set[str] = set()
        """Those of which the page has received lines."""

    async def part(self, keys: Iterable[Key]) -> tuple[list[bytes], list[Key]]:
        """(encoded lines to show, Rollouts that are gone). A Rollout that the user never saw is in neither."""
        requested = list(keys)
        namespaces = {namespace for namespace, _ in requested}
        visible = await self._viewer.visible(namespaces)
        bare = {namespace for namespace in visible if await self._without_pods(namespace)}
        lines: list[bytes] = []
        gone: list[Key] = []
        for key in requested:
            line = self._line(key, key[0] in bare) if key[0] in visible else None
            if line is not None:
                lines.append(unpacked(line))
            elif key[0] in visible or key[0] in self._namespaces:
                gone.append(key)
        self._namespaces = (self._namespaces - namespaces) | set(visible)
        return lines, gone

    async def changed(self) -> set[Key]:
        """The Rollouts that the user's rights show or hide since the last `part`."""
        if self._viewer.who is None:
            return set()
        lines = self._service.hub.lines
        there = {namespace for namespace, _ in lines}
        different = set(await self._viewer.visible(there)) ^ (self._namespaces & there)
        return {key for key in lines if key[0] in different}

    def state(self, *, complete: bool) -> Json:
        """The state of the view for this user; see `Service.state`. `complete`: `part` has had the whole list."""
        state = self._service.state()
        if state["view"] == "forbidden":
            state["remedy"] = REMEDY if self._viewer.who is None else REMEDY_OF_TEAM
        if self._viewer.who is None:
            return state
        if complete and state["view"] == "ok" and self._service.hub.lines and not self._namespaces:
            state |= {"view": "forbidden", "reason": NOTHING_VISIBLE}
        return {**state, "user": self._viewer.name}

    async def _without_pods(self, namespace: str) -> bool:
        lacks = await self._viewer.lacks(namespace)
        return REPLICA_SETS in lacks or PODS in lacks

    def _line(self, key: Key, bare: bool) -> bytes | None:
        return line_of(self._service.world, key, bare=True) if bare else self._service.hub.lines.get(key)

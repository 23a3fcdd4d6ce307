"""The users of a team: one Viewer for each identity, as long as he is around."""

from __future__ import annotations

from collections.abc import Callable

from serinus.dashboard.commands import AGENT
from serinus.dashboard.identity.as_user import acting
from serinus.dashboard.identity.viewer import Viewer
from serinus.dashboard.identity.who import Identity
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.informer import Key
from serinus.kube.transport import Handler

KEPT = 512
"""Users whose rights are cached. The least recent one is dropped; his rights are then read again."""


class Users:
    """`nobody`: requests without a credential; `own`: with the dashboard's, which may impersonate and write Events."""

    def __init__(self, nobody: Handler, own: Handler, clock: Clock, again: Callable[[Key], None]) -> None:
        self._nobody, self._own, self._clock, self._again = nobody, own, clock, again
        self._events = Client(own, user_agent=AGENT)
        self._viewers: dict[str, Viewer] = {}

    def of(self, who: Identity) -> Viewer:
        viewer = self._viewers.pop(who.key, None)
        if viewer is None:
            client = Client(acting(self._nobody, self._own, who), user_agent=AGENT)
            viewer = Viewer(client, self._clock, self._again, who=who, events=self._events)
            if len(self._viewers) >= KEPT:
                self._viewers.pop(next(iter(self._viewers)))
        self._viewers[who.key] = viewer
        return viewer

"""The context of a container: its pod and node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from serinus.api.meta import Json
from serinus.kube.clock import Clock
from serinus.local.node.containers.runtime import PodRef, Runtime
from serinus.local.node.environment import Host, Source
from serinus.local.node.images import ImageRule

Say = Callable[[str, str, bool, str], None]
"""(reason, message, whether it is a warning, field path)."""


class Config(Protocol):
    """The API data that containers read."""

    async def rules(self, namespace: str) -> Sequence[ImageRule]:
        """The image rules of a namespace. Raises ImageError if they are invalid."""
        ...

    async def changed(self, timeout: float) -> None:
        """Returns when the rules change, at most after `timeout` seconds."""
        ...

    async def fetch(self, namespace: str, sources: set[Source]) -> dict[Source, Json]:
        """The existing objects among `sources`."""
        ...


@dataclass(frozen=True, slots=True)
class ContainerContext:
    """The context of a container. `pod()` returns the current pod; `changed()` reports a new state."""

    runtime: Runtime
    clock: Clock
    config: Config
    host: Host
    ref: PodRef
    ip: str
    pod: Callable[[], Json]
    changed: Callable[[], None]
    say: Say


def grace_of(pod: Json) -> float:
    """The grace period of a pod's containers, in seconds."""
    given = pod["spec"].get("terminationGracePeriodSeconds")
    return 30.0 if given is None else float(given)

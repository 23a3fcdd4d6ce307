"""Tracks whether a container is started, ready and alive: by its probes, or by its listening ports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from serinus.api.meta import Json
from serinus.local.node.containers.runtime import CheckResult, Listens, Running
from serinus.local.node.pod_context import ContainerContext, grace_of
from serinus.local.node.podstatus import TrackedContainer
from serinus.local.node.probing import probes

LISTEN_PATIENCE = 2.0
"""Seconds after which a container that listens on some of its ports becomes ready without the rest. One that listens on
none gets a hint."""


def ports_of(spec: Json) -> list[int]:
    """The TCP ports that a container declares."""
    return [int(p["containerPort"]) for p in spec.get("ports") or [] if p.get("protocol", "TCP") == "TCP"]


@dataclass(frozen=True, slots=True)
class Supervision:
    """`spec()` returns the current container. `kill(grace)` ends this start, `post_start()` runs its hook."""

    home: ContainerContext
    name: str
    path: str
    spec: Callable[[], Json]
    state: TrackedContainer
    running: Running
    env: Mapping[str, str]
    working_dir: str
    stopping: Callable[[], bool]
    kill: Callable[[float], Awaitable[None]]
    post_start: Callable[[], Awaitable[None]]

    async def run(self) -> None:
        """Updates the state's `ready`, `started` and `hint` until cancelled or no checks remain."""
        home = self.home
        try:
            startup, readiness, liveness = (
                probes.probe_of(self.spec(), f, home.ip, self.env, self.working_dir)
                for f in ("startupProbe", "readinessProbe", "livenessProbe")
            )
        except probes.BadProbe as error:
            self.state.hint = str(error)
            home.say("Unhealthy", str(error), True, self.path)
            home.changed()
            return

        await self.post_start()
        if startup is not None:
            if not await self._passes("Startup", startup):
                return
            self.state.started = True
            if readiness is None and not ports_of(self.spec()):
                self.state.ready = True
            home.changed()
        async with asyncio.TaskGroup() as group:
            if liveness is not None:
                group.create_task(self._passes("Liveness", liveness))
            if readiness is not None:
                group.create_task(probes.follow(readiness, home.clock, self._ask, self._tell_ready))
            elif ports_of(self.spec()):
                group.create_task(self._await_listener())

    async def _ask(self, probe: probes.ContainerProbe) -> CheckResult:
        return await self.home.runtime.check(self.running, probe.check, probe.timeout)

    async def _passes(self, kind: str, probe: probes.ContainerProbe) -> bool:
        """Follows a probe whose failure ends the container. True once a startup probe has succeeded.

        It ends the container and returns False if the probe fails; a liveness probe is followed until then.
        """
        home = self.home
        result: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

        def tell(healthy: bool, message: str) -> None:
            if not result.done() and (not healthy or kind == "Startup"):
                result.set_result(None if healthy else message)

        asking = asyncio.create_task(probes.follow(probe, home.clock, self._ask, tell, eager=kind == "Startup"))
        try:
            failure = await result
        finally:
            asking.cancel()
        if failure is None:
            return True
        home.say("Unhealthy", f"{kind} probe failed: {failure}", True, self.path)
        home.say("Killing", f"Container {self.name} failed {kind.lower()} probe, will be restarted", False, self.path)
        await self.kill(probe.grace if probe.grace is not None else grace_of(home.pod()))
        return False

    def _tell_ready(self, ready: bool, message: str) -> None:
        hint = "" if ready else message
        if ready == self.state.ready and hint == self.state.hint:
            return
        if message:
            self.home.say("Unhealthy", f"Readiness probe failed: {message}", True, self.path)
        self.state.ready, self.state.hint = ready and not self.stopping(), hint
        self.home.changed()

    async def _await_listener(self) -> None:
        """Without a readiness probe: ready once the container listens on its declared ports, so no request fails."""
        home, running, ports = self.home, self.running, ports_of(self.spec())
        open_: set[int] = set()
        pause = probes.FIRST_LOOK
        while True:
            for port in ports:
                if port not in open_:
                    result = await home.runtime.check(running, Listens(home.ip, port), 1.0)
                    if result.ok:
                        open_.add(port)
            late = home.clock.now() - running.started >= LISTEN_PATIENCE
            if len(open_) == len(set(ports)) or (open_ and late):
                self.state.ready, self.state.hint = not self.stopping(), ""
                home.changed()
                return
            if late and not self.state.hint:
                self.state.ready = False
                self.state.hint = (
                    f"it declares port {ports[0]}, but does not listen on {home.ip}:{ports[0]}: "
                    "let the program listen on $(HOST):$(PORT), or on the address in POD_IP"
                )
                home.say("Unhealthy", self.state.hint, True, self.path)
                home.changed()
            await asyncio.sleep(pause)
            pause = min(pause * 1.05, 1.0) if late else probes.FIRST_LOOK

"""The life cycle of one container: image, configuration, start, probes, restarts, end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

from serinus.api.meta import Json
from serinus.api.values.times import parse_time
from serinus.local.node import podstatus
from serinus.local.node.containers.runtime import (
    CannotStart,
    ExecCheck,
    Exit,
    Launch,
    Running,
)
from serinus.local.node.images import ImageError, ImageProgram
from serinus.local.node.pod_context import ContainerContext, grace_of
from serinus.local.node.podstatus import TrackedContainer
from serinus.local.node.preparation import NotYet, base_environment, prepare
from serinus.local.node.probing import probes
from serinus.local.node.probing.container_monitor import Supervision, ports_of

FIRST_DELAY, LONGEST_DELAY = 10.0, 300.0
"""Seconds between restarts and between pulls, doubled each time. As in a kubelet, the first restart is immediate."""

STEADY = 600.0
"""Seconds that a container must run to reset its crash count."""

CONFIG_RETRY = 2.0


class Container:
    """`restart`: Always, OnFailure or Never."""

    def __init__(self, home: ContainerContext, name: str, field: str, restart: str, before: Json | None = None) -> None:
        self._home, self.name, self._field, self._restart = home, name, field, restart
        self.state = TrackedContainer(name, str(self.spec.get("image") or ""))
        self._running: Running | None = None
        self._launch: Launch | None = None
        self._ended = asyncio.Event()
        self._stopping = False
        self._restarting = False
        self._crashes = 0
        if before:
            self._recall(before)

    @property
    def spec(self) -> Json:
        listed: list[Json] = self._home.pod()["spec"].get(self._field) or []
        return next((c for c in listed if c.get("name") == self.name), {})

    def _recall(self, before: Json) -> None:
        """Restores the container's state from its status in the API."""
        state = self.state
        state.restarts = int(before.get("restartCount") or 0)
        state.last, state.image_id = before.get("lastState") or {}, str(before.get("imageID") or "")
        state.state, state.id = before.get("state") or state.state, str(before.get("containerID") or "")
        state.ready, state.started = bool(before.get("ready")), bool(before.get("started"))
        self._restarting = "waiting" in state.state and bool(state.last)
        if state.exit_code is not None:
            state.over = not self._goes_on(state.exit_code)

    def _goes_on(self, code: int) -> bool:
        return self._restart == "Always" or (self._restart == "OnFailure" and code != 0)

    async def run(self, adopted: Running | None) -> None:
        """Runs the container until its end. `adopted`: the running container from an earlier node process."""
        if self.state.over and adopted is None:
            return
        # An adopted container keeps its readiness, so traffic continues while its probes restart.
        keeps_ready = self.state.ready and adopted is not None
        if adopted is None:
            self.state.ready = self.state.started = False
            if "running" in self.state.state:
                self._lost(self.state.state["running"].get("startedAt"))
            elif self.state.exit_code is not None:
                self._count()
            if self.state.over:
                return
        while not self._stopping:
            self._running = adopted or await self._start()
            adopted = None
            if self._running is not None:
                await self._live(self._running, keeps_ready)
                keeps_ready = False
            code = self.state.exit_code
            if self._stopping or not self._goes_on(code if code is not None else 1):
                self.state.over = True
                self._home.changed()
                return
            await self._rest()

    def _lost(self, started: str | None) -> None:
        """Records a container that ended while the node was not running."""
        now = self._home.clock.now()
        self.state.state = podstatus.terminated(
            255, parse_time(started) or now, now, known=False, message="it ended while the node was not running"
        )
        if self._goes_on(255):
            self._count()
        else:
            self.state.over = True
        self._home.changed()

    def _count(self) -> None:
        """Marks the next start as a restart; it is counted when it happens."""
        self.state.last, self._restarting = self.state.state, True

    async def _start(self) -> Running | None:
        """Starts the container; None if that fails, which counts as a crash."""
        home = self._home
        program = await self._program()
        if program is None:
            return None
        launch = await self._prepare(program)
        if launch is None or self._stopping:
            return None
        self._launch = launch
        for remark in home.runtime.remarks(launch):
            home.say("ForbiddenPort", remark, True, self._path)
        started = home.clock.now()
        self.state.restarts, self._restarting = launch.attempt, False
        try:
            running = await home.runtime.start(launch)
        except (CannotStart, OSError, ValueError) as error:
            self.state.state = podstatus.terminated(128, started, home.clock.now(), message=str(error))
            self.state.state["terminated"]["reason"] = "StartError"
            self._crashes += 1
            home.say("Failed", f"Error: {error}", True, self._path)
            home.changed()
            return None
        self.state.image_id = program.image_id
        return running

    @property
    def _path(self) -> str:
        return f"spec.{self._field}{{{self.name}}}"

    async def _program(self) -> ImageProgram | None:
        home, delay = self._home, FIRST_DELAY
        while not self._stopping:
            try:
                rules = await home.config.rules(home.ref.namespace)
                program = await home.runtime.program(self.spec, rules, home.ref.namespace)
            except ImageError as error:
                self._wait(error.reason, error.message)
                home.say("Failed", f"Failed to pull image: {error.message}", True, self._path)
                await home.config.changed(1.0)
                image = self.spec.get("image")
                self._wait("ImagePullBackOff", f'Back-off pulling image "{image}": {error.reason}: {error.message}')
                await home.config.changed(delay - 1.0)
                delay = min(delay * 2, LONGEST_DELAY)
            else:
                self.state.image = str(self.spec.get("image") or "")
                if program.because:
                    home.say("Pulled", program.because, False, self._path)
                return program
        return None

    def _wait(self, reason: str, message: str) -> None:
        self.state.state = podstatus.waiting(reason, message)
        self._home.changed()

    async def _prepare(self, program: ImageProgram) -> Launch | None:
        home = self._home
        while not self._stopping:
            attempt = self.state.restarts + self._restarting
            try:
                return await prepare(home, self.name, self.spec, self._field, program, attempt)
            except NotYet as error:
                self._wait("CreateContainerConfigError", str(error))
                home.say("Failed", f"Error: {error}", True, self._path)
            await asyncio.sleep(CONFIG_RETRY)
        return None

    async def _live(self, running: Running, ready: bool) -> None:
        home, state = self._home, self.state
        self._ended.clear()
        state.state, state.id = podstatus.running(running.started), f"{home.runtime.name}://{running.id}"
        state.restarts = max(state.restarts, running.attempt)
        state.started, state.hint = not self.spec.get("startupProbe"), ""
        state.ready = ready or (state.started and not self.spec.get("readinessProbe") and not ports_of(self.spec))
        home.changed()
        watching = asyncio.create_task(self._watch(running))
        try:
            ended = await home.runtime.ended(running)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        now = home.clock.now()
        state.ready = state.started = False
        self._crashes = 1 if now - running.started >= STEADY else self._crashes + 1
        state.state = self._terminated(running, ended, now)
        self._running = None
        self._ended.set()
        home.changed()

    def _terminated(self, running: Running, ended: Exit, now: float) -> Json:
        line = "" if ended.code == 0 else self._home.runtime.last_line(self._home.ref, self.name, running.attempt)
        return podstatus.terminated(
            ended.code,
            running.started,
            now,
            known=ended.known,
            message=ended.message or line,
            id_=self.state.id,
            reason=ended.reason,
        )

    async def _rest(self) -> None:
        """Waits before the next start and reports the reason."""
        home, state = self._home, self.state
        delay = 0.0 if self._crashes <= 1 else min(FIRST_DELAY * 2 ** min(self._crashes - 2, 20), LONGEST_DELAY)
        ended: Json = state.state.get("terminated") or {}
        self._count()
        if delay:
            line = f', its last line: "{ended["message"]}"' if ended.get("message") else ""
            command = f"kubectl logs {home.ref.name} -n {home.ref.namespace} -c {self.name} --previous"
            message = (
                f"back-off {delay:g}s restarting failed container={self.name} pod={home.ref.name}_{home.ref.namespace}"
                f"({home.ref.uid}): it ended with exit code {ended.get('exitCode')}{line}; see `{command}`"
            )
            self._wait("CrashLoopBackOff", message)
            home.say(
                "BackOff", f"Back-off restarting failed container {self.name} in pod {home.ref.name}", True, self._path
            )
            await asyncio.sleep(delay)

    async def _watch(self, running: Running) -> None:
        """Runs the probes and hooks of one start until cancelled."""
        home, launch = self._home, self._launch
        home.say("Started", f"Started container {self.name}", False, self._path)
        await Supervision(
            home,
            self.name,
            self._path,
            lambda: self.spec,
            self.state,
            running,
            dict(launch.env) if launch else base_environment(home, home.pod(), tuple(ports_of(self.spec))),
            launch.working_dir if launch else str(self.spec.get("workingDir") or ""),
            lambda: self._stopping,
            lambda grace: self._kill(running, grace),
            lambda: self._hook("postStart", running),
        ).run()

    async def _hook(self, name: str, running: Running) -> None:
        home = self._home
        given: Json = (self.spec.get("lifecycle") or {}).get(name) or {}
        if not given:
            return
        if given.get("sleep"):
            await asyncio.sleep(float(given["sleep"].get("seconds") or 0))
            return
        env = self._launch.env if self._launch else {}
        working_dir = self._launch.working_dir if self._launch else ""
        try:
            check = probes.check_of(self.spec, given, f"lifecycle.{name}", home.ip, env, working_dir)
        except probes.BadProbe as error:
            home.say(f"Failed{name[0].upper()}{name[1:]}Hook", str(error), True, self._path)
            return
        if check is None:
            return
        timeout = grace_of(home.pod()) if name == "preStop" else 3600.0
        result = await home.runtime.check(running, check, timeout)
        if not result.ok and (isinstance(check, ExecCheck) or name == "postStart"):
            home.say(
                f"Failed{name[0].upper()}{name[1:]}Hook", f"{name} hook failed: {result.message}", True, self._path
            )
            if name == "postStart":
                await self._kill(running, grace_of(home.pod()))

    async def _kill(self, running: Running, grace: float) -> None:
        """Sends SIGTERM, then SIGKILL after `grace` seconds. Returns when the container has ended."""
        await self._home.runtime.signal(running, kill=grace <= 0)
        try:
            async with asyncio.timeout(max(grace, 0.01)):
                await self._ended.wait()
        except TimeoutError:
            await self._home.runtime.signal(running, kill=True)
            await self._ended.wait()

    async def restart(self) -> None:
        """Ends the container after a definition change, so that it starts with the new one."""
        if self._running is not None:
            self._home.say("Killing", f"Container {self.name} definition changed, will be restarted", False, self._path)
            self._crashes = 0
            await self._kill(self._running, grace_of(self._home.pod()))

    async def stop(self, grace: float) -> None:
        """Ends the container permanently: the preStop hook, SIGTERM, and SIGKILL after `grace` seconds in all."""
        self._stopping = True
        running = self._running
        if running is None:
            return
        self._home.say("Killing", f"Stopping container {self.name}", False, self._path)
        began = self._home.clock.now()
        if grace > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self._until_ended(self._hook("preStop", running))
        # If the hook uses all the time, the program still gets two seconds, as in a kubelet.
        left = grace - (self._home.clock.now() - began)
        await self._kill(running, max(left, 2.0) if grace > 0 else 0.0)

    async def _until_ended(self, what: Awaitable[None]) -> None:
        hook, end = asyncio.ensure_future(what), asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((hook, end), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (hook, end):
                task.cancel()
            await asyncio.gather(hook, end, return_exceptions=True)

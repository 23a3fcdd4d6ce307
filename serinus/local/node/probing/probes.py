"""Probes: their definition (`probe_of`, pure), and their execution with thresholds (`follow`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from serinus.api.meta import Json
from serinus.kube.clock import Clock
from serinus.local.node.containers.runtime import Check, CheckResult, ExecCheck, HttpCheck, TcpCheck

FIRST_LOOK, GROWTH = 0.025, 1.3
"""Seconds between the first checks of a starting container, growing by this factor up to the probe's period. So a
period of ten seconds does not delay a pod by ten seconds. These extra checks never count as failures."""


class BadProbe(Exception):
    """An invalid probe; the message names the field."""


@dataclass(frozen=True, slots=True)
class ContainerProbe:
    """Times in seconds. `grace`: replaces the pod's grace period if this probe ends the container."""

    check: Check
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success: int = 1
    failure: int = 3
    grace: float | None = None


def probe_of(
    container: Json, field: str, ip: str, env: Mapping[str, str], working_dir: str = ""
) -> ContainerProbe | None:
    """The probe `readinessProbe`, `livenessProbe` or `startupProbe`, or None. Raises BadProbe if it is invalid."""
    given: Json | None = container.get(field)
    if not given:
        return None
    check = check_of(container, given, field, ip, env, working_dir)
    if check is None:
        raise BadProbe(f"{field}: names none of httpGet, tcpSocket, exec, grpc")
    grace = given.get("terminationGracePeriodSeconds")
    return ContainerProbe(
        check,
        float(given.get("initialDelaySeconds") or 0),
        float(given.get("periodSeconds") or 10),
        float(given.get("timeoutSeconds") or 1),
        int(given.get("successThreshold") or 1),
        int(given.get("failureThreshold") or 3),
        None if grace is None else float(grace),
    )


def check_of(
    container: Json, given: Json, field: str, ip: str, env: Mapping[str, str], working_dir: str
) -> Check | None:
    if http := given.get("httpGet"):
        headers = tuple((str(h.get("name")), str(h.get("value") or "")) for h in http.get("httpHeaders") or [])
        path = str(http.get("path") or "/")
        return HttpCheck(
            str(http.get("host") or ip),
            port_of(container, http.get("port"), f"{field}.httpGet.port"),
            path if path.startswith("/") else "/" + path,
            str(http.get("scheme") or "HTTP").lower(),
            headers,
        )
    if tcp := given.get("tcpSocket"):
        return TcpCheck(str(tcp.get("host") or ip), port_of(container, tcp.get("port"), f"{field}.tcpSocket.port"))
    if command := given.get("exec"):
        return ExecCheck(tuple(str(w) for w in command.get("command") or ()), env, working_dir)
    if grpc := given.get("grpc"):
        # Checks only that the port answers: the health protocol would need a library.
        return TcpCheck(ip, port_of(container, grpc.get("port"), f"{field}.grpc.port"))
    return None


def port_of(container: Json, value: object, where: str) -> int:
    if isinstance(value, int):
        return value
    for port in container.get("ports") or []:
        if port.get("name") == value:
            return int(port.get("containerPort") or 0)
    if isinstance(value, str) and value.isdigit():
        return int(value)
    raise BadProbe(f"{where}: {value!r} is neither a number nor the name of one of the container's ports")


async def follow(
    probe: ContainerProbe,
    clock: Clock,
    ask: Callable[[ContainerProbe], Awaitable[CheckResult]],
    tell: Callable[[bool, str], None],
    *,
    eager: bool = True,
) -> None:
    """Probes without end; calls `tell(healthy, message)` at each threshold. `eager`: more often until first success."""
    if probe.initial_delay:
        await asyncio.sleep(probe.initial_delay)
    successes = failures = 0
    pause, counted = min(FIRST_LOOK, probe.period), clock.now() - probe.period
    while True:
        result = await ask(probe)
        now = clock.now()
        if result.ok:
            eager = False
            failures, successes = 0, successes + 1
            if successes >= probe.success:
                tell(True, "")
        elif now - counted >= probe.period or not eager:
            counted = now
            failures, successes = failures + 1, 0
            if failures >= probe.failure:
                tell(False, result.message)
        await asyncio.sleep(pause if eager else probe.period)
        pause = min(pause * GROWTH, probe.period)

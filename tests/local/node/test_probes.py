from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serinus.local.node.containers.runtime import CheckResult, ExecCheck, HttpCheck, TcpCheck
from serinus.local.node.probing.probes import BadProbe, ContainerProbe, follow, probe_of
from tests.support.kube.loop_clock import LoopClock

PORTS: dict[str, Any] = {"ports": [{"name": "http", "containerPort": 8080}]}


def made(**probe: Any) -> ContainerProbe | None:
    return probe_of({**PORTS, "readinessProbe": probe}, "readinessProbe", "127.77.0.9", {"A": "1"})


def test_a_probe_has_the_defaults_of_kubernetes() -> None:
    assert made(tcpSocket={"port": 8080}) == ContainerProbe(TcpCheck("127.77.0.9", 8080), 0, 10, 1, 1, 3)


def test_http_probes_take_named_ports_headers_and_schemes() -> None:
    probe = made(
        httpGet={"port": "http", "path": "ok", "scheme": "HTTPS", "httpHeaders": [{"name": "X", "value": "y"}]},
        periodSeconds=2,
    )
    assert probe is not None
    assert (probe.check, probe.period) == (HttpCheck("127.77.0.9", 8080, "/ok", "https", (("X", "y"),)), 2)


def test_exec_probes_run_with_the_containers_environment() -> None:
    probe = made(exec={"command": ["true"]})
    assert probe is not None
    assert probe.check == ExecCheck(("true",), {"A": "1"}, "")


@pytest.mark.parametrize(
    ("probe", "says"),
    [({"httpGet": {"port": "nope"}}, "readinessProbe.httpGet.port: 'nope'"), ({"periodSeconds": 1}, "names none")],
)
def test_a_probe_that_cannot_be_asked_is_named(probe: dict[str, Any], says: str) -> None:
    with pytest.raises(BadProbe, match=says):
        made(**probe)


class Patient:
    """Answers by the times, and records the time of each probe and each result."""

    def __init__(self, healthy: Any) -> None:
        self.clock, self.healthy = LoopClock(0), healthy
        self.asked: list[float] = []
        self.told: list[tuple[float, bool]] = []

    async def ask(self, probe: ContainerProbe) -> CheckResult:
        self.asked.append(self.clock.now())
        return CheckResult(self.healthy(self.clock.now()))

    def tell(self, ok: bool, message: str) -> None:
        self.told.append((round(self.clock.now(), 2), ok))

    async def watch(self, probe: ContainerProbe, seconds: float, *, eager: bool = True) -> Patient:
        task = asyncio.create_task(follow(probe, self.clock, self.ask, self.tell, eager=eager))
        await asyncio.sleep(seconds)
        task.cancel()
        return self


CHECK = TcpCheck("127.77.0.9", 1)


@pytest.mark.looptime
async def test_a_long_period_does_not_delay_the_first_success() -> None:
    """A pod that is ready after half a second must not wait ten."""
    patient = await Patient(lambda now: now >= 0.5).watch(ContainerProbe(CHECK, period=10), 5)
    assert patient.told
    assert patient.told[0][1]
    assert patient.told[0][0] <= 0.75


@pytest.mark.looptime
async def test_the_extra_looks_do_not_count_as_failures() -> None:
    patient = await Patient(lambda now: False).watch(ContainerProbe(CHECK, period=10, failure=3), 60)
    assert not patient.told[0][1]
    assert 20 <= patient.told[0][0] <= 40


@pytest.mark.looptime
async def test_a_probe_waits_its_initial_delay_and_needs_its_thresholds() -> None:
    patient = await Patient(lambda now: now < 100).watch(
        ContainerProbe(CHECK, initial_delay=5, period=10, success=2, failure=3), 150
    )
    assert patient.asked[0] == 5
    assert patient.told[0] == (15, True)
    assert next(t for t, ok in patient.told if not ok) == 125


@pytest.mark.looptime
async def test_a_liveness_probe_keeps_to_its_period() -> None:
    patient = await Patient(lambda now: False).watch(ContainerProbe(CHECK, period=10, failure=3), 25, eager=False)
    assert patient.asked == [0, 10, 20]
    assert patient.told == [(20, False)]

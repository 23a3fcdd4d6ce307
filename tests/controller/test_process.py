"""The command as it is run: a process of its own, over real sockets, against the embedded API server."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from serinus.api.resources import LEASES, ROLLOUTS
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.configuration.config import Flags, load
from serinus.local.apiserver.certs import identity, write_kubeconfig
from serinus.local.apiserver.http import HttpsServer
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[tuple[Client, str]]:
    """A client, and the kubeconfig for others."""
    server = ApiServer(MemoryStore(), Schemas(), SystemClock(), rng=random.Random(1))
    await server.start()
    clock = SystemClock()
    who = identity(tmp_path / "certificates", clock.now())
    http = HttpsServer(server.handle, who.token, who.ssl_context())
    port = await http.start()
    kubeconfig = tmp_path / "kubeconfig"
    write_kubeconfig(kubeconfig, f"https://127.0.0.1:{port}", who.ca_pem, who.token)
    yield Client(server.handle), str(kubeconfig)
    server.close()
    await http.close()


class Process:
    """A running `serinus controller`: its log, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ports: dict[str, int] = {}

    async def until(self, text: str) -> str:
        """The first line from here on that has this text."""
        assert self.process.stderr is not None
        seen: list[str] = []
        async with asyncio.timeout(20):
            while line := (await self.process.stderr.readline()).decode():
                seen.append(line)
                if text in line:
                    return line
        raise AssertionError(f"it ended without {text!r}: {''.join(seen)}")

    async def get(self, port: str, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.ports[port]}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def ended(self) -> int:
        async with asyncio.timeout(20):
            return await self.process.wait()


@asynccontextmanager
async def running(*arguments: str):
    code = "import sys; from serinus.cli.main import main; sys.argv[1:1] = ['controller']; main()"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, *arguments, stderr=pipe)
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def against(kubeconfig: str) -> list[str]:
    return ["--kubeconfig", kubeconfig, "--metricsPort", "0", "--healthzPort", "0"]


async def test_it_runs_tells_its_state_and_stops_when_asked(api: tuple[Client, str]) -> None:
    client, server = api
    body = {"metadata": {"name": "web"}, "spec": {"replicas": 1}}
    await client.create(ROLLOUTS, body, "default")
    async with running(*against(server), "-n", "default") as it:
        line = await it.until("listening")
        it.ports = {name: int(port) for name, port in re.findall(r"(metrics|health)=(\d+)", line)}
        await it.until("working")
        assert await it.get("health", "/healthz") == (200, "ok")
        assert (await it.get("health", "/readyz"))[0] == 200
        _, text = await it.get("metrics", "/metrics")
        assert 'rollout_info{name="web",namespace="default"' in text
        assert "controller_clientset_k8s_request_total" in text
        held = await client.get(LEASES, "argo-rollouts-controller-lock", "default")
        assert held["spec"]["holderIdentity"]
        it.process.send_signal(signal.SIGTERM)
        assert await it.ended() == 0
    given_up = await client.get(LEASES, "argo-rollouts-controller-lock", "default")
    assert given_up["spec"]["holderIdentity"] == ""


async def test_a_second_one_takes_over_from_one_that_was_killed(api: tuple[Client, str]) -> None:
    _, server = api
    async with running(*against(server), "-n", "default") as one, running(*against(server), "-n", "default") as two:
        await one.until("listening")
        await two.until("listening")
        waits = {asyncio.create_task(it.until("working")): it for it in (one, two)}
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        first = waits[done.pop()]
        first.process.kill()
        (other,) = [task for task, it in waits.items() if it is not first]
        await other


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--kubeconfig", "/no/such/file"], "the kubeconfig /no/such/file does not exist. Check --kubeconfig."),
        (["--server", "http://a", "--leader-election-lease-duration", "1s"], "must be longer than renew deadline"),
        (["--server", "http://a", "--leader-election-retry-period", "soon"], "'soon' is no duration"),
    ],
)
async def test_what_cannot_run_says_why_and_what_to_do(arguments: list[str], told: str) -> None:
    async with running(*arguments) as it:
        line = await it.until("Error")
        assert told in line
        assert await it.ended() != 0


async def test_a_port_that_is_taken_is_named_with_its_flag(api: tuple[Client, str]) -> None:
    _, kubeconfig = api
    taken = load(Flags(kubeconfig=kubeconfig)).server.rpartition(":")[2]
    async with running("--kubeconfig", kubeconfig, "--metricsPort", "0", "--healthzPort", taken) as it:
        assert "Choose another with --healthzPort" in await it.until("Error")
        assert await it.ended() == 1

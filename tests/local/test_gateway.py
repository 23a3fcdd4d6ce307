"""The gateway's life, with the real Traefik: it lasts as long as the instance and not as long as one process of it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from serinus.local import processes
from serinus.local.cannot_run import CannotRun
from serinus.local.traefik.gateway import (
    Gateway,
    answers,
    clean_environment,
    free_port,
    stop_left_behind,
)
from serinus.local.traefik.gateway_config import GatewaySettings, configuration
from serinus.local.traefik.in_force import InForce, TraefikApi


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncGenerator[GatewaySettings]:
    """No API server answers: the gateway's lifecycle does not need one."""
    token = tmp_path / "token"
    token.write_text("t")
    chosen = GatewaySettings(
        directory=tmp_path / "gateway",
        endpoint="https://127.0.0.1:1",
        token_file=token,
        ca_file=token,
        log_file=tmp_path / "gateway.log",
        port=free_port("127.0.0.1", 0),
    )
    yield chosen
    if chosen.directory.exists():
        await stop_left_behind(chosen.directory)


async def started(settings: GatewaySettings, said: list[str] | None = None) -> Gateway:
    gateway = Gateway(settings, (said if said is not None else []).append)
    await gateway.start()
    await gateway.ready()
    return gateway


def process(settings: GatewaySettings) -> int:
    return int(json.loads((settings.directory / "process.json").read_text())["pid"])


async def test_it_answers_when_ready_and_not_after_stop(settings: GatewaySettings):
    gateway = await started(settings)
    assert await answers(settings.host, settings.port)
    await gateway.stop()
    assert not await answers(settings.host, settings.port)


async def test_the_next_one_keeps_what_a_crash_left_and_replaces_what_no_longer_fits(settings: GatewaySettings):
    """Traffic continues while the rest of the instance is started again."""
    await started(settings)
    first = process(settings)
    kept = await started(settings)
    assert process(settings) == first
    moved = GatewaySettings(
        settings.directory, "https://127.0.0.1:2", settings.token_file, settings.ca_file, settings.log_file,
        port=settings.port,
    )  # fmt: skip
    replaced = await started(moved)
    assert process(settings) != first
    await kept.stop()
    await replaced.stop()
    assert not await answers(settings.host, settings.port)


async def test_one_that_ends_by_itself_is_started_again(settings: GatewaySettings):
    said: list[str] = []
    gateway = await started(settings, said)
    watch = asyncio.create_task(gateway.supervise())
    first = process(settings)
    os.kill(first, signal.SIGKILL)
    while process(settings) == first:  # noqa: ASYNC110 - a file
        await asyncio.sleep(0.01)
    await gateway.ready()
    assert "starting it again" in said[0]
    watch.cancel()
    await gateway.stop()


async def states_of(api: TraefikApi) -> dict[str, InForce] | None:
    """None if it does not answer."""
    try:
        return await api.states()
    except OSError:
        return None


async def test_its_state_is_readable_with_its_token_alone(settings: GatewaySettings):
    gateway = await started(dataclasses.replace(settings, api_token="secret"))
    own = TraefikApi(settings.host, settings.port, "secret")
    for _ in range(1000):  # it answers HTTP before it has read its routes
        if await states_of(own) == {}:
            break
        await asyncio.sleep(0.02)
    assert await states_of(own) == {}
    with pytest.raises(OSError, match="status 404"):
        await TraefikApi(settings.host, settings.port, "another").states()
    await gateway.stop()
    assert await states_of(own) is None


async def test_after_a_crash_it_is_found_and_stopped(settings: GatewaySettings):
    await started(settings)
    pid = process(settings)
    when = processes.started_at(pid)
    assert await stop_left_behind(settings.directory)
    assert not processes.is_running(pid, when)
    assert not await stop_left_behind(settings.directory)


async def test_one_that_cannot_start_says_why(settings: GatewaySettings):
    with socket.socket() as other:
        other.bind((settings.host, settings.port))
        gateway = Gateway(settings, print)
        await gateway.start()
        with pytest.raises(CannotRun, match="address already in use"):
            await gateway.ready()


def test_a_taken_port_is_named_and_a_free_one_is_the_same_again():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(CannotRun, match=rf"Port {taken} .* taken"):
            free_port("127.0.0.1", taken)
        assert free_port("127.0.0.1", 0, remembered=taken) != taken
    free = free_port("127.0.0.1", 0)
    assert free_port("127.0.0.1", 0, remembered=free) == free


def test_nothing_of_the_users_own_changes_it():
    kept = clean_environment({"PATH": "/bin", "TRAEFIK_LOG_LEVEL": "DEBUG", "KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert kept == {"PATH": "/bin"}


def test_only_the_loopback_address_is_listened_on(settings: GatewaySettings):
    entry_points = configuration(settings)["entryPoints"]
    assert [point["address"].rpartition(":")[0] for point in entry_points.values()] == ["127.0.0.1"]

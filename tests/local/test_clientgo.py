"""Programs written with client-go work against the embedded API server as against any other: tests/clientgo is such a program."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from serinus.kube.clock import SystemClock
from serinus.local.apiserver.certs import identity, write_kubeconfig
from serinus.local.apiserver.http import HttpsServer
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas

pytestmark = pytest.mark.long

SOURCE = Path(__file__).parents[1] / "clientgo"
HISTORY = 50
"""Fewer changes than the program makes to expire the server's history (`history` in its watching.go)."""


@pytest.fixture(scope="module")
def program(request: pytest.FixtureRequest) -> Path:
    """The program, built. The first build on a machine takes minutes; Go caches the result."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed: install it from https://go.dev/dl to see client-go at work")
    listed = subprocess.run([go, "list", "-deps", "."], cwd=SOURCE, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip(f"the modules of client-go cannot be had here: {listed.stderr.strip()[-300:]}")
    assert request.config.cache is not None
    binary = request.config.cache.mkdir("clientgo") / "clientgo-check"
    built = subprocess.run(
        [go, "build", "-o", str(binary), "."], cwd=SOURCE, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return binary


@pytest.fixture
async def kubeconfig(tmp_path: Path) -> AsyncIterator[Path]:
    """Of an API server over HTTPS with a short history."""
    api = ApiServer(MemoryStore(history=HISTORY), Schemas(), SystemClock(), rng=random.Random(7))
    await api.start()
    who = identity(tmp_path / "pki", time.time())
    api.token = who.token
    server = HttpsServer(api.handle, who.token, who.ssl_context())
    await server.start()
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, f"https://127.0.0.1:{server.port}", who.ca_pem, who.token)
    yield path
    api.close()
    await server.close()


async def flaws(program: Path, kubeconfig: Path, *options: str, **environment: str) -> list[str]:
    """Which checks failed, and why."""
    process = await asyncio.create_subprocess_exec(
        program,
        "--kubeconfig",
        kubeconfig,
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()
    results: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert results, "the program checked nothing"
    return [f"{found['check']}: {found['detail']}" for found in results if not found["ok"]]


async def test_client_go_works_against_the_embedded_api_server(program: Path, kubeconfig: Path) -> None:
    assert await flaws(program, kubeconfig) == []


@pytest.mark.parametrize(
    "check", ["shared informers follow built-in kinds", "an informer catches up after its history is gone"]
)
async def test_informers_that_list_before_they_watch_work_too(program: Path, kubeconfig: Path, check: str) -> None:
    """As programs built with client-go before 0.35 do."""
    assert await flaws(program, kubeconfig, "--only", check, KUBE_FEATURE_WatchListClient="false") == []

"""A real OpenID provider (the npm package `oidc-provider`) as a process, and a user who signs in with it.

Its modules are installed once from the lock file beside it, each by its hash, and are kept beside the user's other caches.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from tests.support.cluster.binary import NoBinary, built

Json = dict[str, Any]

SOURCE = Path(__file__).with_name("openid")
CLIENT, CLIENT_SECRET = "rollouts", "the-secret-of-the-client-rollouts"
INSTALL_SECONDS = 300
START_SECONDS = 60


def modules() -> Path:
    """The directory with the provider's modules. NoBinary where node or the registry is missing."""
    digest = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()[:12]
    return built(f"openid-{digest}", _install, lock="openid.lock")


def _install(place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NoBinary("node and npm are not installed, with which the OpenID provider of the tests runs")
    new = place.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCE / name, new)
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=new, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        raise NoBinary(f"the OpenID provider of the tests cannot be installed here: {done.stderr.strip()[-300:]}")
    new.rename(place)


@dataclass
class OpenIdProvider:
    """`keys`: a JWK set with private keys. `redirect`: the dashboard's address for answers."""

    modules: Path
    directory: Path
    port: int
    redirect: str
    keys: Json
    accounts: dict[str, Json] = field(default_factory=dict[str, Json])

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        client = {
            "client_id": CLIENT,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [self.redirect],
            "post_logout_redirect_uris": [self.redirect.replace("/auth/callback", "/auth/sign-in")],
            "response_types": ["code"],
        }
        given = {
            "modules": str(self.modules),
            "issuer": self.issuer,
            "port": self.port,
            "clients": [client],
            "jwks": self.keys,
            "accounts": self.accounts,
        }
        config = self.directory / "provider.json"
        config.write_text(json.dumps(given))
        process = await asyncio.create_subprocess_exec(
            "node", str(SOURCE / "provider.mjs"), str(config),
            stdout=asyncio.subprocess.PIPE, stderr=(self.directory / "provider.log").open("wb"),
        )  # fmt: skip
        try:
            assert process.stdout is not None
            async with asyncio.timeout(START_SECONDS):
                line = await process.stdout.readline()
            assert line == b"ready\n", (self.directory / "provider.log").read_text()
            yield
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def answer_of(address: str, user: str, ends_at: str) -> str:
    """The user opens the provider's address and signs in. Returns the address to which he is sent in the end."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        for _ in range(10):
            async with browser.get(
                URL(address, encoded=True), allow_redirects=False, headers={"X-Test-User": user}
            ) as answer:
                assert answer.status in (302, 303), await answer.text()
                address = urljoin(address, answer.headers["Location"])
            if address.startswith(ends_at):
                return address
    raise AssertionError(f"the provider does not lead back: {address}")

"""Users whom an authenticating proxy names: through a real Traefik, and forged ones from elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from serinus.api.resources import EVENTS
from serinus.dashboard.access import Denied
from serinus.dashboard.team.proxy import SECRET_HEADER, TrustedProxy
from serinus.dashboard.team.secrets import Secrets
from serinus.dashboard.team.settings import TeamSettings
from serinus.local.traefik.gateway import clean_environment, traefik_binary
from tests.support.cluster.control_plane import free_port
from tests.support.dashboard import scenes
from tests.support.dashboard.team_stage import (
    DASHBOARD,
    IMPERSONATION,
    KEY,
    OF_THE_DASHBOARD,
    GuardedApi,
    TeamStage,
    editor_of,
    team,
    viewer_of,
)

SECRET = "the-secret-of-the-proxy-and-the-dashboard"
CHANGE = "/rollouts/api/ui/v1/rollouts/default/web/promote"
LIST = "/rollouts/api/ui/v1/rollouts"


def guarded() -> GuardedApi:
    """ana may change, by her name; everybody of the group `watchers` may look."""
    made = GuardedApi()
    made.grants |= {DASHBOARD: (*OF_THE_DASHBOARD, *IMPERSONATION)}
    made.grants |= {"ana": editor_of("default"), "watchers": viewer_of("default")}
    return made


def trusting(network: str = "127.0.0.1/32", url: str = "") -> Any:
    proxy = TrustedProxy((ip_network(network),), Secrets(given=(SECRET,)))
    return lambda own: TeamSettings(url or own, Secrets(given=(KEY,)), proxy=proxy)


@asynccontextmanager
async def traefik(directory: Path, port: int, target: str) -> AsyncGenerator[str]:
    """A Traefik that asks for a password, and names the user and the group `watchers` to the dashboard."""
    users = [f"{name}:{{SHA}}{digest}" for name, digest in (("ana", _sha("ana")), ("ben", _sha("ben")))]
    headers = {SECRET_HEADER: SECRET, "X-Forwarded-Groups": "watchers"}
    dynamic = {
        "http": {
            "routers": {"all": {"rule": "PathPrefix(`/`)", "service": "it", "middlewares": ["login", "names"]}},
            "services": {"it": {"loadBalancer": {"servers": [{"url": target}]}}},
            "middlewares": {
                "login": {"basicAuth": {"users": users, "headerField": "X-Forwarded-User", "removeHeader": True}},
                "names": {"headers": {"customRequestHeaders": headers}},
            },
        }
    }
    static = {
        "entryPoints": {"web": {"address": f"127.0.0.1:{port}"}},
        "providers": {"file": {"filename": str(directory / "dynamic.yaml")}},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
    }
    for name, content in (("dynamic", dynamic), ("static", static)):
        (directory / f"{name}.yaml").write_text(json.dumps(content))
    with (directory / "traefik.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            traefik_binary(),
            f"--configFile={directory / 'static.yaml'}",
            stdout=log,
            stderr=log,
            env=clean_environment(os.environ),
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


def _sha(password: str) -> str:
    from base64 import b64encode
    from hashlib import sha1

    return b64encode(sha1(password.encode()).digest()).decode()


async def answered(stage: TeamStage, url: str, **options: Any) -> Any:
    """The answer, once the proxy serves."""
    while True:
        try:
            answer = await stage.ask("GET", url, browser=False, **options)
        except aiohttp.ClientError:
            answer = None
        if answer is not None and answer.status not in (404, 502):
            return answer
        await asyncio.sleep(0.05)


async def test_users_of_a_real_proxy_act_as_themselves(tmp_path: Path) -> None:
    port = free_port()
    async with (
        team(trusting(url=f"http://127.0.0.1:{port}/rollouts"), guarded=guarded()) as stage,
        traefik(tmp_path, port, f"http://127.0.0.1:{stage.port}") as front,
    ):
        await stage.put(scenes.rollout())
        await stage.ready(1)
        assert (await answered(stage, front + LIST)).status == 401, "the proxy itself asks for a password"
        ana, ben = (
            {"Authorization": aiohttp.encode_basic_auth(name, name), "Origin": front} for name in ("ana", "ben")
        )
        forged = {"X-Forwarded-User": "ana", "X-Forwarded-Groups": "system:masters", SECRET_HEADER: "made-up"}
        for headers in (ben, ben | forged):
            answer = await stage.ask("POST", front + CHANGE, browser=False, headers=headers, json={})
            assert answer.status == 403
            assert 'User "ben" cannot patch' in answer.json["error"], "the proxy replaces the headers of a client"
        assert len((await stage.ask("GET", front + LIST, browser=False, headers=ben)).json["rows"]) == 1
        for origin in ("", "null", "http://evil.example"):
            answer = await stage.ask("POST", front + CHANGE, browser=False, headers=ana | {"Origin": origin})
            assert answer.status == 403
            assert "own page" in answer.json["error"] or "may not ask" in answer.json["error"]
        answer = await stage.ask("POST", front + CHANGE, browser=False, headers=ana, json={})
        assert answer.status == 200, answer.text
        (event,) = (await stage.client.list(EVENTS, "default")).items
        assert event["message"].endswith(" by ana")


async def test_forged_headers_from_elsewhere_are_refused() -> None:
    async with team(trusting(), guarded=guarded()) as stage:
        named = {"X-Forwarded-User": "ana"}
        elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with aiohttp.ClientSession(connector=elsewhere) as http:
            for headers in (named, named | {SECRET_HEADER: SECRET}, {SECRET_HEADER: SECRET}):
                answer = await stage.ask("GET", "/api/ui/v1/rollouts", headers=headers, http=http)
                assert answer.status == 403
                assert "127.0.0.2" in answer.json["error"]
        for headers in (named, named | {SECRET_HEADER: "wrong"}, named | {SECRET_HEADER: ""}):
            answer = await stage.ask("GET", "/api/ui/v1/rollouts", headers=headers)
            assert answer.status == 403
            assert SECRET not in answer.text
        assert (await stage.ask("GET", "/api/ui/v1/rollouts", headers=named | {SECRET_HEADER: SECRET})).status == 200


async def test_headers_count_for_nothing_where_no_proxy_is_trusted() -> None:
    async with team(guarded=guarded()) as stage:
        headers = {"X-Forwarded-User": "ana", SECRET_HEADER: SECRET}
        assert (await stage.ask("GET", "/api/ui/v1/rollouts", headers=headers)).status == 401


def proxy(*networks: str) -> TrustedProxy:
    return TrustedProxy(tuple(ip_network(one) for one in networks), Secrets(given=(SECRET, "o" * 40)))


def headers(*rows: tuple[str, str], secret: str = SECRET) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict([(SECRET_HEADER, secret), *rows]))


@pytest.mark.parametrize(
    "rows",
    [
        [("X-Forwarded-User", "ana"), ("X-Forwarded-User", "eve")],
        [("X-Forwarded-User", "ana"), (SECRET_HEADER, SECRET)],
        [("X-Forwarded-User", "system:serviceaccount:kube-system:default")],
        [("X-Forwarded-User", "ana"), ("X-Forwarded-Groups", "dev, system:masters")],
        [("X-Forwarded-User", "ana\r\nImpersonate-Group: system:masters")],
        [("X-Forwarded-User", " ana")],
        [("X-Forwarded-User", "")],
        [("X-Forwarded-Groups", "dev")],
        [("X-Forwarded-User", "a" * 600)],
        [("X-Forwarded-User", "ana"), ("X-Forwarded-Groups", ",".join(f"g{n}" for n in range(600)))],
    ],
)
def test_a_name_that_could_be_another_one_is_refused(rows: list[tuple[str, str]]) -> None:
    with pytest.raises(Denied):
        proxy("10.0.0.0/8").identity("10.1.2.3", headers(*rows), 0.0)


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"])
def test_addresses_of_the_proxy(peer: str) -> None:
    trusted, rows = proxy("10.0.0.0/8", "fd00::/64"), [("X-Forwarded-User", "ana"), ("X-Forwarded-Groups", "a, b,")]
    for secret in (SECRET, "o" * 40):
        who = trusted.identity(peer, headers(*rows, secret=secret), 0.0)
        assert who is not None
        assert (who.user, who.groups, who.token) == ("ana", ("a", "b"), "")
    for other in ("11.0.0.1", "::ffff:11.0.0.1", "fd01::1", "", "unix:"):
        with pytest.raises(Denied, match="no address of the proxy"):
            trusted.identity(other, headers(*rows), 0.0)

"""Signing in with a real OpenID provider: authorization code with PKCE, and what is refused on the way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from serinus.api.resources import EVENTS
from serinus.dashboard.team.oidc.settings import OidcSettings
from serinus.dashboard.team.secrets import Secrets
from serinus.dashboard.team.sessions import cookie_name
from serinus.dashboard.team.settings import TeamSettings
from tests.support.cluster.binary import NoBinary
from tests.support.cluster.control_plane import free_port
from tests.support.dashboard import scenes
from tests.support.dashboard.openid_provider import CLIENT, CLIENT_SECRET, OpenIdProvider, answer_of, modules
from tests.support.dashboard.signing import Key
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

SESSION, SIGN_IN = (cookie_name(kind, "/rollouts") for kind in ("session", "sign-in"))
ACCOUNTS = {
    "ana": {"email": "ana@example.com", "email_verified": True, "groups": ["deployers", "system:masters-of-ours"]},
    "ben": {"email": "ben@example.com", "email_verified": True, "groups": ["watchers"]},
    "eve": {"email": "ana@example.com", "email_verified": False},
}


@pytest.fixture(scope="session")
def installed() -> Path:
    try:
        return modules()
    except NoBinary as error:
        pytest.skip(f"no OpenID provider here: {error}")


@dataclass
class Scene:
    stage: TeamStage
    provider: OpenIdProvider

    @property
    def redirect(self) -> str:
        return f"{self.stage.url}/auth/callback"

    async def begun(self, back: str = "") -> str:
        """The provider's address to which the browser is sent."""
        answer = await self.stage.ask("GET", f"/auth/oidc?{urlencode({'next': back})}")
        assert answer.status == 303, answer.text
        return answer.headers["Location"]

    async def answered(self, user: str, back: str = "") -> str:
        """The address with the code to which the provider sends the browser."""
        return await answer_of(await self.begun(back), user, self.redirect)

    async def signed_in(self, user: str, back: str = "") -> Any:
        return await self.stage.ask("GET", await self.answered(user, back))


@asynccontextmanager
async def scene(installed: Path, directory: Path, **options: Any) -> AsyncGenerator[Scene]:
    port, own = free_port(), free_port()
    url = f"http://127.0.0.1:{own}/rollouts"
    started = options.pop("started", True)
    keys = {"keys": [Key("first").private_jwk]}
    provider = OpenIdProvider(installed, directory, port, f"{url}/auth/callback", keys, ACCOUNTS)
    oidc = OidcSettings(provider.issuer, CLIENT, Secrets(given=(CLIENT_SECRET,)), **options)

    def make(url: str) -> TeamSettings:
        return TeamSettings(url, Secrets(given=(KEY,)), token=False, oidc=oidc)

    guarded = GuardedApi()
    guarded.grants |= {
        DASHBOARD: (*OF_THE_DASHBOARD, *IMPERSONATION),
        "oidc:deployers": editor_of("default"),
        "oidc:watchers": viewer_of("default"),
    }
    async with provider.running() if started else nullcontext(), team(make, guarded=guarded, port=own) as stage:
        yield Scene(stage, provider)


async def test_users_come_in_with_name_and_groups_and_act_as_themselves(installed: Path, tmp_path: Path) -> None:
    async with scene(installed, tmp_path) as at:
        await at.stage.put(scenes.rollout())
        await at.stage.ready(1)
        query = parse_qs(urlsplit(await at.begun()).query)
        assert (query["code_challenge_method"], len(query["code_challenge"][0])) == (["S256"], 43)
        change = "/api/ui/v1/rollouts/default/web/promote"
        answer = await at.signed_in("ben")
        assert (answer.status, set(at.stage.cookies)) == (303, {SESSION}), answer.text
        assert await at.stage.rows() == ["default/web"]
        refused = await at.stage.ask("POST", change, json={})
        assert refused.status == 403
        assert 'User "oidc:ben@example.com" cannot patch' in refused.json["error"]
        answer = await at.signed_in("ana", "/rollouts/rollout/default/web")
        assert answer.headers["Location"] == "/rollouts/rollout/default/web"
        assert (await at.stage.ask("POST", change, json={})).status == 200
        (event,) = (await at.stage.client.list(EVENTS, "default")).items
        assert event["message"].endswith(" by oidc:ana@example.com")


async def test_the_answer_of_a_sign_in_counts_once_and_in_its_browser_alone(installed: Path, tmp_path: Path) -> None:
    async with scene(installed, tmp_path) as at:
        address = await at.answered("ben")
        cookies = dict(at.stage.cookies)

        async def refused(address: str, cookies: dict[str, str], why: str) -> None:
            at.stage.cookies = dict(cookies)
            answer = await at.stage.ask("GET", address)
            assert (answer.status in (400, 401, 403), SESSION in at.stage.cookies) == (True, False), answer.text
            assert why in answer.text

        await refused(address, {}, "was not begun in this browser")  # an attacker's link: login CSRF
        at.stage.cookies = {}
        await at.begun()
        await refused(address, at.stage.cookies, "belongs to another sign-in")  # the state of another sign-in
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        base = address.partition("?")[0]
        for changed, why in (
            ({"state": "x"}, "belongs to another sign-in"),
            ({"code": "made-up"}, "HTTP 400"),
            ({"iss": "https://other.example"}, "another provider"),
            ({"error": "access_denied", "code": ""}, "did not sign you in"),
        ):
            await refused(f"{base}?{urlencode(query | changed)}", cookies, why)
        at.stage.cookies = dict(cookies)
        assert (await at.stage.ask("GET", address)).status == 303
        session = at.stage.cookies.pop(SESSION)
        assert at.stage.cookies == {}, "the state is gone with its first use"
        await refused(address, {}, "was not begun in this browser")
        await refused(address, cookies, "HTTP 400")  # even with a copy of the cookie: the provider takes a code once
        at.stage.cookies = {SESSION: session}


async def test_a_code_does_not_work_without_the_verifier_of_its_sign_in(installed: Path, tmp_path: Path) -> None:
    """A stolen code in another sign-in of the same dashboard: PKCE refuses it at the provider."""
    async with scene(installed, tmp_path) as at:
        stolen = parse_qs(urlsplit(await at.answered("ana")).query)["code"][0]
        own = parse_qs(urlsplit(await at.begun()).query)["state"][0]
        answer = await at.stage.ask("GET", f"/auth/callback?{urlencode({'code': stolen, 'state': own})}")
        assert (answer.status, at.stage.cookies) == (401, {})
        assert "HTTP 400" in answer.text


async def test_an_unverified_address_names_nobody(installed: Path, tmp_path: Path) -> None:
    async with scene(installed, tmp_path) as at:
        answer = await at.signed_in("eve")
        assert (answer.status, at.stage.cookies) == (403, {})
        assert "has not verified your email address" in answer.text


@pytest.mark.long
async def test_keys_of_the_provider_may_rotate(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serinus.dashboard.team.oidc.provider.KEYS_AGAIN_SECONDS", 0.0)
    async with scene(installed, tmp_path, started=False) as at:
        for name in ("first", "second"):
            at.provider.keys = {"keys": [Key(name).private_jwk]}
            async with at.provider.running():
                assert (await at.signed_in("ben")).status == 303


@pytest.mark.long
async def test_signing_out_ends_the_session_at_the_provider_too(installed: Path, tmp_path: Path) -> None:
    async with scene(installed, tmp_path) as at:
        await at.signed_in("ben")
        page = await at.stage.ask("GET", "/auth/sign-out")
        assert "oidc:ben@example.com" in page.text
        assert f"form-action 'self' {at.provider.issuer}" in page.headers["Content-Security-Policy"]
        answer = await at.stage.ask("POST", "/auth/sign-out")
        assert answer.headers["Location"].startswith(f"{at.provider.issuer}/session/end?client_id=rollouts&")
        assert at.stage.cookies == {}

"""ID tokens that are not accepted, from a provider that answers whatever a test wants."""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from serinus.dashboard.access import Denied
from serinus.dashboard.team.oidc import provider as module
from serinus.dashboard.team.oidc.provider import Provider
from serinus.dashboard.team.oidc.settings import OidcSettings, checked_issuer
from serinus.dashboard.team.settings import BadSettings
from serinus.kube.clock import SystemClock
from tests.support.dashboard.signing import Key

Json = dict[str, Any]
ONE, OTHER = Key("one"), Key("other")
CLIENT, NONCE = "rollouts", "the-nonce"


@dataclass
class Answers:
    """`keys`: published ones; `token`: for every code; `asked`: the number of reads of the keys."""

    issuer: str
    provider: Provider
    keys: list[Json] = field(default_factory=lambda: [ONE.public_jwk])
    token: str = ""
    asked: int = 0
    changed: Json = field(default_factory=dict[str, Any])

    def claims(self, **changed: Any) -> Json:
        now = int(time.time())
        made = {"iss": self.issuer, "aud": CLIENT, "sub": "1", "nonce": NONCE, "iat": now, "exp": now + 60}
        return {name: value for name, value in (made | changed).items() if value is not None}

    async def verified(self, token: str) -> Json:
        self.token = token
        return await self.provider.claims("code", "verifier", NONCE)


@asynccontextmanager
async def answers() -> AsyncGenerator[Answers]:
    async def configuration(_: web.Request) -> web.Response:
        paths = {"authorization_endpoint": "/auth", "token_endpoint": "/token", "jwks_uri": "/keys"}
        urls = {name: made.issuer + path for name, path in paths.items()}
        return web.json_response({"issuer": made.issuer, **urls, **made.changed})

    async def keys(_: web.Request) -> web.Response:
        made.asked += 1
        return web.json_response({"keys": made.keys})

    async def token(_: web.Request) -> web.Response:
        return web.json_response({"id_token": made.token})

    app = web.Application()
    app.add_routes([web.get("/.well-known/openid-configuration", configuration)])
    app.add_routes([web.get("/keys", keys), web.post("/token", token)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as http:
        made = Answers(issuer, Provider(OidcSettings(issuer, CLIENT), "http://localhost/callback", http, SystemClock()))
        try:
            yield made
        finally:
            await runner.cleanup()


def part(value: Json) -> str:
    return urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def unsigned(at: Answers) -> str:
    return f"{part({'alg': 'none', 'kid': 'one'})}.{part(at.claims())}."


def signed_with_the_public_key(at: Answers) -> str:
    """The classic confusion: an HMAC whose secret is the published key."""
    text = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(at.claims())}"
    mac = hmac.new(ONE.public_pem, text.encode(), sha256).digest()
    return f"{text}.{urlsafe_b64encode(mac).decode().rstrip('=')}"


def tampered(at: Answers) -> str:
    head, _, signature = ONE.signed(at.claims()).split(".")
    return f"{head}.{part(at.claims(sub='2'))}.{signature}"


def changed(**claims: Any) -> Callable[[Answers], str]:
    return lambda at: ONE.signed(at.claims(**claims))


WRONG: dict[str, Callable[[Answers], str]] = {
    "alg none": unsigned,
    "alg HS256 with the public key": signed_with_the_public_key,
    "changed after signing": tampered,
    "another key of the same name": lambda at: OTHER.signed(at.claims(), kid="one"),
    "an unknown key": lambda at: OTHER.signed(at.claims()),
    "another audience": changed(aud="another-client"),
    "several audiences without azp": changed(aud=[CLIENT, "another-client"]),
    "issued to another client": changed(aud=[CLIENT, "another-client"], azp="another-client"),
    "another issuer": changed(iss="https://evil.example"),
    "expired": lambda at: ONE.signed(at.claims(exp=int(time.time()) - 120)),
    "not valid yet": lambda at: ONE.signed(at.claims(nbf=int(time.time()) + 600)),
    "issued in the future": lambda at: ONE.signed(at.claims(iat=int(time.time()) + 600)),
    "another nonce": changed(nonce="of another sign-in"),
    "no nonce": changed(nonce=None),
    "no expiry": changed(exp=None),
    "no audience": changed(aud=None),
    "no subject": changed(sub=None),
    "no token": lambda at: "x.y.z",
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_token_is_refused(name: str) -> None:
    async with answers() as at:
        assert (await at.verified(ONE.signed(at.claims())))["sub"] == "1"
        with pytest.raises(Denied) as denied:
            await at.verified(WRONG[name](at))
        assert denied.value.status == 401


async def test_a_new_key_is_read_at_once_and_a_made_up_one_costs_the_provider_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with answers() as at:
        await at.verified(ONE.signed(at.claims()))
        at.keys = [OTHER.public_jwk]
        for _ in range(20):
            with pytest.raises(Denied):
                await at.verified(OTHER.signed(at.claims()))
        assert at.asked == 1, "an unknown key does not make a request each time"
        monkeypatch.setattr(module, "KEYS_AGAIN_SECONDS", 0.0)
        assert (await at.verified(OTHER.signed(at.claims())))["sub"] == "1"
        with pytest.raises(Denied):
            await at.verified(ONE.signed(at.claims()))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"issuer": "https://evil.example"}, "calls itself 'https://evil.example'"),
        ({"token_endpoint": "ftp://x"}, "token_endpoint must be"),
        ({"jwks_uri": None}, "jwks_uri must be"),
    ],
)
async def test_a_provider_with_another_name_or_place_is_refused(wrong: Json, why: str) -> None:
    async with answers() as at:
        at.changed = wrong
        with pytest.raises(Denied, match=why):
            await at.provider.configuration()


@pytest.mark.parametrize("issuer", ["http://login.example.com", "login.example.com", "https://x/?a=b", ""])
def test_an_issuer_over_plain_http_is_refused(issuer: str) -> None:
    with pytest.raises(BadSettings):
        checked_issuer(issuer)


SETTINGS = OidcSettings("https://login.example.com", CLIENT)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"email": ""},
        {"email": ["ana@example.com"]},
        {"email": "ana@example.com", "email_verified": False},
        {"email": "ana@example.com", "email_verified": "true"},
        {"email": "ana@example.com", "groups": {"a": 1}},
        {"email": "ana@example.com", "groups": [1]},
        {"email": "ana\n@example.com"},
        {"email": "ana@example.com", "groups": [f"g{n}" for n in range(600)]},
    ],
)
def test_claims_that_name_no_user_are_refused(claims: Json) -> None:
    with pytest.raises(Denied):
        SETTINGS.user(claims)


def test_claims_name_the_user_and_the_groups_that_count() -> None:
    claims = {"email": "ana@example.com", "sub": "1", "groups": ["dev", "all", "dev"]}
    who = SETTINGS.user(claims)
    assert (who.user, who.groups, who.token) == ("oidc:ana@example.com", ("oidc:dev", "oidc:all"), "")
    few = OidcSettings("https://login.example.com", CLIENT, user_claim="sub", prefix="", groups=frozenset({"dev"}))
    assert (few.user(claims).user, few.user(claims).groups) == ("1", ("dev",))
    with pytest.raises(Denied, match="reserved for the cluster itself"):
        few.user({"sub": "system:admin"})
    assert few.user({"sub": "1", "groups": "dev"}).groups == ("dev",)

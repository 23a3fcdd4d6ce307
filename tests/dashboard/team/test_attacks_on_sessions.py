"""Requests without an identity, from other pages, with made-up or old proofs: all refused."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from yarl import URL

from serinus.dashboard.team.paths import own_path
from serinus.dashboard.team.secrets import BadSecret, Sealer, Secrets
from serinus.dashboard.team.sessions import cookie_name
from serinus.dashboard.team.settings import BadSettings, TeamSettings, checked_url
from tests.support.dashboard import scenes
from tests.support.dashboard.team_stage import ANA, KEY, GuardedApi, TeamStage, editor_of, secret_file, team, two_users

SESSION = cookie_name("session", "/rollouts")
CHANGE = "/api/ui/v1/rollouts/default/web/promote"
HTML = {"Accept": "text/html"}


def ana() -> GuardedApi:
    made = two_users()
    made.grants["ana@example.com"] = editor_of("default")
    return made


async def untouched(stage: TeamStage) -> bool:
    from serinus.api.resources import ROLLOUTS

    return bool((await stage.client.get(ROLLOUTS, "web", "default"))["status"].get("pauseConditions"))


@pytest.mark.parametrize(
    "path", ["/api/ui/v1/rollouts", "/api/ui/v1/stream", "/api/ui/v1/rollouts/default/web", "/api/v1/namespace", "/"]
)
async def test_without_an_identity_there_is_nothing(path: str) -> None:
    async with team(guarded=ana()) as stage:
        assert (await stage.ask("GET", path, browser=False)).status == 401
        assert (
            await stage.ask("GET", path, headers={"Authorization": "Bearer a-made-up-token"}, browser=False)
        ).status == 401
        assert (await stage.ask("POST", CHANGE)).status == 401
        assert stage.guarded.calls == [call for call in stage.guarded.calls if call[1] in ("list", "watch")]


async def test_a_page_leads_to_the_sign_in_and_back() -> None:
    async with team(guarded=ana()) as stage:
        path = "/rollouts/rollout/default/web?a=1&b=2"
        answer = await stage.ask("GET", path.removeprefix("/rollouts"), headers=HTML)
        assert answer.status == 303
        location = URL(answer.headers["Location"])
        assert (location.path, location.query["next"]) == ("/rollouts/auth/sign-in", path)
        form = await stage.ask("GET", answer.headers["Location"].removeprefix("/rollouts"), headers=HTML)
        assert form.status == 200
        assert f'value="{escape(path)}"' in form.text
        signed = await stage.sign_in(ANA, path)
        assert (signed.status, signed.headers["Location"]) == (303, path)
        page = await stage.ask("GET", "/", headers=HTML)
        assert page.status == 200
        assert 'Signed in as ana@example.com. <a href="auth/sign-out">' in page.text


async def test_the_session_is_a_cookie_that_no_script_and_no_other_host_can_set() -> None:
    async with team(guarded=ana()) as stage:
        answer = await stage.sign_in(ANA)
        morsel = SimpleCookie(answer.headers["Set-Cookie"])[SESSION]
        assert SESSION.startswith("__Host-")
        assert (morsel["httponly"], morsel["secure"], morsel["samesite"], morsel["path"]) == (True, True, "Lax", "/")
        assert morsel["domain"] == ""
        assert ANA not in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1"])
async def test_another_page_changes_nothing_with_the_session(origin: str) -> None:
    async with team(guarded=ana()) as stage:
        await stage.put(scenes.rollout())
        await stage.sign_in(ANA)
        assert (await stage.ask("POST", CHANGE, headers={"Origin": origin}, json={})).status == 403
        assert await untouched(stage)
        assert (await stage.ask("POST", CHANGE, json={})).status == 200
        assert not await untouched(stage)


async def test_another_page_can_sign_nobody_in_or_out() -> None:
    async with team(guarded=ana()) as stage:
        for path in ("/auth/sign-in", "/auth/sign-out"):
            for origin in ("http://evil.example", "null", ""):
                answer = await stage.ask("POST", path, headers={"Origin": origin}, data=f"token={ANA}")
                assert answer.status == 403
                assert "Set-Cookie" not in answer.headers


async def test_a_session_that_was_planted_before_the_sign_in_is_worth_nothing() -> None:
    async with team(guarded=ana()) as stage:
        other = Sealer(Secrets(given=(KEY,)), "sign-in")
        value = {"way": "proxy", "user": "ana@example.com", "groups": [], "token": "", "until": 9e12}
        planted = ["x", "a" * 500, other.seal(value), Sealer(Secrets(given=("z" * 40,)), "session").seal(value)]
        for cookie in planted:
            stage.cookies = {SESSION: cookie}
            assert (await stage.ask("GET", "/api/ui/v1/rollouts")).status == 401
        await stage.sign_in(ANA)
        first = stage.cookies[SESSION]
        assert first not in planted
        await stage.sign_in(ANA)
        assert stage.cookies[SESSION] != first, "each sign-in makes a session of its own"


async def test_an_expired_session_and_a_revoked_token_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serinus.dashboard.team.bearer.KEPT_SECONDS", 0.0)

    def short(url: str) -> TeamSettings:
        return TeamSettings(url, Secrets(given=(KEY,)), session_seconds=-1.0)

    async with team(short, guarded=ana()) as stage:
        sealed = Sealer(Secrets(given=(KEY,)), "session")
        value = {"way": "token", "user": "ana@example.com", "groups": [], "token": ANA}
        stage.cookies = {SESSION: sealed.seal({**value, "until": 1.0})}
        assert (await stage.ask("GET", "/api/ui/v1/rollouts")).status == 401
        stage.cookies = {SESSION: sealed.seal({**value, "until": 9e12})}
        assert (await stage.ask("GET", "/api/ui/v1/rollouts")).status == 200
        del stage.guarded.tokens[ANA]
        assert (await stage.ask("GET", "/api/ui/v1/rollouts")).status == 401


async def test_after_signing_out_the_browser_has_no_session() -> None:
    async with team(guarded=ana()) as stage:
        await stage.sign_in(ANA)
        assert "ana@example.com" in (await stage.ask("GET", "/auth/sign-out")).text
        answer = await stage.ask("POST", "/auth/sign-out")
        assert (answer.status, stage.cookies) == (303, {})
        assert (await stage.ask("GET", "/api/ui/v1/rollouts")).status == 401


async def test_replicas_with_the_same_keys_know_the_session_and_keys_can_be_replaced(tmp_path: Path) -> None:
    file = tmp_path / "keys"

    def with_keys(*lines: str) -> Callable[[str], TeamSettings]:
        keys = secret_file(file, *lines)
        return lambda url: TeamSettings(url, keys)

    old, new = "o" * 40, "n" * 40
    async with team(with_keys(old), guarded=ana()) as first:
        await first.sign_in(ANA)
        session = first.cookies
    for lines, status in (((old,), 200), ((new, old), 200), ((new,), 401)):
        async with team(with_keys(*lines), guarded=ana()) as replica:
            replica.cookies = dict(session)
            assert (await replica.ask("GET", "/api/ui/v1/rollouts")).status == status


async def test_a_changed_file_of_keys_is_read_again(tmp_path: Path) -> None:
    keys = secret_file(tmp_path / "keys", "o" * 40)
    assert keys.all() == ("o" * 40,)
    (tmp_path / "new").write_text("n" * 40 + "\n" + "o" * 40)
    (tmp_path / "new").rename(tmp_path / "keys")
    assert keys.all() == ("n" * 40, "o" * 40)
    (tmp_path / "keys").unlink()
    assert keys.all() == ("n" * 40, "o" * 40), "an unreadable file ends no session"
    for content in ("", "short"):
        with pytest.raises(BadSecret, match="at least 32 characters"):
            secret_file(tmp_path / "bad", content)


async def test_read_only_refuses_every_user() -> None:
    async with team(lambda url: TeamSettings(url, Secrets(given=(KEY,)), read_only=True), guarded=ana()) as stage:
        await stage.put(scenes.rollout())
        headers = {"Authorization": f"Bearer {ANA}"}
        assert (await stage.ask("POST", CHANGE, headers=headers, json={})).status == 403
        assert await untouched(stage)


async def test_without_a_way_in_the_dashboard_is_closed() -> None:
    async with team(lambda url: TeamSettings(url, Secrets(given=(KEY,)), token=False), guarded=ana()) as stage:
        answer = await stage.ask(
            "GET", "/api/ui/v1/rollouts", headers={"Authorization": f"Bearer {ANA}"}, browser=False
        )
        assert answer.status == 401
        assert "No way to sign in is configured" in answer.json["error"]
        assert (await stage.sign_in(ANA)).status == 403


async def test_a_name_that_is_not_its_own_gets_nothing() -> None:
    async with team(guarded=ana()) as stage:
        for host in ("evil.example", "localhost", ""):
            answer = await stage.ask(
                "GET", "/api/ui/v1/rollouts", headers={"Host": host, "Authorization": f"Bearer {ANA}"}
            )
            assert answer.status in (400, 421)


async def test_kubelets_ask_without_an_identity_whether_it_is_ready() -> None:
    async with team(guarded=ana()) as stage:
        await stage.put(scenes.rollout())
        await stage.ready(1)
        for path in ("/healthz", "/readyz"):
            answer = await stage.ask("GET", stage.origin + path, headers={"Host": "10.1.2.3:3100"}, browser=False)
            assert (answer.status, answer.text) == (200, "ok")


@pytest.mark.parametrize(
    "given",
    [
        "https://evil.example/", "//evil.example/rollouts/", "/\\evil.example", "/rollouts/\t/evil", "javascript:alert(1)",
        "/other/", "", "/rollouts", "/rollouts/auth/sign-out", "/rollouts/\n", "/rollouts/" + "x" * 2000, "http:/rollouts/",
    ],
)  # fmt: skip
def test_a_sign_in_leads_to_no_other_place(given: str) -> None:
    assert own_path(given, "/rollouts") == "/rollouts/"
    assert own_path(given, "") in ("/", given)
    assert not own_path(given, "").startswith(("//", "/\\"))


def test_a_sign_in_leads_back_to_the_page_that_was_opened() -> None:
    for path in ("/rollouts/", "/rollouts/rollout/shop/web", "/rollouts/?q=a%2Cb&view=table"):
        assert own_path(path, "/rollouts") == path


@pytest.mark.parametrize(
    "url", ["http://rollouts.example.com", "ftp://x", "rollouts.example.com", "https://u:p@x/", "https://x/?a"]
)
def test_an_address_over_plain_http_is_refused(url: str) -> None:
    with pytest.raises(BadSettings):
        checked_url(url)


async def test_a_token_that_a_proxy_adds_to_requests_of_another_page_changes_nothing() -> None:
    """The browser names the other page in the Origin, also where a proxy adds the token."""
    async with team(guarded=ana()) as stage:
        await stage.put(scenes.rollout())
        for origin in ("http://evil.example", "null"):
            headers = {"Authorization": f"Bearer {ANA}", "Origin": origin}
            assert (await stage.ask("POST", CHANGE, headers=headers, json={})).status == 403
            assert (await stage.ask("GET", "/api/ui/v1/rollouts", headers=headers)).status == 403
        assert await untouched(stage)

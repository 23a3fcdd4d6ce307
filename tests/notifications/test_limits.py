"""The limits of other namespaces' configurations: types, hosts, redirects, and no use of the controller pod's identity."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from serinus.analysis.providers.http.client import Http
from serinus.notifications.fields import load, read
from serinus.notifications.limits import LimitedHttp, is_host_allowed, read_limit
from serinus.notifications.problems import ConfigurationError
from serinus.notifications.services.registry import SERVICES
from serinus.notifications.services.service import Delayed, Refused, SendRequest, ServiceContext
from tests.support.notifications.fake_vendor import vendor

NOW = 1_700_000_000.0
XML = "<R><AccessKeyId>AK</AccessKeyId><SecretAccessKey>SK</SecretAccessKey><SessionToken>session-token</SessionToken></R>"


@pytest.mark.parametrize(
    ("text", "namespace", "allowed"),
    [
        ("[slack, webhook]", "any", ("slack", "webhook")),
        ("team-*: [slack]\n'*': [email]", "team-a", ("slack", "email")),
        ("team-*: [slack]\n'*': [email]", "other", ("email",)),
        ("team-a: [slack]", "team-b", ()),
        ("team-a:", "team-a", ()),
        ("", "any", ()),
    ],
)
def test_a_limit_is_for_all_namespaces_or_for_those_of_a_pattern(
    text: str, namespace: str, allowed: tuple[str, ...]
) -> None:
    assert read_limit(load(text)).of(namespace) == allowed


@pytest.mark.parametrize("text", ["slack", "team-a: slack", "[[a]]"])
def test_a_limit_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        read_limit(load(text))


@pytest.mark.parametrize(
    ("address", "pattern", "expected"),
    [
        ("hooks.example.com", "hooks.example.com", True),
        ("Hooks.Example.com:8443", "hooks.example.com", True),
        ("hooks.example.com:8443", "hooks.example.com:443", False),
        ("a.example.com", "*.example.com", True),
        ("example.com.evil.test", "*.example.com", False),
        ("hooks.example.com@evil.test", "hooks.example.com", False),
        ("[::1]:80", "::1", True),
        ("", "*", False),
        ("evil.test#.example.com", "*.example.com", False),
        ("evil.test/.example.com:25", "*.example.com:25", False),
        ("evil.test%2f.example.com", "*.example.com", False),
    ],
)
def test_hosts(address: str, pattern: str, expected: bool) -> None:
    assert is_host_allowed(address, [pattern]) is expected


async def webhook(url: str, patterns: tuple[str, ...]) -> None:
    service = SERVICES["webhook"]
    options, _ = read({"url": url, "headers": [{"name": "Authorization", "value": "secret"}]}, service.Options)
    async with Http() as http:
        limited = LimitedHttp(http, patterns, "team-a")
        section, _ = read({"method": "POST", "body": "hello"}, service.Section)
        await service.send(options, SendRequest("hook", "", "m", section, ServiceContext(limited, lambda: NOW)))


async def test_a_host_that_is_not_allowed_is_not_asked() -> None:
    async with vendor((200, "")) as there:
        with pytest.raises(
            Refused, match=r"serinus.allowedHosts does not allow the host '127.0.0.1:\d+' for namespace team-a"
        ):
            await webhook(there.url, ("hooks.example.com",))
        assert there.seen == []
        await webhook(there.url, ("127.0.0.1",))
        assert [one.body for one in there.seen] == [b"hello"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_to_a_host_that_is_not_allowed_is_not_followed(status: int) -> None:
    async with vendor((200, "")) as inside, vendor((status, {"location": inside.url})) as outside:
        with pytest.raises(Refused, match="does not allow the host"):
            await webhook(outside.url, (outside.url.removeprefix("http://"),))
        assert (len(outside.seen), inside.seen) == (1, [])


@pytest.mark.parametrize(
    "url",
    [
        "http://{}@ok.test/", "http://ok.test@{}/", "http://{}#@ok.test/", "http://{}?@ok.test/", "http://{}/@ok.test/",
        "http://{}\\@ok.test/", "http://ok.test\\@{}/", "http://{}\n.ok.test/", "http://{}%2f.ok.test/", "http:\\\\{}@ok.test/",
        "http://ok.test:80@{}/", "http://ok.test%40{}/", "http://[::1]@{}/", "http:{}/.ok.test", " http://{}/.ok.test",
    ],
)  # fmt: skip
async def test_an_address_that_can_be_read_in_two_ways_does_not_get_around(url: str) -> None:
    """Patterns allow ok.test and all below it; the server is another host."""
    async with vendor((200, "")) as there:
        with suppress(Refused, Delayed):
            await webhook(url.format(there.url.removeprefix("http://")), ("ok.test", "*.ok.test"))
        assert there.seen == []


async def test_a_redirect_to_an_allowed_host_has_no_credentials() -> None:
    async with vendor((200, "")) as inside, vendor((307, {"location": inside.url})) as outside:
        await webhook(outside.url, ("127.0.0.1",))
        (asked,) = inside.seen
        assert (asked.method, asked.body) == ("POST", b"hello")
        assert "Authorization" not in asked.headers


async def sqs(url: str, environment: dict[str, str], *, ambient: bool) -> Any:
    service = SERVICES["awssqs"]
    options, _ = read({"queue": "q", "region": "eu-west-1", "endpointUrl": url}, service.Options)
    async with Http() as http:
        return await service.send(
            options,
            SendRequest("awssqs", "", "m", None, ServiceContext(http, lambda: NOW, environment, ambient=ambient)),
        )


async def test_sqs_uses_the_role_of_the_controllers_service_account(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("web-identity-token")
    async with vendor((200, XML)) as sts, vendor((200, {"QueueUrl": "u"}), (200, {})) as there:
        environment = {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
            "AWS_ENDPOINT_URL_STS": sts.url,
        }
        await sqs(there.url, environment, ambient=True)
        assert sts.seen[0].form["WebIdentityToken"] == "web-identity-token"
        assert [one.headers["X-Amz-Target"] for one in there.seen] == ["AmazonSQS.GetQueueUrl", "AmazonSQS.SendMessage"]
        assert there.seen[1].headers["X-Amz-Security-Token"] == "session-token"


async def test_the_identity_of_the_controller_is_not_for_other_namespaces() -> None:
    async with vendor((200, {})) as there:
        environment = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK"}
        with pytest.raises(Refused, match="key and secret are missing"):
            await sqs(there.url, environment, ambient=False)
        assert there.seen == []

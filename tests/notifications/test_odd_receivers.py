"""Receivers that hang, answer garbage, redirect for ever, or have invalid certificates, over real connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from serinus.analysis.providers.http.client import REDIRECTS, Http
from serinus.notifications.fields import read
from serinus.notifications.limits import LimitedHttp
from serinus.notifications.services.registry import SERVICES
from serinus.notifications.services.service import Delayed, Refused, SendRequest, ServiceContext
from serinus.notifications.services.slack import thread_of
from tests.support.notifications.certificates import KINDS, Authority
from tests.support.notifications.fake_vendor import vendor
from tests.support.notifications.http_services import HTTP_KINDS

SECONDS = 0.5
"""The time of an attempt here."""


async def attempt(
    kind: str,
    options: dict[str, Any],
    *,
    section: Any = None,
    recipient: str = "a@b.c",
    patterns: tuple[str, ...] = (),
    done: dict[str, str] | None = None,
) -> Any:
    """One attempt, as the delivery makes it, in less time."""
    service = SERVICES[kind]
    made, _ = read(options, service.Options)
    assert service.check(made) == ""
    part = None if section is None else read(section, service.Section)[0]
    async with Http() as http, asyncio.timeout(2 * SECONDS):
        reach = ServiceContext(LimitedHttp(http, patterns, "team-a") if patterns else http, lambda: 0.0, {})
        until = asyncio.get_running_loop().time() + SECONDS
        return await service.send(
            made, SendRequest(kind, recipient, "m", part, reach, done={} if done is None else done, until=until)
        )


def case(kind: str, url: str) -> dict[str, Any]:
    """The arguments of `attempt` for the sample of `test_services.py`."""
    one = HTTP_KINDS[kind]
    return {"options": one.options(url), "section": one.section, "recipient": one.recipient}


@asynccontextmanager
async def listener(
    say: bytes, *, then: str = "hang", context: ssl.SSLContext | None = None
) -> AsyncGenerator[list[int]]:
    """A server at [port, connections]: it writes `say`, and hangs, closes, drips, or answers each request ("http")."""
    state = [0, 0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state[1] += 1
        try:
            if then == "http":
                await reader.readuntil(b"\r\n\r\n")
            writer.write(say)
            while then == "drip":
                await asyncio.sleep(0.01)
                writer.write(b"2")
                await writer.drain()
            if then != "close":
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    state[0] = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()


@pytest.mark.parametrize("patterns", [(), ("127.0.0.1",)], ids=["own", "limited"])
@pytest.mark.parametrize("status", [302, 307])
async def test_an_endless_redirect_ends_and_is_not_tried_again(status: int, patterns: tuple[str, ...]) -> None:
    async with vendor((status, {"location": "/again"})) as there:
        with pytest.raises(Refused, match="redirects too often"):
            await attempt("webhook", {"url": there.url}, patterns=patterns)
    assert len(there.seen) == REDIRECTS + (1 if patterns else 0)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = Authority()
    made.write(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", ssl.create_default_context())
    return made


TLS: dict[str, tuple[bytes, Callable[[int], dict[str, Any]]]] = {
    "webhook": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        lambda port: {"url": f"https://127.0.0.1:{port}/?k=tok-secret"},
    ),
    "slack": (
        b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}',
        lambda port: {"apiURL": f"https://127.0.0.1:{port}/", "token": "tok-secret"},
    ),
}


@pytest.mark.parametrize("fault", [*KINDS, ""])
@pytest.mark.parametrize("kind", TLS)
async def test_a_certificate_is_checked_and_its_fault_named(
    kind: str, fault: str, authority: Authority, tmp_path: Path
) -> None:
    say, options = TLS[kind]
    async with listener(say, then="http", context=authority.server(fault, tmp_path)) as (port, _):
        if not fault:
            await attempt(kind, options(port))
            return
        with pytest.raises(Refused) as caught:
            await attempt(kind, options(port))
        assert KINDS[fault] in str(caught.value)
        assert "secret" not in str(caught.value)
        await attempt(kind, {**options(port), "insecureSkipVerify": "true"})


@pytest.mark.parametrize("fault", KINDS)
async def test_certificates_of_nats(fault: str, authority: Authority, tmp_path: Path) -> None:
    context = authority.server(fault, tmp_path)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO {}\r\n")
        try:
            await writer.start_tls(context)
        except OSError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"tls://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(Refused) as caught:
            await attempt("nats", {"url": url, "username": "u", "password": "pw-secret"})
    assert KINDS[fault] in str(caught.value)


@pytest.mark.parametrize("fault", KINDS)
async def test_certificates_of_mail_servers(
    fault: str, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listener(b"220 x\r\n", context=authority.server(fault, tmp_path)) as (port, _):
        monkeypatch.setattr("serinus.notifications.services.email.IMPLICIT_TLS", port)
        options = {"host": "127.0.0.1", "port": port, "from": "a@b.c", "username": "u", "password": "pw-secret"}
        with pytest.raises(Refused) as caught:
            await attempt("email", options)
    assert KINDS[fault] in str(caught.value)


async def test_a_message_is_not_repeated_because_its_answer_never_ends() -> None:
    """For services that look at the status: 2xx counts. Where the body decides, it is not known, and not repeated."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    async with listener(head, then="http") as (port, _):
        assert await attempt("webhook", {"url": f"http://127.0.0.1:{port}"}) is None
        for kind in ("slack", "googlechat"):
            with pytest.raises(Refused, match="may have taken the message"):
                await attempt(kind, **case(kind, f"http://127.0.0.1:{port}"))
    async with listener(head.replace(b"200", b"500"), then="http") as (port, _):
        with pytest.raises(Delayed):
            await attempt("webhook", {"url": f"http://127.0.0.1:{port}"})


PAGE = "<html>The service is being maintained.</html>"
LOGIN = (200, {"status": "success", "data": {"authToken": "a", "userId": "u"}})


@pytest.mark.parametrize(("said", "error"), [(PAGE, Delayed), ("ok", Refused), ("[1]", Refused), ("", Refused)])
@pytest.mark.parametrize("kind", ["slack", "rocketchat", "googlechat"])
async def test_a_200_without_the_services_json_is_not_a_success(kind: str, said: str, error: type[Exception]) -> None:
    async with vendor(*([LOGIN] if kind == "rocketchat" else []), (200, said)) as there:
        with pytest.raises(error):
            await attempt(kind, **case(kind, there.url))


def smtp_options(port: int) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "from": "a@b.c", "username": "u", "password": "pw-secret"}


@pytest.mark.parametrize(
    ("say", "then", "error"),
    [
        (b"", "close", Delayed),
        (b"220 x\r\n", "close", Delayed),
        (b"HTTP/1.1 400 Bad Request\r\n", "hang", Refused),
        (b"\xff\xfe\r\n", "hang", Refused),
        (b"554 no\r\n", "hang", Refused),
        (b"421 busy\r\n", "hang", Delayed),
        (b"", "hang", TimeoutError),
        (b"220-", "drip", TimeoutError),
    ],
)
async def test_odd_mail_servers(say: bytes, then: str, error: type[Exception]) -> None:
    """No thread outlives its attempt by more than a moment: a server could otherwise hold all threads."""
    async with listener(say, then=then) as (port, _):
        with pytest.raises(error) as caught:
            await attempt("email", smtp_options(port))
        assert "secret" not in str(caught.value)
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().shutdown_default_executor()  # it waits for its threads


async def test_a_mail_that_was_taken_is_not_sent_again_because_of_the_farewell() -> None:
    log: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        while line := await reader.readline():
            log.append(line)
            word = line[:4].upper()
            if word == b"QUIT":
                await reader.read()  # no reply
            if word == b"DATA":
                writer.write(b"354 go\r\n")
                log.append(await reader.readuntil(b"\r\n.\r\n"))
            writer.write(b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    done: dict[str, str] = {}
    async with server:
        options = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1], "from": "a@b.c"}
        for _ in range(2):
            await attempt("email", options, done=done)
    letters = [one for one in log if b"Message-ID" in one]
    names = {line for one in letters for line in one.split(b"\r\n") if line.startswith(b"Message-ID")}
    assert (len(letters), len(names)) == (2, 1)


@pytest.mark.parametrize("recipient", ["gr\u00fcn@x.y", "a@b.c\r\nRCPT TO:<d@e.f>"])
async def test_addresses_that_smtp_cannot_carry(recipient: str) -> None:
    async with listener(b"220 x\r\n250 a\r\n250 b\r\n250 c\r\n250 d\r\n") as (port, _):
        options = {"host": "127.0.0.1", "port": port, "from": "a@b.c"}
        with pytest.raises(Refused):
            await attempt("email", options, recipient=recipient)


@pytest.mark.parametrize(
    ("say", "then", "error"),
    [
        (b"", "close", Delayed),
        (b"INFO {}\r\n", "close", Delayed),
        (b"INFO {}\r\n", "hang", TimeoutError),
        (b"INFO {}\r\nPING\r\nPING\r\n", "hang", TimeoutError),
        (b"", "hang", TimeoutError),
        (b"", "drip", TimeoutError),
        (b"INFO [1]\r\n", "hang", Refused),
        (b"INFO {\r\n", "hang", Delayed),
        (b"SSH-2.0-x\r\n", "hang", Refused),
        (b"INFO " + b"x" * 200_000 + b"\r\n", "hang", Delayed),
        (b"INFO {}\r\n-ERR 'no'\r\n", "hang", Refused),
    ],
)
async def test_odd_nats_servers(say: bytes, then: str, error: type[Exception]) -> None:
    async with listener(say, then=then) as (port, _):
        with pytest.raises(error) as caught:
            await attempt("nats", {"url": f"nats://127.0.0.1:{port}", "username": "u", "password": "pw-secret"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["nats://[", "nats://", "nats://h:x", "nats://h:99999"])
def test_addresses_of_nats_that_are_none(url: str) -> None:
    options, _ = read({"url": url}, SERVICES["nats"].Options)
    assert "no host or no valid port" in SERVICES["nats"].check(options)
    assert SERVICES["nats"].host(options, "s") is not None


CLOUDS = ["awssqs", "gcppubsub", "github"]


@pytest.mark.parametrize(
    ("say", "then"),
    [
        (b"", "close"),
        (b"", "hang"),
        (b"\0\1garbage\r\n\r\n", "close"),
        (b"HTTP/1.1 200 OK\r\n\r\nnot json", "close"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "http"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{", "http"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", "http"),
    ],
)
@pytest.mark.parametrize("kind", CLOUDS)
async def test_odd_clouds(kind: str, say: bytes, then: str) -> None:
    """The first request has no effect, so it is tried again, and no message counts as sent."""
    async with listener(say, then=then) as (port, connections):
        with pytest.raises(Delayed) as caught:
            await attempt(kind, **case(kind, f"http://127.0.0.1:{port}"))
    assert "secret" not in str(caught.value)
    assert connections <= 2


async def test_a_message_in_a_queue_counts_whatever_the_answer_says() -> None:
    async with vendor((200, {"QueueUrl": "http://x/q"}), (200, "garbage")) as there:
        await attempt("awssqs", **case("awssqs", there.url))
    assert len(there.seen) == 2


async def test_a_retry_does_not_repeat_the_parts_that_were_made() -> None:
    section = {
        "repoURLPath": "git@github.com:o/r",
        "revisionPath": "abc",
        "status": {"state": "success", "label": "ci"},
        "repositoryDispatch": {"event_type": "e", "client_payload": "{}"},
    }
    done: dict[str, str] = {"kept": ""}
    token = (201, {"token": "a"})
    async with vendor(token, (201, {}), (500, {}), token, (204, {})) as there:
        options = case("github", there.url)["options"]
        with pytest.raises(Delayed):
            await attempt("github", options, section=section, done=done)
        await attempt("github", options, section=section, done=done)
    assert [one.path.rpartition("/repos/o/r/")[2] for one in there.seen if "/repos/" in one.path] == [
        "statuses/abc",
        "dispatches",
        "dispatches",
    ]


async def test_a_post_of_slack_is_not_repeated_because_its_update_failed() -> None:
    service = SERVICES["slack"]
    ok = (200, {"ok": True, "channel": "C1", "ts": "2.0"})
    async with vendor(ok, (500, {}), ok) as there, Http() as http:
        options, _ = read({"apiURL": f"{there.url}/api/", "token": "t"}, service.Options)
        section, _ = read({"groupingKey": "k", "deliveryPolicy": "PostAndUpdate"}, service.Section)
        job = SendRequest(
            "slack", "ch", "m", section, ServiceContext(http, lambda: 0.0), threads={thread_of("ch", "k"): "1.0|C1"}
        )
        with pytest.raises(Delayed):
            await service.send(options, job)
        await service.send(options, job)
    assert [one.path.rpartition(".")[2] for one in there.seen] == ["postMessage", "update", "update"]
